"""Limits where the errors of the simulation are as large as what is expected."""

import warnings
from typing import Any

import pytest

from spectrum_workflows import hep
from spectrum_workflows.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")

TAKEN = r"simulation's errors in the bins of the signal take in any signal; generate more events"


def counting(signal: list[float], errors: list[float], **range_: Any) -> dict[str, Any]:
    """Bins of a background of 20 and a signal, with relative errors of their sum."""
    background = [20.0] * len(signal)
    total = [e * (s + b) for e, s, b in zip(errors, signal, background, strict=True)]

    def sample(name: str, content: list[float], error: list[float], *more: Any) -> dict[str, Any]:
        statistics = {"name": "staterror_n", "type": "staterror", "data": error}
        return {"name": name, "data": content, "modifiers": [*more, statistics]}

    factor = {"name": "mu", "type": "normfactor", "data": None}
    none = [0.0] * len(signal)
    samples = [sample("signal", signal, none, factor), sample("background", background, total)]
    parameters = [{"name": "mu", **range_}] if range_ else []
    return {
        "channels": [{"name": "n", "samples": samples}],
        "observations": [{"name": "n", "data": background}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }


@pytest.mark.parametrize("error", [1.0, 0.3, 2.0])
@pytest.mark.parametrize("range_", [{}, {"bounds": [[0.0, 1000.0]]}])
def test_where_errors_take_in_any_signal_there_is_no_limit(error: float, range_: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=TAKEN):
            hep.limit(counting([10.0], [error], **range_))


def test_smaller_errors_leave_a_limit() -> None:
    """Of 20 %: a factor of 0 would cost 25, and the band of +2 σ asks for 13.4."""
    found = hep.limit(counting([10.0], [0.2], bounds=[[0.0, 1000.0]]))
    assert 1 < found.expected[2] < found.expected[4] < 1000


def test_one_good_bin_is_enough() -> None:
    found = hep.limit(counting([10.0, 10.0], [1.0, 0.05]))
    alone = hep.limit(counting([10.0], [0.05]))
    assert found.expected[2] == pytest.approx(alone.expected[2], rel=0.1)


def test_a_small_signal_is_another_reason() -> None:
    with pytest.raises(DataError, match="let the signal's cross section be larger") as raised:
        hep.limit(counting([0.1], [0.05]))
    assert "take in" not in str(raised.value)
