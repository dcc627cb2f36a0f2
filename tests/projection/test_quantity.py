"""Quantities: units as they are written, ranges, and no sum of unlike things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.projection import quantity
from spectrum_workflows.projection.quantity import Quantity, exactly, parsed, readable, unit


@pytest.mark.parametrize(
    ("text", "dimension", "symbol", "value"),
    [
        ("200 Gb/s", quantity.DATA_RATE, "GB/s", 25.0),
        ("5 Tb/s", quantity.DATA_RATE, "GB/s", 625.0),
        ("1.78 TB", quantity.DATA, "B", 1.78e12),
        ("1 TiB", quantity.DATA, "B", 2.0**40),
        ("8 b", quantity.DATA, "B", 1.0),
        ("940_160_174 events", quantity.ITEMS, "items", 940160174.0),
        ("7.5 kHz", quantity.ITEM_RATE, "Hz", 7500.0),
        ("7500 events/s", quantity.ITEM_RATE, "kHz", 7.5),
        ("20 min", quantity.TIME, "s", 1200.0),
        ("1 d", quantity.TIME, "h", 24.0),
        ("1e9 CPU-h", quantity.CPU_TIME, "CPU-s", 3.6e12),
        ("2 kB/event", quantity.DATA_PER_ITEM, "B/item", 2000.0),
        ("3.6 MJ", quantity.ENERGY, "kWh", 1.0),
        ("10 W/core", quantity.POWER_PER_CORE, "kW/core", 0.01),
        ("0.5", quantity.NUMBER, "", 0.5),
    ],
)
def test_units_are_what_their_symbols_say(
    text: str, dimension: quantity.Dimension, symbol: str, value: float
) -> None:
    assert parsed(text, dimension).to(symbol)[1] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "dimension", "problem"),
    [
        ("200 Gb", quantity.DATA_RATE, "an amount of data; write a data rate such as '200 Gb/s'"),
        ("200 GB/s", quantity.DATA, "this is a data rate; write an amount of data"),
        ("1.78", quantity.DATA, "this is a number; write an amount of data such as '1.78 TB'"),
        ("10 W", quantity.POWER_PER_CORE, "this is power; write power per core"),
        ("5 TB", quantity.ITEMS, "write a number of events or visibilities"),
        ("20 Min", quantity.TIME, "no unit is called 'Min' .did you mean min"),
        ("5 tb/s", quantity.DATA_RATE, "did you mean TB or Tb"),
        ("5 furlongs", quantity.DATA, "no unit is called 'furlongs'"),
        ("1 TB/", quantity.DATA, "no unit is called ''"),
        ("-5 TB", quantity.DATA, "write an amount of data"),
        ("0 TB", quantity.DATA, "more than 0"),
        ("1e400 TB", quantity.DATA, "more than 0 and finite"),
        ("1e308 EB", quantity.DATA, "more than 0 and finite"),
        ("nan TB", quantity.DATA, "write an amount"),
        ("1,780 GB", quantity.DATA, "without separators of thousands"),
        ("", quantity.NUMBER, "write a number"),
    ],
)
def test_another_unit_is_refused_with_the_right_one(
    text: str, dimension: quantity.Dimension, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        parsed(text, dimension)


def test_unlike_things_have_no_sum_and_no_other_unit() -> None:
    data, rate = parsed("1 TB", quantity.DATA), parsed("1 GB/s", quantity.DATA_RATE)
    with pytest.raises(TypeError, match="an amount of data and a data rate: no sum"):
        data + rate
    with pytest.raises(TypeError, match="this is an amount of data, not a data rate"):
        data.to("Gb/s")
    assert (data / rate).to("s") == pytest.approx((1000.0, 1000.0, 1000.0))
    assert (data + data).to("TB") == (2.0, 2.0, 2.0)


POSITIVE = st.floats(1e-6, 1e6)
RANGES = st.tuples(POSITIVE, POSITIVE, POSITIVE).map(sorted)


@given(RANGES, RANGES, st.floats(0, 1), st.floats(0, 1))
def test_ranges_hold_every_combination(a: list[float], b: list[float], s: float, t: float) -> None:
    first, second = Quantity(*a, quantity.DATA), Quantity(*b, quantity.TIME)
    x, y = a[0] + s * (a[2] - a[0]), b[0] + t * (b[2] - b[0])
    product, ratio = first * second, first / second
    assert product.low * (1 - 1e-9) <= x * y <= product.high * (1 + 1e-9)
    assert ratio.low * (1 - 1e-9) <= x / y <= ratio.high * (1 + 1e-9)


@pytest.mark.parametrize(
    "values", [(2, 1, 3), (0, 1, 2), (1, 2, float("inf")), (1, float("nan"), 2)]
)
def test_what_is_no_range_is_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="not a range"):
        Quantity(*values, quantity.DATA)


def test_people_read_prefixes_and_ranges() -> None:
    assert readable(exactly(25e9, quantity.DATA_RATE)) == "200 Gb/s"
    assert readable(Quantity(100, 2000, 30_000, quantity.CORES)) == "2,000 cores (100 to 30,000)"
    assert readable(exactly(1.78e12, quantity.DATA)) == "1.8 TB"
    assert readable(exactly(0.25, quantity.NUMBER)) == "0.25"


def test_every_kind_of_quantity_has_an_example_that_is_one() -> None:
    for dimension, (_, example) in quantity.EXAMPLES.items():
        assert parsed(example, dimension).dimension == dimension
    assert unit("").dimension == quantity.NUMBER
