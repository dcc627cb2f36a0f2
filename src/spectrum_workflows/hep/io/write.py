"""Results as bytes: JSON that reads back exactly, ROOT and PNG for everybody else."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import hist
import numpy as np
import uproot
from numpy.typing import NDArray
from uproot.writing.identify import to_writable

from spectrum_workflows import storage
from spectrum_workflows.domain.products import make_each
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import histogram, profiles, review
from spectrum_workflows.hep.io.root_profiles import root_profile
from spectrum_workflows.hep.spec.axes import Axis, HistogramSpec
from spectrum_workflows.hep.types import Evaluation, HepResult, LikelihoodFit
from spectrum_workflows.jsontext import as_json
from spectrum_workflows.naming import file_names

JSON_NAME = "histograms.json"
ROOT_NAME = "histograms.root"
WORKSPACE_NAME = "workspace.json"
FIT_NAME = "fit.json"
STATISTICS_NAME = "statistics.json"

GENERATED_KEY = "generated events"
"""In the ROOT file, where there are such; no sample has a name with spaces."""

ROOT_AXES = ("fXaxis", "fYaxis", "fZaxis")
"""Members of ROOT's histograms."""

WARNINGS_KEY = "warnings of this run"
"""In the ROOT file; no sample has a name with spaces."""


def files(result: HepResult) -> Iterator[tuple[str, bytes]]:
    """All numbers to be saved of a result.

    Yields
    ------
    (name, content)
        ``histograms.json``: axes, labels, all contents with flow bins, exact;
        ``histograms.root``: the same as TH1D, TH2D and TH3D, in a folder per sample, those of
        eras in folders of theirs; of more than three axes as TH1D of all bins one after the
        other, see `_unrolled`; profiles as TProfile, TProfile2D and TProfile3D in the same way;
        replicas as ``histogram_replicas`` with one more axis;
        with a likelihood fit, ``workspace.json`` (pyhf's schema) and ``fit.json``, and
        ``statistics.json`` where the spec asks for more.

    Raises
    ------
    OutputError
        At the end, if one of them could not be made: the others are there.
    """
    yield from make_each(_products(result).items(), verb="made")


def _products(result: HepResult) -> dict[str, Callable[[], bytes]]:
    fit = result.likelihood
    products = {JSON_NAME: lambda: _text(result), ROOT_NAME: lambda: _root(result)}
    if not isinstance(fit, str):
        products[WORKSPACE_NAME] = lambda: _json(fit.workspace)
        products[FIT_NAME] = lambda: _json(fit_as_table(fit))
        if result.spec.fit is not None and result.spec.fit.evaluate:
            products[STATISTICS_NAME] = lambda: _json(evaluation_as_table(result.evaluation))
    return products


