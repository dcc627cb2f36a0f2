"""Workers compare the session's code with their own before they compute."""

import importlib
import operator
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

sys.path.insert(0, str(Path(__file__).parent))
import items as kit

from spectrum_workflows import domain, engine, front, load_site
from spectrum_workflows.code_identity import Code, Module, code_of
from spectrum_workflows.domain import Domain, Plan
from spectrum_workflows.engine import Reduction, Run, Shuffle, confirming
from spectrum_workflows.errors import OtherCodeError
from spectrum_workflows.sites import Place
from spectrum_workflows.specs import FrozenModel

Lab = Callable[[str], Code]


def look_below(folder: str) -> None:
    """Put a folder on the path of this process."""
    sys.path.insert(0, folder)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dask_client: Client) -> Lab:
    """A package on the path of session and workers; writing it anew gives its code."""
    name = f"lab_{tmp_path.name}".replace("-", "_")
    monkeypatch.syspath_prepend(str(tmp_path))
    dask_client.run(look_below, str(tmp_path))

    def write(text: str) -> Code:
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        dask_client.run(importlib.invalidate_caches)
        return code_of(whole=(name,))

    return write


def one(_item: kit.Item) -> int:
    return 1


def pieces(_item: kit.Item) -> list[int]:
    return [1]


def joined(_number: int, parts: list[int]) -> int:
    return sum(parts)


def run_of(client: Client, on_error: domain.OnError) -> Run[kit.Item]:
    return Run(tuple(kit.items(3)), client, on_error, lambda *_: None, "confirming")


# Once in some whole suites two workers that were just started compute nothing for five minutes;
# why is not known, so what stands here is asked by `make long`.
@pytest.mark.long
@pytest.mark.parametrize("on_error", ["raise", "keep"])
@pytest.mark.parametrize("of", ["reduction", "shuffle"])
def test_a_worker_with_another_version_computes_nothing(
    lab: Lab, dask_client: Client, on_error: domain.OnError, of: str
) -> None:
    """Also where failures are kept: it would fail at once, and take all that is left."""
    code, run = lab("x = 1"), run_of(dask_client, on_error)
    lab("x = 2")
    compute = {
        "shuffle": partial(run.shuffle, "first", Shuffle(pieces, joined, 1)),
        "reduction": partial(run.over, "first", Reduction(one, operator.add)),
    }
    with confirming(code), pytest.raises(OtherCodeError, match="lab_.* is another version here"):
        compute[of]()


def test_a_worker_with_the_same_code_computes(lab: Lab, dask_client: Client) -> None:
    code = lab("x = 3")
    lab("x = 3  # as it was")
    with confirming(code):
        assert run_of(dask_client, "raise").over("first", Reduction(one, operator.add)) == 3


class Question(FrozenModel):
    workflow: str = "any"
    name: str = "little"


def computing(spec: Question, plan: Plan, *, client: Client, **_: Any) -> tuple[int, Any]:
    """What every science does: some function over partitions, on the client's workers."""
    parts = engine.each(one, plan.partitions, client=client)
    value, metrics = engine.merged(parts, operator.add)
    return value, metrics


def test_a_run_of_any_science_compares_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dask_client: Client
) -> None:
    own = Domain(
        name="any",
        spec=Question,
        inputs=lambda *_: [],
        plan=lambda *_, **__: Plan(tuple(kit.items(3)), 0, 0),
        run=computing,
        arrays=lambda result: {"x": np.array([float(result)])},
        summary=lambda _: {},
    )
    same, asked = code_of("spectrum_workflows.domain.plan"), []
    strange = Code((Module("spectrum_workflows.domain.plan", "0" * 64, "0" * 64),))

    def code(module: str) -> Code:  # this file is on no path of the workers
        asked.append(module)
        return same if len(asked) == 1 else strange

    monkeypatch.setattr("spectrum_workflows.domain.get", lambda _: own)
    place = Place(load_site("serial"), str(tmp_path), str(tmp_path / "r"), dask_client)
    monkeypatch.setattr(front, "science_code", code)
    assert front.run(Question(), place, watch=False).result == 3
    with pytest.raises(OtherCodeError, match=r"domain\.plan is another version here"):
        front.run(Question(), place, watch=False)
    assert asked == [Question.__module__] * 2
    assert front.run(Question(), replace(place, client=None), watch=False).result == 3
