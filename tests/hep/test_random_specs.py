"""Random axes, names, samples, variations and fits: a clear error, or numpy's numbers."""

import io
import json
import warnings
from dataclasses import replace
from itertools import product

import numpy as np
import uproot
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep import DOMAIN, histogram
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.types import Observable
from spectrum_workflows.hep.workflow.histogramming import fit
from spectrum_workflows.jsontext import as_json
from spectrum_workflows.specs import parse

from . import fills

CATEGORIES = ("ee", "µµ", "e µ", "NaN")
NAMES = st.one_of(
    st.sampled_from(["h", "h_up", "h_up_up", "H", "up", "data", "con", "..", "a;1", "a:b", "$x"]),
    st.text(
        st.characters(exclude_categories=["Z", "C"], exclude_characters="/"), min_size=1, max_size=8
    ),
)
EDGE = st.sampled_from([-1e6, -3.5, -1.0, -1e-9, 0.0, 1e-9, 0.3, 1.0, 2.0, 7.0, 100.0, 1e6])
NUMBERS = st.one_of(EDGE, st.floats(-10, 10, width=32), st.floats(-1e7, 1e7))


@st.composite
def axis(draw, observable):
    """Keys of one axis, that may make no sense."""
    kind = draw(st.sampled_from(["regular", "log", "edges", "integer", "text", "codes"]))
    if kind == "codes":
        codes = st.lists(st.sampled_from([-1, 0, 1, 7, 100]), min_size=1, max_size=3)
        return {"categories": draw(codes)}
    if kind == "text":
        return {"categories": draw(st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=3))}
    if kind == "edges":
        return {"edges": sorted(draw(st.lists(EDGE, min_size=2, max_size=5)))}
    if kind == "integer":
        low = draw(st.integers(-5, 5))
        return {"integer": True, "start": low, "stop": low + draw(st.integers(0, 6))}
    start = draw(EDGE)
    stop = draw(EDGE)
    return {"bins": draw(st.integers(0, 12)), "start": start, "stop": stop, "log": kind == "log"}


@st.composite
def described(draw):
    profile = {"profile": "y"} if draw(st.integers(0, 3)) == 0 else {}
    each = [draw(axis(name)) for name in draw(st.sampled_from(["x", "xy", "xyx", "xyyx"]))]
    regions = ["w" if _of_text(t) else name for t, name in zip(each, "xyyx", strict=False)]
    if len(each) == 1:
        return {"observable": regions[0], **each[0], **profile}
    keys = {"edges": [], "categories": [], "bins": 0, "start": 0, "stop": 0}
    keys |= {"integer": False, "log": False}
    both = {key: [t.get(key, missing) for t in each] for key, missing in keys.items()}
    return {"observable": regions, **both, **profile}


def _of_text(table):
    return isinstance(table.get("categories", [0])[0], str)


@st.composite
def tables(draw):
    histograms = draw(st.dictionaries(NAMES, described(), min_size=1, max_size=3))
    samples = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    made = {name: {"files": ["f.root"], "data": draw(st.booleans())} for name in samples}
    table = {
        "workflow": "hep",
        "name": draw(NAMES),
        "select": "any.module:select",
        "columns": ["x"],
        "normalisation": "none",
        "variations": draw(st.lists(NAMES, max_size=2)),
        "samples": made,
        "histograms": histograms,
    }
    if draw(st.booleans()):
        fit = {
            "signal": draw(st.sampled_from(samples)),
            "regions": [draw(st.sampled_from(list(histograms)))],
            "rebin": draw(st.integers(1, 3)),
        }
        if draw(st.booleans()):
            fit["start"] = draw(EDGE)
        if table["variations"] and draw(st.booleans()):
            fit["systematics"] = {"x": {"up": draw(st.sampled_from(table["variations"]))}}
        table["fit"] = fit
    return table


def counted(axes, columns, weights):
    """Contents with what lies outside, the plain way."""
    places, shape = [], []
    for a in axes:
        values = columns[a.observable]
        if a.categories:
            at = [a.categories.index(v) if v in a.categories else a.bins for v in values]
            shape.append(a.bins + 1)
        else:
            edges = np.array(a.boundaries)
            at = np.searchsorted(edges, values, side="right")
            shape.append(a.bins + 2)
        places.append(np.asarray(at, int))
    out = np.zeros(shape)
    np.add.at(out, tuple(places), weights)
    return out