def _text(result: HepResult) -> bytes:
    return _json(as_table(result), spelled=True)


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
    underflow first and overflow last, or sums and means of a profile, ``.../replicas``,
    ``sample/region/entries`` and ``sample/events``; see `histogram.arrays`.
    """
    spec = result.spec
    warnings = review.warnings(result)
    eras = {
        era: {"luminosity": of.spec.luminosity, "samples": _samples(of)}
        for era, of in result.eras.items()
    }
    return {
        "name": spec.name,
        "normalisation": spec.normalisation,
        "luminosity": spec.total_luminosity,
        "samples": _samples(result),
        **({"eras": eras} if eras else {}),
        "counts": result.counts,
        "histograms": {
            name: _axes(described.axes(name)) | _profile(described)
            for name, described in spec.histograms.items()
        },
        **({"warnings": list(warnings)} if warnings else {}),
        "arrays": {name: array.tolist() for name, array in histogram.arrays(result).items()},
    }


def _samples(result: HepResult) -> dict[str, Any]:
    return {
        name: {
            "label": sample.label or name,
            "data": sample.data,
            "cross_section": sample.cross_section,
            "events": result.events[name],
            "weight": result.weights[name],
            **({"generated_events": True} if name in result.synthetic else {}),
        }
        for name, sample in result.spec.samples.items()
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


def evaluation_as_table(evaluation: Evaluation) -> dict[str, Any]:
    """What was asked of the likelihood as JSON-ready values: attributes by their names."""
    parts = {name: getattr(evaluation, name) for name in ("limit", "significance", "impacts")}
    tables = {name: _plain(vars(part)) for name, part in parts.items() if part is not None}
    return {**tables, "reasons": list(evaluation.reasons)}


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in attributes.items()
    }


def _axes(axes: Sequence[Axis]) -> dict[str, Any]:
    """The only axis of a histogram, or a list of all."""
    described = [
        {
            "observable": axis.observable,
            "label": axis.label,
            "bins": axis.bins,
            "start": axis.start,
            "stop": axis.stop,
            "log": axis.log,
            **({"edges": list(axis.edges)} if axis.edges else {}),
            **({"categories": list(axis.categories)} if axis.categories else {}),
            **({"integer": True} if axis.integer else {}),
        }
        for axis in axes
    ]
    return described[0] if len(described) == 1 else {"axes": described}


def _profile(described: HistogramSpec) -> dict[str, Any]:
    """Of what a profile has means."""
    if not described.profile:
        return {}
    return {"profile": {"observable": described.profile, "label": described.profile_label}}


def _json(value: Any, *, spelled: bool = False) -> bytes:
    return as_json(value, spelled=spelled, ascii_only=False).encode()


def _root(result: HepResult) -> bytes:
    """A ROOT file with a histogram ``sample/histogram`` each; squared weights included."""
    identity = uuid.uuid5(uuid.NAMESPACE_OID, _text(result).decode())
    out = io.BytesIO()
    names = (*result.spec.samples, *result.eras)
    folders = dict(zip(names, file_names(names), strict=True))
    with uproot.recreate(out, uuid_function=lambda: identity) as file:
        for path, h in _in_folders(result):
            file[path] = _as_root_has_it(h)
        for era, of in result.eras.items():
            for path, h in _in_folders(of):
                file[f"{folders[era]}/{path}"] = _as_root_has_it(h)
        if result.synthetic:
            file[GENERATED_KEY] = ", ".join(result.synthetic)
        if warnings := review.warnings(result):
            file[WARNINGS_KEY] = "\n".join(warnings)
        file.file.sink.flush()
        return out.getvalue()  # complete after every write; leaving closes the buffer


def _in_folders(result: HepResult) -> Iterator[tuple[str, hist.Hist]]:
    """Every histogram with its path, names made safe."""
    folders = dict(zip(result.spec.samples, file_names(result.spec.samples), strict=True))
    titles = list(dict.fromkeys(name for _, name in result.histograms))
    own = list(dict.fromkeys(name for _, name in result.replicas))
    names = file_names([*titles, *(f"{name}_replicas" for name in own)])
    keys = dict(zip(titles, names, strict=False))
    replicated = dict(zip(own, names[len(titles) :], strict=True))
    for (sample, name), h in result.histograms.items():
        yield f"{folders[sample]}/{keys[name]}", h
    for (sample, name), array in result.replicas.items():
        h = _replicas(result.histograms[sample, name], array)
        yield f"{folders[sample]}/{replicated[name]}", h


def _replicas(h: hist.Hist, array: NDArray[np.float64]) -> hist.Hist:
    """Replicas as a histogram with one more axis, without errors; of a profile its means."""
    order = hist.axis.Integer(0, array.shape[-1], name="replica", label="replica", flow=False)
    out: hist.Hist = hist.Hist(*h.axes, order, storage=hist.storage.Weight(), name=h.name)
    values = array
    if profiles.is_profile(h):
        with np.errstate(divide="ignore", invalid="ignore"):
            values = array[..., 1, :] / array[..., 0, :]
    out.view(flow=True)["value"] = values
    return out


def _as_root_has_it(h: hist.Hist) -> Any:
    """A histogram or profile to write."""
    if not profiles.is_profile(h):
        return _of_events(h)
    w, w2, wv, wv2 = profiles.sums_of(h)
    both = (profiles.with_sums(h, *sums) for sums in ((w, w2), (wv, wv2)))
    return root_profile(*(to_writable(_of_events(sums)) for sums in both))


def _of_events(h: hist.Hist) -> Any:
    """A histogram to write; uproot leaves out what lies outside where an axis has categories."""
    if len(h.axes) > len(ROOT_AXES):
        return _unrolled(h)
    listed = [not axis.traits.ordered for axis in h.axes]
    if not any(listed):
        return h
    axes = [
        hist.axis.Integer(0, axis.size, name=axis.name, label=axis.label) if of_words else axis
        for axis, of_words in zip(h.axes, listed, strict=True)
    ]
    whole = hist.Hist(*axes, storage=hist.storage.Weight())
    inside = tuple(slice(1, None) if of_words else slice(None) for of_words in listed)
    whole.view(flow=True)[inside] = h.view(flow=True)  # categories have no underflow
    written, labelled = to_writable(whole), to_writable(h)
    for member, of_words in zip(ROOT_AXES, listed, strict=False):
        if of_words:
            written.member(member)._members["fLabels"] = labelled.member(member).member("fLabels")
    return written


def _unrolled(h: hist.Hist) -> hist.Hist:
    """All bins one after the other, flow bins included, the last axis fastest.

    ROOT's histograms of more than three axes are not written by uproot.
    """
    contents = h.view(flow=True)
    shape = " x ".join(f"{axis.name}: {n}" for axis, n in zip(h.axes, contents.shape, strict=True))
    order = hist.axis.Integer(0, contents.size, label=f"{shape}, the last fastest", name="bin")
    flat: hist.Hist = hist.Hist(order, storage=hist.storage.Weight(), name=h.name)
    flat.view()[...] = contents.ravel()
    return flat
