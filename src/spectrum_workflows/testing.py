"""The proof that a science keeps its contract, for its own tests: ours, or another package's.

::

    from spectrum_workflows import load_spec
    from spectrum_workflows.testing import check_domain

    check_domain(load_spec("example.toml"), tmp_path)
"""

from __future__ import annotations

import inspect
import io
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np

from spectrum_workflows import domain, engine, storage
from spectrum_workflows.checking import check
from spectrum_workflows.domain import Domain, Plan
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.examples import make_data
from spectrum_workflows.front import preflight, run, save
from spectrum_workflows.record import Outcome, compare, damaged, digest, read_record
from spectrum_workflows.sites import Place, Site, connect, load_site

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class Evidence:
    """Evidence that `check_domain` has seen, for what a science's own tests ask further.

    Attributes
    ----------
    outcome : Outcome
        Of the whole run in one process.
    partial : Outcome
        Of the same without one of its partitions.
    folder : str
        Where the first was saved.
    """

    outcome: Outcome
    partial: Outcome
    folder: str


def check_domain(
    spec: Any,
    folder: str | Path,
    *,
    sites: Sequence[str | Site] = ("laptop",),
    client: Client | None = None,
    size: int | None = None,
) -> Evidence:
    """Prove that a registered science keeps the contract of `domain.Domain`.

    Its example data are made, and not made again; a plan computes nothing; one
    process and every cluster give the same result to the bit; what is saved can
    be read back and compared; warnings are lines; and a partition that fails is
    counted once, however many passes the science makes.

    Parameters
    ----------
    spec : model
        From `load_spec`: one that describes synthetic data of at least two
        partitions.
    folder : str or Path
        Of this machine, and of all workers: it gets ``data`` and ``results``.
    sites : sequence of str or Site
        Clusters to compare with one process.
    client : distributed.Client, optional
        Workers that are there already, in the place of ``sites``.
    size : int, optional
        How much data to make; the spec's own, if left out.

    Raises
    ------
    AssertionError
        It does not; the error says in what.
    SpectrumError
        The example cannot be run.
    """
    science = domain.get(spec.workflow)
    data, results = (str(Path(folder) / name) for name in ("data", "results"))
    serial = Place(load_site("serial"), data, results)
    _check_spec(science, spec)
    _check_data(science, spec, serial, size)
    plan = _check_plan(spec, serial)
    outcome = run(spec, serial)
    _check_outcome(outcome, plan)
    saved = save(outcome, serial)
    _check_saved(outcome, saved)
    with ExitStack() as stack:
        clusters = [replace(serial, client=client)] if client else []
        for named in () if client else sites:
            site = load_site(named) if isinstance(named, str) else named
            clusters.append(stack.enter_context(connect(site, data=data, results=results)))
        for place in clusters:
            other = run(spec, place)
            _require(other.plan == plan, "the plan depends on the place")
            _check_same(outcome, other, saved, place)
        without = _check_failures(spec, plan, outcome, [serial, *clusters])
    return Evidence(outcome, without, saved)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _check_spec(science: Domain[Any, Any], spec: Any) -> None:
    _require(science.name == spec.workflow, f"{science.name} is registered as {spec.workflow}")
    _require(type(spec) is science.spec, f"the spec is a {type(spec).__name__}")
    _require(cloudpickle.loads(cloudpickle.dumps(spec)) == spec, "the spec changes on its way")
    _require(isinstance(science.user_code(spec), str), "user_code gives no text")
    for name in science.references(spec):
        _require(isinstance(name, str), f"references gives {name!r}, which is no text")
    if science.converter is not None:
        parameters = inspect.signature(science.converter.convert).parameters
        missing = {"columns", "overwrite", "report"} - parameters.keys()
        _require(not missing, f"convert does not take {', '.join(sorted(missing))}")


def _check_data(science: Domain[Any, Any], spec: Any, place: Place, size: int | None) -> None:
    made = make_data(spec, place, size=size)
    with storage.using(place.stores):
        inputs = science.inputs(spec, place.data)
        _require(sorted(made) == sorted(inputs), f"make wrote {made}, inputs names {inputs}")
        lost = [url for url in inputs if not science.is_there(url)]
        _require(not lost, f"made, and not there: {lost}")
    before = _changed_at(place.data)
    again = make_data(spec, place)
    _require(sorted(again) == sorted(made), "made again, the data have other names")
    _require(_changed_at(place.data) == before, "data that are there were written anew")


