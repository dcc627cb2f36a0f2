"""Energy and carbon: units, ranges, and that parts sum up to the whole."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.accounting import (
    Energy,
    Intensity,
    Power,
    carbon_of,
    energy_of,
    per_core,
)
from spectrum_workflows.accounting.energy import PARTLY_MEASURED
from spectrum_workflows.errors import SpecError


def test_units_by_hand() -> None:
    # a core of 7 W for an hour: 7 Wh, 25,200 J, 0.007 kWh; at 100 g/kWh 0.7 g
    energy = energy_of(cpu_seconds=3600.0, watts_per_core=7.0)
    assert energy.joules == pytest.approx(25_200.0, rel=1e-12)
    assert energy.kwh == pytest.approx(0.007, rel=1e-12)
    carbon = carbon_of(energy, Intensity(100.0, "grid", "2026"))
    assert carbon.grams == pytest.approx(0.7, rel=1e-12)
    assert (carbon.low, carbon.high) == pytest.approx((0.525, 0.875), rel=1e-12)


def test_a_building_takes_its_share() -> None:
    assert energy_of(cpu_seconds=10, watts_per_core=5, pue=1.2).joules == pytest.approx(60.0)


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=8))
def test_the_model_adds_up_whatever_the_ranks(seconds: list[float]) -> None:
    power = Power(7.0, 4.0, 12.0, "table")
    parts = [energy_of(cpu_seconds=s, watts_per_core=power) for s in seconds]
    total = sum(parts[1:], parts[0])
    whole = energy_of(cpu_seconds=math.fsum(seconds), watts_per_core=power)
    assert total.joules == pytest.approx(whole.joules, rel=1e-12)
    assert (total.low, total.high) == pytest.approx((whole.low, whole.high), rel=1e-12)
    assert (total.method, total.source) == ("modelled", "table")


def test_what_is_partly_measured_says_so() -> None:
    measured = Energy(10.0, 9.0, 11.0, "measured", "RAPL")
    total = measured + energy_of(cpu_seconds=1.0, watts_per_core=per_core(4.0))
    assert (total.joules, total.method) == (14.0, PARTLY_MEASURED)
    assert total.source == "RAPL; stated"


def test_powers_of_a_core_and_its_memory_add_up() -> None:
    both = Power(4.0, 2.0, 5.0, "table") + Power(1.0, 0.5, 2.0, "memory")
    assert both == Power(5.0, 2.5, 7.0, "table; memory")


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_seconds_that_cannot_be(seconds: float) -> None:
    with pytest.raises(SpecError, match="CPU seconds cannot be"):
        energy_of(cpu_seconds=seconds, watts_per_core=4.0)


@pytest.mark.parametrize("watts", [-4.0, math.nan, math.inf])
def test_watts_that_cannot_be(watts: float) -> None:
    with pytest.raises(SpecError, match="watts of a core cannot be"):
        energy_of(cpu_seconds=1.0, watts_per_core=watts)


@pytest.mark.parametrize("pue", [0.0, 0.99, -1.0, math.nan, math.inf])
def test_a_pue_that_cannot_be(pue: float) -> None:
    with pytest.raises(SpecError, match="PUE"):
        energy_of(cpu_seconds=1.0, watts_per_core=4.0, pue=pue)


def test_an_intensity_that_cannot_be() -> None:
    with pytest.raises(SpecError, match="per kWh cannot be -1"):
        carbon_of(Energy(1.0, 1.0, 1.0, "measured", "x"), Intensity(-1.0, "x", "2026"))
