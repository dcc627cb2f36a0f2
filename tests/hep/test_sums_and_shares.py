"""Numbers whose truth is known: sums of weights, luminosity, envelopes, cut flows, recoil."""

import math
from dataclasses import replace

import awkward as ak
import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import cut_flow, luminosity, normalisation
from spectrum_workflows.hep.completeness import missing, processed_weight
from spectrum_workflows.hep.envelopes import up_and_down
from spectrum_workflows.hep.fit import possible
from spectrum_workflows.hep.fit.smoothing import running_medians, smoothed
from spectrum_workflows.hep.luminosity import luminosity_table
from spectrum_workflows.hep.normalisation import Generated, sum_of_weights
from spectrum_workflows.hep.objects.declared import Chain, Met
from spectrum_workflows.hep.objects.inputs import packed
from spectrum_workflows.hep.objects.met import follow, instead, recoil
from spectrum_workflows.hep.select.event_filters import BLOCKS, GoodRuns
from spectrum_workflows.hep.spec.weights import GeneratorWeightSpec
from spectrum_workflows.hep.types import Events, FileRead, Filled
from spectrum_workflows.hep.types.luminosity import Blocks

# Generator weights

weights = st.lists(st.sampled_from([-1.0, 0.5, 1.0, 3.0]), min_size=1, max_size=20)


@given(weights)
@settings(max_examples=60)
def test_sums_tell_whether_weights_are_equal(weights):
    """By Cauchy and Schwarz, whatever the common weight is."""
    w = np.array(weights)
    generated = Generated(float(w.sum()), float((w**2).sum()), len(w))
    assert generated.equal is (len({*weights}) == 1)


@pytest.mark.parametrize(
    ("generated", "equal"),
    [
        (Generated(), None),
        (Generated(10.0), None),
        (Generated(10.0, events=0), None),
        (Generated(10.0, events=10), True),
        (Generated(9.0, events=10), None),
    ],
)
def test_without_squares_only_weights_of_one_are_known(generated, equal):
    assert generated.equal is equal


@pytest.mark.parametrize(
    ("generated", "says"),
    [
        (Generated(), "no Runs tree with genEventSumw, .*; use files that have one"),
        (Generated(0.0, runs=0), "has 5 events, but its Runs tree is empty; make the file again"),
        (Generated(math.nan, runs=1), "its sum of generator weights is nan; make the file again"),
        (Generated(math.inf, runs=1), "its sum of generator weights is inf"),
    ],
)
def test_a_file_that_does_not_say_what_it_stands_for(generated, says):
    with pytest.raises(DataError, match=says) as caught:
        sum_of_weights(generated, "f.root", entries=5)
    assert caught.value.where == "f.root"


def test_a_file_may_have_a_negative_sum():
    assert sum_of_weights(Generated(-3.0, runs=1), "f", entries=5) == -3.0
    assert sum_of_weights(Generated(0.0, runs=0), "f", entries=0) == 0.0


@pytest.mark.parametrize("number", [0.0, -1.0, math.nan, math.inf])
def test_a_sample_needs_a_positive_sum(number):
    with pytest.raises(DataError, match=r"samples\.s: .* is .*; check the Runs trees"):
        normalisation.check_total("s", number)


def remarks(*files, by="events"):
    return normalisation.warnings("s", by, [(f"{k}", n, g) for k, (n, g) in enumerate(files)])


def test_a_skim_says_by_how_much_yields_are_too_high():
    [line] = remarks((50, Generated(events=100)), (50, Generated(events=100)), (9, Generated()))
    assert "divides by the 100 events in its files" in line
    assert "count 200 generated (0: 50 of 100): yields are 2 times too high" in line
    assert "yields are too high" in remarks((0, Generated(events=100)))[0]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ((100, Generated(1000.0, mean=5.0)), True),
        ((100, Generated(1000.0, mean=10.0)), False),
        ((100, Generated(1000.0)), False),
        ((0, Generated(1000.0)), True),
        ((0, Generated(-1000.0)), False),
        ((100, Generated(1000.0, events=100, mean=10.0)), False),
    ],
)
def test_a_sum_that_the_events_do_not_have_is_said(file, said):
    lines = remarks(file)
    assert any("sum of weights of 1000" in line for line in lines) is said


def test_more_events_than_were_generated_is_said_however_it_is_normalised():
    file = (101, Generated(100.0, events=100))
    for by in ("events", "genweight"):
        [line] = remarks(file, by=by)
        assert "0 has 101 events, but its Runs tree counts 100 generated" in line


