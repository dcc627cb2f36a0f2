"""Workspaces as files of other programs: a card of CMS Combine, and HistFactory's XML."""

from __future__ import annotations

import io
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hist
import numpy as np
import uproot
from numpy.typing import NDArray

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.fit.card import SHAPES, allowed, card_of
from spectrum_workflows.hep.fit.likelihood import pyhf_model

Floats = NDArray[np.float64]

CARD = "card.txt"

COMBINATION = "combination.xml"

GAUSSIAN = {"RelErrorThreshold": "0", "ConstraintType": "Gaussian"}
"""Of the statistics of the simulation: pyhf's choice, where ROOT's own is Poisson's law."""


def combine_card(
    workspace: Mapping[str, Any], *, edges: Mapping[str, Floats] | None = None
) -> dict[str, bytes]:
    """A card of CMS Combine, and its histograms in a ROOT file.

    The signal's factor is ``r``.  Effects on the yield alone are ``lnN``, all others ``shape``;
    the statistics of the simulation are ``autoMCStats``.  Combine interpolates a little otherwise
    than HistFactory, between the same templates.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf.
    edges : mapping of region to ndarray, shape (n_bins + 1,), optional
        Bin edges of the histograms; bins are numbered from 0 if left out.

    Returns
    -------
    dict of str to bytes
        ``card.txt`` and ``shapes.root``.

    Raises
    ------
    DataError
        The workspace is not one, or has an effect that no card can say.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(2, 0, 2, name="x")
    >>> described = hep.workspace(
    ...     {
    ...         ("top", "4j"): hep.fill([0.5] * 100 + [1.5] * 300, axis),
    ...         ("other", "4j"): hep.fill([0.5] * 900 + [1.5] * 100, axis),
    ...         ("data", "4j"): hep.fill([0.5] * 1_100 + [1.5] * 700, axis),
    ...     },
    ...     signal="top",
    ...     luminosity_error=0.02,
    ... )
    >>> files = hep.combine_card(described)
    >>> for line in files["card.txt"].decode().splitlines()[-2:]:
    ...     print(*line.split())
    luminosity lnN 0.98/1.02 0.98/1.02
    ch_4j autoMCStats 0 1
    """
    card = card_of(workspace)
    out = io.BytesIO()
    with uproot.recreate(out) as file:
        for name, contents in card.histograms.items():
            region = card.channels[name.partition("/")[0]]
            n = len(contents.values)
            boundaries = (edges or {}).get(region, np.arange(n + 1, dtype=np.float64))
            file[name] = _histogram(contents.values, contents.errors, boundaries)
        file.file.sink.flush()
        shapes = out.getvalue()  # complete after every write; leaving closes the buffer
    return {CARD: card.text.encode(), SHAPES: shapes}


def _histogram(values: Floats, errors: Floats, edges: Floats) -> hist.Hist:
    h: hist.Hist = hist.Hist(hist.axis.Variable(edges, name="x"), storage=hist.storage.Weight())
    h.view().value, h.view().variance = values, errors**2
    return h


def histfactory(workspace: Mapping[str, Any]) -> dict[str, bytes]:
    """HistFactory's XML, and its histograms in a ROOT file, for ROOT's ``hist2workspace``.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf.

    Returns
    -------
    dict of str to bytes
        ``combination.xml``, which names the others: ``config/fit_CHANNEL.xml``,
        ``data/data.root``, and the schema.

    Raises
    ------
    DataError
        The workspace is not one.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(2, 0, 2, name="x")
    >>> described = hep.workspace(
    ...     {
    ...         ("top", "4j"): hep.fill([0.5] * 100 + [1.5] * 300, axis),
    ...         ("data", "4j"): hep.fill([0.5] * 110 + [1.5] * 290, axis),
    ...     },
    ...     signal="top",
    ... )
    >>> sorted(hep.histfactory(described))
    ['HistFactorySchema.dtd', 'combination.xml', 'config/fit_ch_4j.xml', 'data/data.root']
    """
    pyhf_model(workspace)  # refuses what is none
    import pyhf.writexml

    workspace = _with_names_for_root(workspace)

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in ("config", "data"):
            (folder / name).mkdir()
        top = pyhf.writexml.writexml(workspace, str(folder / "config"), str(folder / "data"), "fit")
        (folder / COMBINATION).write_bytes(top)
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    here = f"{folder}/".encode()
    uses_luminosity = any(
        modifier["type"] == "lumi"
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    )
    for name in [name for name in files if name.endswith(".xml")]:
        text = files[name].replace(here, b"").decode()
        files[name] = _mended(text, uses_luminosity=uses_luminosity).encode()
    return files


def _with_names_for_root(workspace: Mapping[str, Any]) -> dict[str, Any]:
    """The workspace with names of channels that ROOT takes: none begins with a digit."""
    regions = [channel["name"] for channel in workspace["channels"]]
    names = dict(zip(regions, allowed(regions, "ch_"), strict=True))
    renamed = {
        kind: [{**one, "name": names[one["name"]]} for one in workspace[kind]]
        for kind in ("channels", "observations")
    }
    return {**workspace, **renamed}


def _mended(text: str, *, uses_luminosity: bool) -> str:
    """What pyhf leaves to ROOT's defaults, said: its own choices.

    The statistics of the simulation follow Gauss; a luminosity that no sample uses is constant
    and has a width, without which ROOT's constraint is no number.
    """
    doctype, _, body = text.partition("\n\n")
    root = ET.fromstring(body)  # noqa: S314  (written a moment ago)
    if root.tag == "Channel" and root.find("Sample/StatError") is not None:
        data = len(root.findall("Data"))
        root.insert(data, ET.Element("StatErrorConfig", GAUSSIAN))
    for measurement in root.findall("Measurement"):
        if uses_luminosity:
            continue
        measurement.set("LumiRelErr", "0.1")
        constant = measurement.find("ParamSetting[@Const='True']")
        if constant is None:
            constant = ET.SubElement(measurement, "ParamSetting", Const="True")
        constant.text = " ".join(filter(None, ("Lumi", constant.text)))
    if root.tag not in {"Channel", "Combination"}:
        raise DataError(f"XML of an unknown kind, {root.tag}", "histfactory")
    ET.indent(root)
    return f"{doctype}\n\n{ET.tostring(root, encoding='unicode')}\n"
