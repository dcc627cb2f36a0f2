"""Results as bytes: JSON that reads back exactly, ROOT and PNG for everybody else."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import uproot
from numpy.typing import NDArray

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import histogram
from spectrum_workflows.hep.fitted import LikelihoodFit
from spectrum_workflows.hep.types import HepResult

JSON_NAME = "histograms.json"
ROOT_NAME = "histograms.root"
WORKSPACE_NAME = "workspace.json"
FIT_NAME = "fit.json"


def files(result: HepResult) -> Iterator[tuple[str, bytes]]:
    """All numbers to be saved of a result.

    Yields
    ------
    (name, content)
        ``histograms.json``: axes, labels, all contents with flow bins, exact;
        ``histograms.root``: the same as TH1D, in a folder per sample; with a
        likelihood fit, ``workspace.json`` (pyhf's schema) and ``fit.json``.
    """
    text = _json(as_table(result))
    yield JSON_NAME, text
    yield ROOT_NAME, _root(result, uuid.uuid5(uuid.NAMESPACE_OID, text.decode()))
    if not isinstance(result.likelihood, str):
        yield WORKSPACE_NAME, _json(result.likelihood.workspace)
        yield FIT_NAME, _json(fit_as_table(result.likelihood))


def read(folder: str) -> dict[str, NDArray[np.float64]]:
    """The arrays of a saved result, the same bits as `histogram.arrays`.

    Raises
    ------
    DataNotFoundError
        There is no ``histograms.json`` in the folder.
    DataError
        It is not one of ours.
    """
    url = storage.join(folder, JSON_NAME)
    text = storage.read_bytes(url)
    try:
        arrays = json.loads(text)["arrays"]
        return {name: np.array(values, np.float64) for name, values in arrays.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"not a saved result ({error!r})", url, "save the run again") from None


def as_table(result: HepResult) -> dict[str, Any]:
    """The result as JSON-ready values; floats keep all their digits.

    ``arrays`` holds ``sample/histogram/values`` and ``.../variances`` with
    underflow first and overflow last, ``sample/region/entries`` and
    ``sample/events``.
    """
    spec = result.spec
    return {
        "name": spec.name,
        "normalisation": spec.normalisation,
        "luminosity": spec.luminosity,
        "samples": {
            name: {
                "label": sample.label or name,
                "data": sample.data,
                "cross_section": sample.cross_section,
                "events": result.events[name],
                "weight": result.weights[name],
            }
            for name, sample in spec.samples.items()
        },
        "counts": result.counts,
        "histograms": {
            name: {
                "observable": axis.observable or name,
                "label": axis.label,
                "bins": axis.bins,
                "start": axis.start,
                "stop": axis.stop,
                "log": axis.log,
            }
            for name, axis in spec.histograms.items()
        },
        "arrays": {name: array.tolist() for name, array in histogram.arrays(result).items()},
    }


def fit_as_table(fit: LikelihoodFit) -> dict[str, Any]:
    """A likelihood fit as JSON-ready values."""
    stages = {"prefit": fit.prefit, "postfit": fit.postfit}
    return {
        "parameter_of_interest": fit.poi,
        "parameters": {
            name: {"value": float(value), "error": float(error)}
            for name, value, error in zip(fit.names, fit.values, fit.errors, strict=True)
        },
        "correlations": fit.correlations.tolist(),
        "twice_nll": fit.twice_nll,
        "chi2": fit.chi2,
        "ndf": fit.ndf,
        "regions": {
            region: {
                "edges": fit.prefit.edges[region].tolist(),
                "data": data.tolist(),
                **{
                    stage: {
                        "yields": {n: y.tolist() for n, y in templates.yields[region].items()},
                        "total_error": templates.errors[region].tolist(),
                    }
                    for stage, templates in stages.items()
                },
            }
            for region, data in fit.data.items()
        },
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()


def _root(result: HepResult, identity: uuid.UUID) -> bytes:
    """A ROOT file with TH1D ``sample/histogram``; sums of squared weights included."""
    out = io.BytesIO()
    with uproot.recreate(out, uuid_function=lambda: identity) as file:
        for (sample, name), h in result.histograms.items():
            file[f"{sample}/{name}"] = h
        file.file.sink.flush()
        return out.getvalue()  # complete after every write; leaving closes the buffer