def test_weights_that_are_left_out_are_said():
    [line] = remarks((10, Generated(negative=0.25)))
    assert "of which 25 % are negative (0)" in line
    [line] = remarks((10, Generated(15.0, 25.0, 10)))
    assert "which differ from event to event (0)" in line
    assert remarks((10, Generated(negative=0.25)), by="genweight") == []
    assert remarks((10, Generated(20.0, 40.0, 10))) == []


# What is in a result

FILES = {("s", "x"): FileRead(30, 40, 100.0), ("s", "y"): FileRead(0, 0, 50.0)}


def part(url, start, stop):
    return Events("s", url, "Events", start, stop, "", 0)


def test_a_file_that_was_lost_in_part_counts_with_its_share():
    assert processed_weight(Filled({}, {}, {}, FILES), "s") == 100.0 * 30 / 40 + 50.0
    assert processed_weight(Filled({}, {}, {}, FILES), "t") == 0.0


def test_what_is_missing_of_files_is_listed():
    planned = [part("x", 0, 30), part("x", 30, 40), part("z", 0, 5), part("z", 5, 9)]
    lines = [file.words for file in missing(FILES, planned)]
    assert lines == ["s: 30 of 40 events of x", "s: 0 of 9 events of z"]
    with pytest.raises(DataError, match="41 events were counted of 40 in the file; .* report it"):
        missing({("s", "x"): FileRead(41, 40)}, planned)


# Luminosity

HEADER = "#run:fill,ls,recorded(/{})\n"


