"""What select may return, and what is said of everything else."""

import datetime
from decimal import Decimal

import awkward as ak
import hist
import numpy as np
import pytest

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.select.observables import check_region, check_regions
from spectrum_workflows.hep.types import Observable

THREE = np.arange(3.0)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, r"returned nothing \(None\), not a dict of regions; return a dict"),
        ([1.0], "returned a list"),
        (({"h": THREE}, 1), "returned a tuple"),
        ((x for x in ()), "returned a generator"),
        (THREE, "returned a ndarray"),
        (ak.Array([{"h": 1.0}]), "returned a Array"),
        ({1: THREE}, "a region called 1, which is not text"),
        ({("a", "b"): THREE}, "which is not text"),
    ],
)
def test_what_is_no_dict_of_regions_is_said_so(returned, said):
    with pytest.raises(DataError, match=said):
        check_regions(returned)


WRONG = {
    "missing": (None, "region 'h.*' is None"),
    "ak_none": (ak.Array([1.0, None, 3.0]), "holds 1 missing values"),
    "masked": (np.ma.masked_greater(THREE, 1), "holds 1 missing values"),
    "mask": (np.array([True, False]), "holds true or false; is it a mask"),
    "ak_mask": (ak.Array([1.0, 2.0]) > 1, "holds true or false; is it a mask"),
    "lists": (ak.Array([[1.0], [2.0, 3.0]]), "a list per event; flatten"),
    "regular": (np.zeros((3, 2)), r"has shape \(3, 2\)"),
    "records": (ak.Array([{"pt": 1.0}]), "records with pt; choose one field"),
    "record": (ak.Array([{"pt": 1.0}])[0], "is a Record"),
    "nested": ({"h": THREE}, "is a dict"),
    "number": (3.0, "is one float"),
    "generator": ((x for x in ()), "is one generator"),
    "text": (["a", "b"], "holds text"),
    "ak_text": (ak.Array(["a", "b"]), "holds (text|a list)"),
    "complex": (1j * THREE, "complex numbers"),
    "dates": ([np.datetime64("2018-01-01")], "holds dates"),
    "spans": ([np.timedelta64(1, "s")], "spans of time"),
    "objects": ([datetime.date(2018, 1, 1)], r"Python objects \(date\)"),
    "histogram": (hist.Hist.new.Reg(3, 0, 1).Double(), r"is a histogram \(Hist\)"),
    "decimals": ([Decimal(1)], r"Python objects \(Decimal\)"),
    "none_in_list": ([1.0, None], r"Python objects \(NoneType, float\)"),
    "uneven": ([[1.0], [1.0, 2.0]], "is no array"),
    "structured": (np.zeros(2, [("a", float)]), "holds records"),
    "nan": ([1.0, np.nan], "1 numbers that are not finite"),
    "inf": (np.array([np.inf, -np.inf], np.float32), "2 numbers that are not finite"),
    "long": (np.array([1e300], np.longdouble) * 1e300, "not finite"),
    "beyond": (np.array([2**53 + 1]), r"beyond 2\*\*53"),
    "beyond_u": (np.array([2**64 - 1], np.uint64), r"beyond 2\*\*53"),
    "beyond_n": (np.array([-(2**63)]), r"beyond 2\*\*53"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("place", ["values", "weights", "variation"])
def test_what_is_not_one_number_per_event_is_refused(name, place):
    given, said = WRONG[name]
    if (place, name) == ("weights", "missing"):
        return  # no weights
    found = {
        "values": given,
        "weights": Observable(THREE, given),
        "variation": Observable(THREE, variations={"up": given}),
    }[place]
    with pytest.raises(DataError, match=said):
        check_region("h", found)


@pytest.mark.parametrize(
    "given",
    [
        [1, 2, 3],
        (1.0, 2.0, 3.0),
        np.array([1, 2, 3], np.uint8),
        np.array([1, 2, 3], np.float16),
        np.array([1, 2, 3], ">f4"),
        np.array([1, 2, 3], np.longdouble),
        np.ma.masked_greater([1, 2, 3], 5),
        ak.Array([1, 2, 3]),
        ak.Array([1, 2, 3, None])[:3],
        ak.mask(ak.Array([1.0, 2.0, 3.0]), [True, True, True]),
        np.arange(7)[1:4],
    ],
)
def test_numbers_are_taken_however_they_come(given):
    assert check_region("h", given).values.tolist() == [1, 2, 3]


@pytest.mark.parametrize("none", [[], ak.Array([]), np.zeros(0, bool), np.array([], object)])
def test_no_events_have_no_type(none):
    assert check_region("h", none).values.shape == (0,)
    assert check_region("h", Observable([], none, none)).weights.shape == (0,)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ([0, 1, 3], "holds 3, of 3 events"),
        ([0, 1, -1], "holds -1"),
        ([0.0, 1.0, 2.0], "float64, no whole numbers; positions count"),
        ([True, False, True], "true or false, no whole numbers"),
        ([0, 1], r"shape \(3,\), index \(2,\)"),
        (ak.Array([0, None, 2]), "1 missing"),
        ([[0, 1, 2]], "has shape"),
    ],
)
def test_an_index_is_a_position_in_what_select_was_given(index, said):
    with pytest.raises(DataError, match=said):
        check_region("h", Observable(THREE, index=index), seen=3)
    with pytest.raises(DataError, match=said):
        check_region("h", Observable([], variations={"up": Observable(THREE, index=index)}), seen=3)


def test_several_values_of_one_event_and_any_order_are_allowed():
    found = check_region("h", Observable(THREE, index=[2, 2, 0]), seen=3)
    assert found.index.tolist() == [2, 2, 0]


@pytest.mark.parametrize("weight", [1e101, -1e200])
def test_a_weight_whose_square_overflows_is_refused(weight):
    with pytest.raises(DataError, match="beyond 1e"):
        check_region("h", Observable([1.0], [weight]))


def test_a_weight_for_each_value_is_asked_for():
    with pytest.raises(DataError, match=r"shape \(3,\), weights \(2,\)"):
        check_region("h", Observable(THREE, [1.0, 2.0]))
    with pytest.raises(DataError, match="is one float"):
        check_region("h", Observable(THREE, 0.2))


@pytest.mark.parametrize("variations", [None, [], THREE, "up"])
def test_variations_are_a_dict(variations):
    with pytest.raises(DataError, match="variations of region 'h' are a .*, no dict"):
        check_region("h", Observable(THREE, variations=variations))
