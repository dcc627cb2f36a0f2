"""Digest, record and comparison."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows.domain import Domain, Plan
from spectrum_workflows.record.comparing import compare_arrays
from spectrum_workflows.record.digest import digest
from spectrum_workflows.record.machine import machine


def test_digest_by_its_definition() -> None:
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    total = hashlib.sha256(b"a\0<f8\0(2, 2)\0" + a.astype("<f8").tobytes())
    assert digest({"a": a}) == total.hexdigest()


def test_digest_does_not_depend_on_layout_or_order() -> None:
    a, b = np.arange(6.0).reshape(2, 3), np.ones(2)
    assert digest({"a": a, "b": b}) == digest({"b": b, "a": np.asfortranarray(a)})
    assert digest({"a": a}) == digest({"a": a.astype(">f8")})


def test_one_zero_and_one_nan() -> None:
    other_nan = np.frombuffer(np.array([0x7FF8000000000001], "<u8").tobytes(), "<f8")
    assert digest({"a": np.array([0.0, np.nan])}) == digest({"a": np.r_[-0.0, other_nan]})


@given(st.integers(0, 9), st.sampled_from([1e-16, -1e-16, 1e-13]))
def test_nothing_is_rounded(where: int, change: float) -> None:
    a = np.linspace(0.5, 0.9, 10)
    b = a.copy()
    b[where] = np.nextafter(b[where], np.sign(change) * 2)
    assert digest({"a": a}) != digest({"a": b})


def test_name_and_shape_count() -> None:
    a = np.ones(4)
    assert len({digest({"a": a}), digest({"b": a}), digest({"a": a.reshape(2, 2)})}) == 3


@pytest.fixture
def science() -> Domain:
    """A domain whose only rule is a relative tolerance of 1e-12."""

    def deviation(name: str, a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
        return float(np.max(np.abs(a - b) / np.abs(a))), 1e-12

    unused = "inputs run arrays summary files pictures read plot make"
    nothing = dict.fromkeys(unused.split())
    return Domain(
        name="test", spec=object, plan=lambda *_: Plan((), 0, 0), deviation=deviation, **nothing
    )


@pytest.mark.parametrize(
    ("change", "verdict"), [(0.0, "identical"), (1e-13, "equivalent"), (1e-5, "different")]
)
def test_verdicts(science: Domain, change: float, verdict: str) -> None:
    a = {"x": np.linspace(1, 2, 10)}
    found = compare_arrays(science, a, {"x": a["x"] * (1 + change)})
    assert found.verdict == verdict
    assert ("x" in found.deviations) == (change > 0)


def test_other_names_or_shapes_are_different(science: Domain) -> None:
    a = {"x": np.ones(3)}
    assert compare_arrays(science, a, {"y": np.ones(3)}).verdict == "different"
    assert compare_arrays(science, a, {"x": np.ones(4)}).verdict == "different"
    assert compare_arrays(science, a, {"x": np.full(3, np.nan)}).verdict == "different"


def test_machine_says_what_decides_the_bits() -> None:
    found = machine()
    assert found["cpu_features"]
    assert found["versions"]["numpy"] == np.__version__