def close_to_an_edge(axes, columns):
    """Whether rounding may decide: at a computed edge the library's own arithmetic counts."""
    for a in axes:
        if not a.categories and not a.edges and not a.integer:
            edges, values = np.array(a.boundaries), columns[a.observable]
            if (np.abs(values[:, None] - edges) <= 1e-9 * np.abs(edges) + 1e-300).any():
                return True
    return False


def accepted(table):
    """The spec; none if it is refused, in one line."""
    said = ""
    try:
        return parse(HepSpec, table, where="spec")
    except SpecError as error:
        said = str(error)
    assert "\n" not in said
    return None


@settings(
    deadline=None,
    max_examples=settings().max_examples // 2,
    suppress_health_check=list(HealthCheck),
)
@given(tables(), st.lists(NUMBERS, max_size=12), st.randoms(use_true_random=False))
def test_a_random_spec_is_refused_in_a_line_or_gives_numpys_numbers(table, x, random):
    spec = accepted(table)
    if spec is None:
        return
    x = np.array(x, float)
    columns = {
        "x": x,
        "y": np.array([random.choice([-1.0, 0.25, 5.5]) for _ in x]),
        "w": np.array([random.choice([*CATEGORIES, "other"]) for _ in x], dtype=np.str_),
    }
    weights = np.array([random.choice([0.5, 1.0, 2.0, -1.0]) for _ in x])
    total = None
    for sample in spec.samples:
        varied = spec.variations_of(sample)
        own = None if spec.samples[sample].data else weights
        found = {
            region: Observable(
                v,
                own,
                variations={n: Observable(v, (k + 2) * weights) for k, n in enumerate(varied)},
            )
            for region, v in columns.items()
            if region != "w" or histogram.texts(spec.histograms)
        }
        part = fills.filled(
            sample, found, spec.histograms, events=9, variations=varied, titles=spec.titles
        )
        total = part if total is None else histogram.merge(total, part)
    result = histogram.normalised(total, spec)
    if spec.fit:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = replace(result, likelihood=fit(result))
    arrays = histogram.arrays(result)
    for sample, name in product(spec.samples, spec.histograms):
        axes = spec.histograms[name].axes(name)
        if close_to_an_edge(axes, columns):
            continue
        own = np.ones(len(x)) if spec.samples[sample].data else weights
        key = "sums_of_weights" if spec.histograms[name].profile else "values"
        np.testing.assert_allclose(arrays[f"{sample}/{name}/{key}"], counted(axes, columns, own))
        for k, variation in enumerate(spec.variations_of(sample)):
            if variation in spec.variations_of(sample)[k + 1 :]:
                continue
            title = spec.titles[name, variation]
            expected = counted(axes, columns, (k + 2) * weights)
            np.testing.assert_allclose(arrays[f"{sample}/{title}/{key}"], expected)
    for line in DOMAIN.warnings(result):
        assert "\n" not in line
    json.loads(as_json(DOMAIN.summary(result)))
    saved = dict(DOMAIN.files(result))
    json.loads(saved["histograms.json"])
    with uproot.open(io.BytesIO(saved["histograms.root"])) as file:
        made = [key for key in file.keys(cycle=False) if "/" in key]
    assert len(made) == len(result.histograms)


@settings(deadline=None, max_examples=settings().max_examples // 2)
@given(st.floats(-1e3, 1e3), st.floats(1e-6, 1e3), st.integers(1, 60), st.data())
def test_a_fit_from_any_edge_takes_all_that_is_above_it(start, width, bins, data):
    from spectrum_workflows.hep.spec.axes import HistogramSpec
    from spectrum_workflows.hep.spec.fit import FitSpec
    from spectrum_workflows.hep.spec.fit_check import binning

    assume(width / bins > 1e-4 * abs(start))
    axis = HistogramSpec(bins=bins, start=start, stop=start + width).axes("h")[0]
    k = data.draw(st.integers(0, bins - 1))
    digits = data.draw(st.sampled_from(["{!r}", "{:.12g}", "{:.15e}"]))
    given_start = float(digits.format(axis.boundaries[k]))
    found = binning(FitSpec(signal="s", regions=("h",), start=given_start), axis, "h")
    assert (found.first, found.last) == (k, bins)