def _changed_at(folder: str) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in Path(folder).rglob("*")}


def _check_plan(spec: Any, place: Place) -> Plan:
    plan = check(spec, place).plan
    _require(not Path(place.results).exists(), "a plan wrote results")
    places = [partition.where for partition in plan.partitions]
    _require(len(places) > 1, "the example has less than two partitions: make them smaller")
    _require(len({*places}) == len(places), "two partitions have the same name in `where`")
    _require(all(p.size > 0 for p in plan.partitions), "a partition of the example is empty")
    _require(plan.bytes_to_read > 0, "bytes_to_read is not known")
    _require(plan.largest_memory > 0, "largest_memory is not known")
    _require(bool(plan.inputs), "the plan does not say what the inputs are")
    _check_lines(plan.warnings)
    preflight(spec, place)
    return plan


def _check_outcome(outcome: Outcome, plan: Plan) -> None:
    science = outcome.domain
    _require(outcome.plan == plan, "two plans of the same data differ")
    _require(outcome.fraction == 1.0, f"the fraction of a whole run is {outcome.fraction}")
    _require(outcome.metrics.bytes_read > 0, "no byte was read through `storage`")
    arrays = science.arrays(outcome.result)
    _require(bool(arrays), "the result has no arrays")
    for name, array in arrays.items():
        _require(array.dtype == np.float64, f"{name} is of type {array.dtype}, not float64")
        _require(science.deviation(name, array, array)[0] == 0.0, f"{name} differs from itself")
    json.dumps(outcome.summary, allow_nan=False)
    _require("no_summary" not in outcome.summary, f"summary: {outcome.summary.get('no_summary')}")
    _check_lines(outcome.warnings)
    _check_lines(science.warnings(outcome.result))
    science.plot(outcome.result).savefig(io.BytesIO(), format="png")


def _check_lines(warnings: Sequence[str]) -> None:
    for line in warnings:
        _require(bool(line) and "\n" not in line, f"a warning is not one line: {line!r}")


def _check_saved(outcome: Outcome, folder: str) -> None:
    science, record = outcome.domain, read_record(folder)
    _require(damaged(folder, record) == [], "files are not what was recorded")
    _require(not record["lost"], f"numbers were lost: {record['lost']}")
    _require(not record["notes"], f"pictures were not drawn: {record['notes']}")
    _require(record["digest"] == outcome.digest, "another digest was recorded")
    _require(digest(science.read(folder)) == outcome.digest, "read gives other arrays")
    _require(compare(folder, folder).verdict == "identical", "a result differs from itself")


def _check_same(outcome: Outcome, other: Outcome, saved: str, place: Place) -> None:
    where = f"on {place.workers} workers"
    _require(other.digest == outcome.digest, f"another result {where} than in one process")
    verdict = compare(saved, save(other, place)).verdict
    _require(verdict == "identical", f"{where}: compare says {verdict}")


def _check_failures(spec: Any, plan: Plan, whole: Outcome, places: Sequence[Place]) -> Outcome:
    """Let one partition fail: it is named, counted once, and the same is left everywhere."""
    bad = plan.partitions[len(plan.partitions) // 2]
    fraction = 1.0 - bad.size / plan.size
    outcomes = []
    for place in places:
        with engine.failing(bad.where):
            _check_raises(partial(run, spec, place), bad.where)
            outcome = run(spec, place, on_error="keep")
        failed = [failure.where for failure in outcome.failures]
        _require(failed == [bad.where], f"one partition failed, and counted are {failed}")
        _require(
            outcome.fraction == fraction,
            f"the fraction without {bad.where} is {outcome.fraction}, not {fraction}",
        )
        record = read_record(save(outcome, place))
        _require(record["partial"] is True, "a partial result is not recorded as one")
        outcomes.append(outcome)
    first = outcomes[0]
    _require(first.digest != whole.digest, f"without {bad.where} the result is the same")
    _require(
        all(outcome.digest == first.digest for outcome in outcomes),
        f"without {bad.where} the result depends on the place",
    )
    return first


def _check_raises(compute: Any, where: str) -> None:
    try:
        compute()
    except SpectrumError as error:
        _require(where in str(error), f"the error does not name {where}: {error}")
    else:
        raise AssertionError(f"{where} failed, and the run did not")
