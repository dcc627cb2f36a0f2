"""Event analysis for anybody's pipeline: events, histograms and workspaces in memory.

No spec or site: the same reading, filling and templates as the workflow's, as functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hist
import numpy as np

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import profiles
from spectrum_workflows.hep.fit.workspace import workspace as workspace_of
from spectrum_workflows.hep.io import read as reading
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.hep.select.observables import check_region
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.formats import NANOAOD, resolved
from spectrum_workflows.hep.spec.physlite import SHIPPED
from spectrum_workflows.hep.types import Events, HepResult, Observable
from spectrum_workflows.specs import parse

if TYPE_CHECKING:
    import awkward as ak
    from correctionlib import CorrectionSet
    from numpy.typing import ArrayLike

    from spectrum_workflows.hep.corrections.evaluation import CorrectionKernels
    from spectrum_workflows.hep.models.calling import Model

    Key = tuple[str, str] | tuple[str, str, str]
    """Sample and region; of a systematic variation also its name."""

    Values = Observable | ArrayLike


def read(
    url: str | Path,
    columns: Sequence[str],
    *,
    tree: str = "Events",
    format: str = NANOAOD,  # noqa: A002  (as in a spec)
    entry_start: int = 0,
    entry_stop: int | None = None,
) -> ak.Array:
    """Read some columns of a ROOT file, for a range of its events.

    Parameters
    ----------
    url : str or Path
        The file, on this file system or in a store: ``s3://``, ``root://``, ``https://``.
    columns : sequence of str
        Names of branches; nothing else is read.
    tree : str
        Name of the TTree or RNTuple, where the format does not name it.
    format : str
        ``"NanoAOD"``, or ``"PHYSLITE"``: columns have NanoAOD's names and units in any.
    entry_start : int
        First event of the range.
    entry_stop : int, optional
        The event after the last one; the number of events in the file if left out.

    Returns
    -------
    ak.Array, shape (n_events,)
        A record per event with one field per column, named as in the file.

    Raises
    ------
    DataNotFoundError, DataError
        There is no such file, tree or column; or the file is damaged.
    SpecError
        The file has no such events, or there is no such format.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from spectrum_workflows import hep
    >>> from spectrum_workflows.hep.synthetic import write_sample
    >>> with TemporaryDirectory() as folder:
    ...     file = f"{folder}/zmumu.root"
    ...     _ = write_sample(file, "zmumu", events=1_000, seed=1)
    ...     events = hep.read(file, ["Muon_pt", "Muon_charge"], entry_start=200, entry_stop=500)
    >>> len(events), events.fields
    (300, ['Muon_pt', 'Muon_charge'])
    """
    try:
        file_format = resolved(format, SHIPPED)
    except ValueError as error:
        raise SpecError(str(error), "format") from None
    opened = open_tree(str(url), tree, file_format)
    stop = opened.entries if entry_stop is None else entry_stop
    if not 0 <= entry_start <= stop <= opened.entries:
        message = f"it has {opened.entries} events, no {entry_start} to {stop}"
        remedy = "choose entry_start and entry_stop among them"
        raise SpecError(message, f"{url} ({opened.name})", remedy)
    events = Events("", str(url), opened.name, entry_start, stop, opened.uuid, opened.nbytes)
    return reading.read(opened, events, columns)


def read_corrections(
    files: str | Path | Sequence[str | Path], *, check: int = 64
) -> CorrectionKernels:
    """Read correctionlib files and compile what they hold.

    Bins, categories, formulas, transforms, random numbers and stacks of them become tables that
    one kernel walks; values are correctionlib's, to at most 4 ulp.  What cannot be compiled
    (networks) is evaluated by correctionlib itself, and ``reasons`` names it.

    Parameters
    ----------
    files : str, Path or sequence of them
        ``.json`` or ``.json.gz`` of schema version 2, on this file system or in a store.
    check : int
        How many elements of every call are compared with correctionlib; 0 compares none.

    Returns
    -------
    CorrectionKernels
        With ``names``, ``inputs(name)``, ``evaluate(name, *inputs)`` and, for many corrections of
        the same inputs in one pass, ``evaluate_all(names, *inputs)``.

    Raises
    ------
    DataNotFoundError, DataError
        There is no such file, or it is none of schema version 2.
    SpecError
        Two files hold corrections of the same name.

    Examples
    --------
    >>> import awkward as ak
    >>> from spectrum_workflows import hep
    >>> corrections = hep.read_corrections("workflows/hep/ttbar_weights.json")
    >>> corrections.names
    ('event_weight',)
    >>> [f"{i.name}: {i.type}" for i in corrections.inputs("event_weight")]
    ['systematic: string', 'direction: string', 'jet_pt: real']
    >>> pt = ak.Array([[30.0, 60.0], [], [90.0]])
    >>> corrections.evaluate("event_weight", "btag_var", "up", pt).tolist()
    [[1.045, 1.09], [], [1.135]]
    """
    from spectrum_workflows.hep.select.corrections import corrections

    named = [files] if isinstance(files, str | Path) else list(files)
    return corrections(tuple(str(file) for file in named), "").compiled(check=check)


def compile_corrections(corrections: CorrectionSet, *, check: int = 64) -> CorrectionKernels:
    """Compile what ``select`` is given as its ``corrections``.

    Parameters
    ----------
    corrections : correctionlib.CorrectionSet
        A set of correctionlib's.  In a process it is compiled once.
    check : int
        How many elements of every call are compared with correctionlib; 0 compares none.

    Returns
    -------
    CorrectionKernels
        As of `read_corrections`.

    Raises
    ------
    DataError
        A formula is referred to with too few parameters.

    Examples
    --------
    >>> from correctionlib import CorrectionSet
    >>> from spectrum_workflows import hep
    >>> given = CorrectionSet.from_file("workflows/hep/ttbar_weights.json")
    >>> hep.compile_corrections(given).evaluate("event_weight", "scale_var", "up", 30.0)
    1.025
    """
    from spectrum_workflows.hep.select.corrections import compiled

    return compiled(corrections.__getstate__()["_data"], check=check)


def read_model(file: str | Path, *, output: str = "") -> Model:
    """Read a trained model, and load it.

    Every call of it computes a fixed number of rows at a time, in one thread: the bits of a row
    depend on no other row.

    Parameters
    ----------
    file : str or Path
        An ONNX model (``.onnx``), or boosted trees as XGBoost saves them (``.json``, ``.ubj``), on
        this file system or in a store.
    output : str
        Which output of an ONNX model is its value; needed if it has several.

    Returns
    -------
    Model
        A function of columns, one for each feature, by place or by name; or of NumPy arrays with
        events first, one for each tensor.

    Raises
    ------
    MissingExtraError
        The library that computes it is not installed.
    DataNotFoundError, DataError
        There is no such file, it is no model, or the value of a row depends on other rows.
    SpecError
        The file's name has another ending, or there is no such output.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import xgboost
    >>> from spectrum_workflows import hep
    >>> x = np.arange(40.0).reshape(20, 2)
    >>> booster = xgboost.train({"seed": 1}, xgboost.DMatrix(x, x[:, 0] > 20), num_boost_round=2)
    >>> with TemporaryDirectory() as folder:
    ...     booster.save_model(f"{folder}/m.ubj")
    ...     model = hep.read_model(f"{folder}/m.ubj")
    >>> model(x[:, 0], x[:, 1]).shape
    (20,)
    """
    from spectrum_workflows.hep.select.models import read_models
    from spectrum_workflows.hep.spec.models import ModelSpec

    described = parse(ModelSpec, {"file": str(file), "output": output}, where="read_model")
    return read_models({"model": described}, "").loaded()["model"]


def fill(
    arrays: Values | Sequence[Values],
    axes: hist.axis.AxesMixin | Sequence[hist.axis.AxesMixin],
    *,
    weight: ArrayLike | None = None,
    profile: Values | None = None,
    name: str = "",
) -> hist.Hist:
    """Fill a histogram with float64 sums of weights and of their squares, or a profile.

    Histograms of parts of the data are added with ``+``: `engine.map_reduce` does so in an
    order that is always the same.

    Parameters
    ----------
    arrays : Observable or array, shape (n,), or sequence of them
        One number, or text, per event: what a ``select`` returned for a region.  For several
        axes, as many as there are axes.
    axes : hist axis, or sequence of them
        ``hist.axis.Regular`` and so on.
    weight : array, shape (n,), optional
        Weights of the events; those of the first observable, or 1, if left out.
    profile : Observable or array, shape (n,), optional
        Of which the mean is taken in every bin; see `error_of_mean` and `spread`.
    name : str
        Of the histogram.

    Returns
    -------
    hist.Hist
        With ``Weight`` storage, a profile with ``WeightedMean``; what lies outside is in the flow
        bins.

    Raises
    ------
    DataError
        A value or weight is not finite, lengths differ, or an array is not flat.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(4, 0, 8, name="x", label="mass [GeV]")
    >>> filled = hep.fill([1.0, 3.0, 3.5, 99.0], axis, weight=[1.0, 2.0, 1.0, 1.0])
    >>> filled.values().tolist(), filled.variances().tolist()
    ([1.0, 3.0, 0.0, 0.0], [1.0, 5.0, 0.0, 0.0])
    >>> response = hep.fill([1.0, 3.0, 3.5, 3.6], axis, profile=[0.9, 1.0, 1.1, 1.2])
    >>> response.values().round(3).tolist()
    [0.9, 1.1, 0.0, 0.0]
    >>> hep.error_of_mean(response).round(3).tolist()
    [nan, 0.058, nan, nan]
    """
    along: list[Any] = [axes] if isinstance(axes, hist.axis.AxesMixin) else list(axes)
    each: Any = [arrays] if isinstance(axes, hist.axis.AxesMixin) else arrays
    given = list(each)
    if len(given) != len(along):
        message = f"{len(given)} arrays for {len(along)} axes"
        raise DataError(message, "fill", "give one array for each axis, in their order")
    observed = [_observed(values, axis, weight) for values, axis in zip(given, along, strict=True)]
    if profile is not None:
        observed.append(_observed(profile, None, weight))
    if len({len(o.values) for o in observed}) > 1:
        lengths = ", ".join(str(len(o.values)) for o in observed)
        raise DataError(f"arrays of {lengths} events", "fill", "give the same events to all axes")
    values = [np.asarray(o.values) for o in observed]
    if profile is not None:
        sums = profiles.empty_sums(along, name)
        return profiles.means_of(
            profiles.fill_sums(sums, values[:-1], values[-1], observed[0].weights)
        )
    histogram = hist.Hist(*along, storage=hist.storage.Weight(), name=name or None)
    return histogram.fill(*values, weight=observed[0].weights)


def _observed(values: Any, axis: Any, weight: Any) -> Observable:
    """Values and weights, checked as those of a selection are."""
    text = isinstance(axis, hist.axis.StrCategory)
    observable = values if isinstance(values, Observable) else Observable(values)
    if weight is not None:
        observable = Observable(observable.values, weight)
    title = axis.name if axis is not None else "the profile"
    checked = check_region(title or "the histogram", observable, text=text)
    return Observable(checked.values, checked.weights)


def workspace(
    histograms: Mapping[Key, hist.Hist],
    *,
    signal: str,
    data: str = "data",
    luminosity_error: float = 0.0,
    systematics: Mapping[str, Mapping[str, Any]] | None = None,
    pruning: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Make a HistFactory workspace of histograms, with pyhf's JSON schema.

    Systematic uncertainties are split into yield and shape, a variation without counterpart is
    mirrored, and the statistics of the simulation enter bin by bin: the choices of the Analysis
    Grand Challenge.

    Parameters
    ----------
    histograms : mapping of (sample, region) or (sample, region, variation) to hist.Hist
        With one axis each, of the same edges within a region; normalised.
    signal : str
        Sample whose normalisation is the parameter of interest.
    data : str
        Sample that is data.
    luminosity_error : float
        Relative uncertainty of the luminosity, common to all samples.
    systematics : mapping of name to mapping, optional
        The nuisance parameters: ``{"up": variation, "down": variation, "samples": [...]}``;
        without ``down`` mirrored, without ``samples`` for all that have the variation; with
        ``"smooth": 1`` smoothed by running medians.
    pruning : mapping, optional
        Relative changes below which an effect is left out: ``{"yields": 0.005, "shapes": 0.005}``.

    Returns
    -------
    dict
        JSON-ready, for `fit_workspace` or ``pyhf.Workspace``.

    Raises
    ------
    SpecError
        A sample, region or variation is not there, or a name is not allowed.
    DataError
        The histograms cannot be fitted: other edges, nothing expected where data stands.

    Examples
    --------
    >>> import hist
    >>> from spectrum_workflows import hep
    >>> axis = hist.axis.Regular(2, 0, 2, name="x")
    >>> filled = {
    ...     ("top", "4j"): hep.fill([0.5, 1.5, 1.5], axis),
    ...     ("other", "4j"): hep.fill([0.5, 0.5, 1.5], axis),
    ...     ("data", "4j"): hep.fill([0.5, 0.5, 0.5, 1.5, 1.5], axis),
    ... }
    >>> described = hep.workspace(filled, signal="top")
    >>> [channel["name"] for channel in described["channels"]]
    ['4j']
    >>> described["observations"][0]["data"]
    [3.0, 2.0]
    """
    keyed = {(*key, "")[:3]: h for key, h in histograms.items()}
    spec = _spec(keyed, signal, data, luminosity_error, systematics or {}, pruning or {})
    titled = {}
    for sample in spec.samples:
        for region in spec.histograms:
            for variation in ("", *spec.variations_of(sample)):
                template = _template(keyed, (sample, region, variation))
                titled[sample, spec.titles[region, variation]] = template
    return workspace_of(HepResult(spec, titled, {}, {}, {}))