@pytest.mark.parametrize(
    ("unit", "value"), [("b", 1e-12), ("mb", 1e-9), ("ub", 1e-6), ("nb", 1e-3), ("fb", 1e3)]
)
def test_every_unit_is_one_of_inverse_picobarns(unit, value):
    table = luminosity_table(f"{HEADER.format(unit)}1:2,3:3,7\n".encode(), where="t")
    assert table.place.tolist() == [BLOCKS + 3]
    assert table.recorded.tolist() == [7 * value]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1:2,3:3,7", "no header"),
        (HEADER.format("xb") + "1:2,3:3,7", r"no column recorded\(\.\.\.\) of a known unit \(/b, "),
        ("#run:fill,time,recorded(/ub)\n", "no column recorded"),
        (HEADER.format("ub"), "holds no luminosity block"),
        (HEADER.format("ub") + "1:2,3:3,7\n1:2,3:3,8", "run 1, block 3 is there twice; keep one"),
        (HEADER.format("ub") + "1:2,3:3,nan", "holds a number that cannot be"),
        (HEADER.format("ub") + "1:2,3:3,-1", "holds a number that cannot be"),
        (HEADER.format("ub") + "-1:2,3:3,1", "holds a number that cannot be"),
        (HEADER.format("ub") + "1:2,3:3", "not a line of a luminosity block"),
        (HEADER.format("ub") + "a:2,3:3,7", "not a line of a luminosity block"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(text, says):
    with pytest.raises(DataError, match=says) as caught:
        luminosity_table(text.encode(), where="lumi.csv")
    assert caught.value.where.startswith("lumi.csv")
    assert caught.value.remedy


def test_blocks_in_which_the_detector_took_nothing_have_no_place():
    text = HEADER.format("pb") + "1:2,0:0,7\n\n1:2,4:0,5\n1:2,3:3,1\n#Summary\n"
    table = luminosity_table(text.encode(), where="t")
    assert table.place.tolist() == [BLOCKS + 3]


pairs = st.dictionaries(st.integers(0, 9), st.integers(0, 9), max_size=8)


def blocks(of, listed=True):
    place = np.array(sorted(of), np.int64)
    events = np.array([of[p] for p in place], np.int64)
    return Blocks(place, events, events // 2, listed)


@given(pairs, pairs)
@settings(max_examples=60)
def test_blocks_of_two_files_are_added_block_by_block(a, b):
    both = blocks(a).beside(blocks(b, listed=False))
    assert both.place.tolist() == sorted({*a, *b})
    assert both.events.tolist() == [a.get(p, 0) + b.get(p, 0) for p in sorted({*a, *b})]
    assert both.read.tolist() == [a.get(p, 0) // 2 + b.get(p, 0) // 2 for p in sorted({*a, *b})]
    assert not both.listed
    swapped = blocks(b, listed=False).beside(blocks(a))
    np.testing.assert_array_equal(swapped.events, both.events)


def test_luminosity_is_that_of_good_blocks_times_the_share_that_was_read():
    text = HEADER.format("pb") + "".join(f"1:2,{ls}:{ls},{10**ls}\n" for ls in (1, 2, 3, 4))
    table = luminosity_table(text.encode(), where="t")
    good = GoodRuns(np.array([BLOCKS + 1]), np.array([BLOCKS + 3]))
    place = np.array([BLOCKS + ls for ls in (1, 2, 4, 7)])
    read = Blocks(place, np.array([4, 4, 4, 4]), np.array([4, 1, 4, 4]))
    files = {("d", "x"): replace(FileRead(9, 9), blocks=read), ("d", "y"): FileRead(1, 1)}
    of = luminosity.processed(files, table, good)["d"]
    assert of.processed == pytest.approx(10 + 100 / 4)
    assert of.certified == pytest.approx(10 + 100 + 1000)
    assert (of.blocks, of.parts) == (2, 1)
    everywhere = luminosity.processed(files, table, None)["d"]
    assert everywhere.processed == pytest.approx(10 + 100 / 4 + 10_000)
    assert (everywhere.blocks, everywhere.unlisted) == (4, 1)


# Templates of sets of weights

NOMINAL = [4.0, 10.0, 1.0]
MEMBERS = [[5.0, 9.0, 1.0], [3.0, 9.0, 1.0], [4.0, 12.0, 1.0], [4.0, 10.0, 4.0]]


def histogram(values):
    h = hist.Hist(hist.axis.Regular(1, 0, 1), storage=hist.storage.Weight())
    h.view(flow=True)["value"], h.view(flow=True)["variance"] = values, np.square(values)
    return h


def spec_of(kind):
    return GeneratorWeightSpec(column="LHEPdfWeight", kind=kind, members=[*range(4)])


@pytest.mark.parametrize(
    ("kind", "up", "down"),
    [
        ("envelope", [5.0, 12.0, 4.0], [3.0, 9.0, 1.0]),
        ("hessian", NOMINAL + np.sqrt([2, 6, 9]), NOMINAL - np.sqrt([2, 6, 9])),
        (
            "replicas",
            NOMINAL + np.std(MEMBERS, axis=0, ddof=1),
            NOMINAL - np.std(MEMBERS, axis=0, ddof=1),
        ),
    ],
)
def test_two_templates_of_many_weights(kind, up, down):
    nominal, members = histogram(NOMINAL), [histogram(values) for values in MEMBERS]
    made = up_and_down(nominal, members, spec_of(kind))
    for h, expected in zip(made, (up, down), strict=True):
        np.testing.assert_allclose(h.view(flow=True).value, expected, rtol=1e-14)
        np.testing.assert_array_equal(h.view(flow=True).variance, np.square(NOMINAL))
    np.testing.assert_array_equal(nominal.view(flow=True).value, NOMINAL)


# Cut flows

passes = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.sampled_from([0.5, 1.0, -2.0])),
    max_size=25,
)


@given(passes, st.sampled_from([1.0, 0.25]))
@settings(max_examples=60)
def test_a_cut_flow_is_that_of_the_masks(events, weight):
    """From the fate of every event: which cut it fails first, and whether it fails others."""
    fates = np.zeros((4, 2, 3))
    masks = np.array([e[:3] for e in events], bool).reshape(-1, 3)
    w = np.array([e[3] for e in events])
    for passed, one in zip(masks, w, strict=True):
        first = next((k for k in range(3) if not passed[k]), 3)
        alone = int(first < 3 and passed[first + 1 :].all())
        fates[first, alone] += [1, one, one**2]
    flow = cut_flow._cut_flow(("a", "b", "c"), fates, weight)
    for k in range(4):
        kept = masks[:, :k].all(axis=1)
        assert flow.entries[k] == kept.sum()
        assert flow.yields[k] == pytest.approx(weight * w[kept].sum())
        assert flow.errors[k] == pytest.approx(weight * math.sqrt((w[kept] ** 2).sum()))
    for k in range(3):
        others = np.delete(masks, k, axis=1).all(axis=1)
        assert flow.n_minus_1[k] == pytest.approx(weight * w[others].sum())


# Templates of a fit


@given(st.lists(st.floats(0, 1e6), min_size=3, max_size=30))
@settings(max_examples=60)
def test_medians_of_what_is_not_negative_are_not(values):
    out = running_medians(np.array(values))
    assert out.min() >= 0
    assert out.shape == (len(values),)


@given(st.floats(-5, 5), st.floats(-10, 10), st.integers(3, 20))
@settings(max_examples=40)
def test_medians_leave_a_straight_line_alone(slope, start, n):
    line = start + slope * np.arange(n)
    np.testing.assert_allclose(running_medians(line), line, atol=1e-9)


def test_one_bin_that_stands_out_is_taken_in():
    values = np.ones(11)
    values[5] = 100.0
    np.testing.assert_allclose(running_medians(values)[[0, 5, 10]], 1.0, atol=0.5)


def test_a_change_of_the_yield_alone_is_not_smoothed():
    nominal = np.array([5.0, 1.0, 7.0, 3.0, 9.0])
    np.testing.assert_allclose(smoothed(1.3 * nominal, nominal, 2), 1.3 * nominal, rtol=1e-12)


@given(st.lists(st.floats(0.1, 100), min_size=3, max_size=15), st.integers(1, 3))
@settings(max_examples=40)
def test_smoothing_keeps_the_yield(varied, times):
    nominal = np.linspace(1, 2, len(varied))
    smooth = smoothed(np.array(varied), nominal, times)
    assert smooth.sum() == pytest.approx(np.sum(varied))


@pytest.mark.parametrize(
    ("expected", "data", "says"),
    [
        ([[1.0, 2.0]], [1.0, -1.0], "bin from 1 to 2: -1 events of data; a fit needs counts"),
        ([[1.0, 2.0], [0.0, -3.0]], [1.0, 1.0], "-1 events are expected, fewer than none; merge"),
        ([[0.0, 2.0]], [3.0, 1.0], "bin from 0 to 1: 3 events of data where none is expected"),
        ([[1.0, 2.0]], [math.nan, 1.0], "fit, data, region r: there are bins that are not finite"),
    ],
)
def test_a_region_that_cannot_be_fitted_says_where(expected, data, says):
    channel = {"name": "r", "samples": [{"data": values} for values in expected]}
    with pytest.raises(DataError, match=says):
        possible.check_region(channel, data, np.array([0.0, 1.0, 2.0]))


def test_an_empty_bin_without_data_can_be_fitted():
    channel = {"name": "r", "samples": [{"data": [0.0, 2.0]}]}
    possible.check_region(channel, [0.0, 1.0], np.array([0.0, 1.0, 2.0]))


@pytest.mark.parametrize(
    ("varied", "says"),
    [
        ([0.0, 0.0], "the template is empty where the sample has 4 events"),
        ([1.0, -3.0], "the template has -2 events where the sample has 4 events"),
        ([1.0, math.inf], "not finite"),
    ],
)
def test_a_template_has_a_yield(varied, says):
    with pytest.raises(DataError, match=says):
        possible.ratio(np.array(varied), 4.0, "fit, jes")
    assert possible.ratio(np.array([1.0, 2.0]), 4.0, "fit") == 0.75


# Missing momentum


def objects():
    """Two events with two jets and none."""
    return ak.Array(
        {
            "Jet_pt": ak.values_astype([[40.0, 10.0], []], np.float32),
            "Jet_phi": ak.values_astype([[0.0, math.pi / 2], []], np.float32),
            "MET_pt": np.array([30.0, 20.0], np.float32),
            "MET_phi": np.array([math.pi / 2, 1.0], np.float32),
            "other_pt": np.array([40.0, 20.0], np.float32),
            "other_phi": np.array([math.pi / 2, 1.0 + math.pi], np.float32),
        }
    )


CHAIN = Chain(("Jet_pt",))
MET = Met("MET_pt", "MET_phi", ("jets",), 15.0)


def followed(events, *changes):
    out = follow(events, MET, changes)
    pt, phi = (np.asarray(out[name], np.float64) for name in ("MET_pt", "MET_phi"))
    return pt * np.exp(1j * phi)


@pytest.mark.parametrize(("minimum", "expected"), [(15.0, -8 + 30j), (5.0, -8 + 28j)])
def test_the_missing_momentum_recoils_against_objects_above_a_threshold(minimum, expected):
    """40 GeV along x and 10 GeV along y grow by a fifth."""
    events = packed(objects())
    change = recoil(events, CHAIN, minimum).of(np.array([48.0, 12.0], np.float32))
    assert change[:, 1].tolist() == [0.0, 0.0]
    assert followed(events, change)[0] == pytest.approx(expected, rel=1e-6)


def test_what_does_not_change_is_the_same_to_the_bit():
    events = packed(objects())
    change = recoil(events, CHAIN, 0.0).of(np.array([40.0, 10.0], np.float32))
    out = follow(events, MET, [change])
    for name in ("MET_pt", "MET_phi"):
        assert out[name].tobytes() == np.asarray(events[name]).tobytes()


def test_changes_of_the_missing_momentum_add_up():
    events = packed(objects())
    there = instead(events, MET, "other_pt", "other_phi")
    np.testing.assert_allclose(there[:, 0], [0.0, 10.0], atol=1e-5)
    half = followed(events, there / 2, there / 2)
    assert half[0] == pytest.approx(40j, rel=1e-6)
    assert half[1] == pytest.approx(20 * np.exp(1j * (1 + math.pi)), rel=1e-5)
    nothing = followed(events, there, -there)
    assert abs(nothing - followed(events)).max() < 1e-5