def _template(keyed: Mapping[tuple[str, ...], hist.Hist], key: tuple[str, str, str]) -> hist.Hist:
    """One histogram, on the axis of its region."""
    sample, region, variation = key
    where = f"sample {sample}, region {region}" + (f", {variation}" if variation else "")
    if key not in keyed:
        raise SpecError("there is no such histogram", where, "fill one, of zeros if need be")
    h, first = keyed[key], next(h for (_, r, _), h in keyed.items() if r == region)
    if profiles.is_profile(h):
        raise DataError("a profile holds means, which are no template", where, "fill events")
    if len(h.axes) != 1 or h.variances() is None:
        remedy = "hep.fill makes them of one axis and with variances"
        raise DataError("a template has one axis, and variances", where, remedy)
    if not np.array_equal(h.axes[0].edges, first.axes[0].edges):
        raise DataError("other edges than the first histogram of its region", where, "rebin it")
    return h


def _spec(
    keyed: Mapping[tuple[str, ...], hist.Hist],
    signal: str,
    data: str,
    luminosity_error: float,
    systematics: Mapping[str, Mapping[str, Any]],
    pruning: Mapping[str, float],
) -> HepSpec:
    """What is fitted, as a spec says it, so that it is checked as there."""
    samples: dict[str, dict[str, Any]] = {}
    regions: dict[str, dict[str, Any]] = {}
    for (sample, region, variation), h in keyed.items():
        entry = samples.setdefault(sample, {"files": ["none"], "variations": []})
        if variation and variation not in entry["variations"]:
            entry["variations"].append(variation)
        regions.setdefault(region, {"edges": np.asarray(h.axes[0].edges).tolist()})
    if data not in samples:
        raise SpecError(f"there is no sample {data!r}", "data", "name the one that is data")
    samples[data]["data"] = True
    fit: dict[str, Any] = {
        "signal": signal,
        "regions": list(regions),
        "luminosity_error": luminosity_error,
    }
    fit["systematics"] = {name: dict(described) for name, described in systematics.items()}
    fit["pruning"] = dict(pruning)
    table = {
        "workflow": "hep",
        "name": "workspace",
        "select": "spectrum_workflows.hep.analyses.dimuon:select",
        "columns": ["none"],
        "normalisation": "none",
        "samples": samples,
        "histograms": regions,
        "fit": fit,
    }
    return parse(HepSpec, table, where="workspace")
