"""What may be asked of the likelihood of a saved result: numbers, tables and pictures.

Libraries for fits and pictures are imported when they are used: every run imports this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from spectrum_workflows.domain import Contents, Product, Table
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep.types import HepResult, LikelihoodFit
from spectrum_workflows.hep.types.statistics import BANDS

if TYPE_CHECKING:
    from distributed import Client

Workspace = Mapping[str, Any]


def find_limit(result: HepResult, *, client: Client | None, level: float = 0.95) -> Product:
    """The upper limit on the signal by CLs, and the significance; see `limit`."""
    from spectrum_workflows.hep.fit.limits import limit, significance
    from spectrum_workflows.hep.plot import statistics

    del client
    workspace = workspace_of(result)
    found, tested = limit(workspace, level=level), significance(workspace)
    bands = {f"{sigma:+d} σ": float(v) for sigma, v in zip(BANDS, found.expected, strict=True)}
    numbers = {
        "parameter_of_interest": found.poi,
        "level": found.level,
        "observed": found.observed,
        "expected": [float(value) for value in found.expected],
        "values": found.values.tolist(),
        "cls_observed": found.cls_observed.tolist(),
        "cls_expected": found.cls_expected.tolist(),
        "significance": {
            "p_value": tested.p_value,
            "z": tested.z,
            "expected_p_value": tested.expected_p_value,
            "expected_z": tested.expected_z,
        },
    }
    words = f"{level:.4g}"
    lines = [
        (f"observed limit at {words} CL", f"{found.poi} < {found.observed:.4g}"),
        *((f"expected, {name}".replace("+0 σ", "median"), f"{v:.4g}") for name, v in bands.items()),
        ("significance", f"{tested.z:.2f} σ, p = {tested.p_value:.3g}"),
        ("expected for a signal of 1", f"{tested.expected_z:.2f} σ"),
    ]
    picture = partial(statistics.bands, found, **about(result))
    return product(result, "Upper limit by CLs", lines, numbers, {"limit.png": picture})


def scan(result: HepResult, *, client: Client | None, points: int = 13) -> Product:
    """The profile likelihood along the signal's normalisation; see `scan_likelihood`."""
    from spectrum_workflows.hep.fit.scan import scan_likelihood
    from spectrum_workflows.hep.plot import statistics

    del client
    found = scan_likelihood(workspace_of(result), points=points)
    low, high = found.interval
    numbers = {
        "parameter_of_interest": found.poi,
        "best": found.best,
        "error": found.error,
        "interval": list(found.interval),
        "values": found.values.tolist(),
        "twice_delta_nll": found.twice_delta_nll.tolist(),
    }
    lines = [
        (found.poi, f"{found.best:.4g} -{found.best - low:.3g} +{high - found.best:.3g}"),
        ("from the Hesse matrix", f"± {found.error:.3g}"),
    ]
    picture = partial(statistics.scan, found, **about(result))
    return product(result, "Profile likelihood", lines, numbers, {"scan.png": picture})


def rank(result: HepResult, *, client: Client | None) -> Product:
    """Impacts of all nuisance parameters, by fits; see `impacts`."""
    from spectrum_workflows.hep.fit.impacts import impacts
    from spectrum_workflows.hep.plot import statistics

    del client
    found = impacts(workspace_of(result))
    rows = zip(found.pulls, found.pull_errors, found.up, found.down, strict=True)
    records: list[dict[str, Any]] = [
        {"name": name, "pull": p, "pull_error": e, "up": up, "down": down}
        for name, (p, e, up, down) in zip(
            found.names, ([float(v) for v in row] for row in rows), strict=True
        )
    ]
    cells = [
        (
            r["name"],
            f"{r['pull']:+.2f} ± {r['pull_error']:.2f}",
            f"{r['up']:+.4f}",
            f"{r['down']:+.4f}",
        )
        for r in records
    ]
    head = ("parameter", "pull", "impact of +1 σ", "impact of -1 σ")
    table = Table("impacts", head, cells, records)
    numbers = {
        "parameter_of_interest": found.poi,
        "best": found.best,
        "error": found.error,
    }
    lines = [(found.poi, f"{found.best:.4g} ± {found.error:.3g}")]
    labels = {n: s.label for n, s in result.spec.fit.systematics.items()} if result.spec.fit else {}
    picture = partial(statistics.impacts, found, labels=labels, **about(result))
    pictures = {"impacts.png": picture}
    return product(result, "Impacts", lines, numbers, pictures, tables=(table,))


def describe_goodness(result: HepResult, *, client: Client | None) -> Product:
    """Goodness of fit by the saturated model; see `goodness_of_fit`."""
    from spectrum_workflows.hep.fit.goodness import goodness_of_fit

    del client
    found = goodness_of_fit(workspace_of(result))
    numbers = {"chi2": found.chi2, "ndf": found.ndf, "p_value": found.p_value}
    lines = [
        ("χ² of the saturated model", f"{found.chi2:.4g}"),
        ("degrees of freedom", str(found.ndf)),
        ("probability", f"{found.p_value:.3g}"),
    ]
    return product(result, "Goodness of fit", lines, numbers, {})


def describe_toys(
    result: HepResult,
    *,
    client: Client | None,
    statistic: str = "goodness",
    tested: float = 1.0,
    number: int = 1_000,
    seed: int | None = None,
) -> Product:
    """The distribution of a test statistic over toys; see `throw_toys`."""
    from spectrum_workflows.hep.fit.goodness import goodness_of_fit
    from spectrum_workflows.hep.plot import statistics
    from spectrum_workflows.hep.workflow.toys import throw_toys

    workspace = workspace_of(result)
    assert result.spec.fit is not None
    found = throw_toys(
        workspace,
        statistic=statistic,
        tested=tested,
        toys=number,
        seed=result.spec.fit.seed if seed is None else seed,
        client=client,
    )
    numbers: dict[str, Any] = {
        "statistic": statistic,
        "tested": None if math.isnan(found.tested) else found.tested,
        "observed": found.observed,
        "p_value": found.p_value,
        "p_error": found.p_error,
        "toys": number,
        "failed": found.failed,
        "seed": found.seed,
        "cpu_seconds_per_toy": found.cpu_seconds,
        "values": found.values.tolist(),
    }
    lines = [
        ("statistic of the data", f"{found.observed:.4g}"),
        ("probability", f"{found.p_value:.3g} ± {found.p_error:.1g}"),
    ]
    if statistic == "limit":
        numbers |= {"cls": found.cls, "cls_error": found.cls_error}
        numbers |= {"background": found.background.tolist()}
        lines.append((f"CLs of {tested:g}", f"{found.cls:.3g} ± {found.cls_error:.1g}"))
    failed = f", {found.failed:,} fits failed" if found.failed else ""
    lines += [
        ("toys of each hypothesis", f"{number:,}, seed {found.seed}{failed}"),
        ("CPU time of one toy", f"{1e3 * found.cpu_seconds:.2f} ms"),
    ]
    ndf = goodness_of_fit(workspace).ndf if statistic == "goodness" else 0
    picture = partial(statistics.toys, found, ndf=ndf, **about(result))
    return product(result, f"Toys: {statistic}", lines, numbers, {f"toys_{statistic}.png": picture})


def export(result: HepResult, *, client: Client | None, form: str = "all") -> Product:
    """The workspace as files of other programs; see `combine_card` and `histfactory`."""
    from spectrum_workflows.hep.io.exporting import combine_card, histfactory

    del client
    workspace = workspace_of(result)
    assert isinstance(result.likelihood, LikelihoodFit)
    made: dict[str, Callable[[], dict[str, bytes]]] = {
        "combine": partial(combine_card, workspace, edges=result.likelihood.prefit.edges),
        "histfactory": partial(histfactory, workspace),
    }
    if form not in {"all", *made}:
        raise SpecError(f"no form {form!r}", "export", f"choose all, {', '.join(made)}")
    files = {
        f"{name}/{file}": content
        for name, make in made.items()
        if form in {"all", name}
        for file, content in make().items()
    }
    lines = [(name, f"{len(content):,} bytes") for name, content in files.items()]
    numbers = {"files": {name: len(content) for name, content in files.items()}}
    made_of = product(result, "Export", lines, numbers, {})
    return replace(made_of, files=files)


def workspace_of(result: HepResult) -> Workspace:
    """The workspace of a result's fit.

    Raises
    ------
    SpecError
        The spec asks for no fit.
    DataError
        There is none: the reason.
    """
    if isinstance(result.likelihood, LikelihoodFit):
        return result.likelihood.workspace
    if result.spec.fit is None:
        raise SpecError("the spec of this run has no [fit] table", result.spec.name, "add one")
    remedy = "mend that, and run it again"
    raise DataError(f"this run has no fit ({result.likelihood})", result.spec.name, remedy)


def about(result: HepResult) -> dict[str, str]:
    """What stands above a picture."""
    measured = any(sample.data for sample in result.spec.samples.values())
    pseudo = bool(result.spec.fit and result.spec.fit.pseudodata) or not measured
    words = "pseudo-data" if pseudo else ""
    return {"about": result.spec.name, "origin": ", ".join(filter(None, (result.origin, words)))}


def product(
    result: HepResult,
    title: str,
    lines: Sequence[tuple[str, str]],
    numbers: Mapping[str, Any],
    pictures: Mapping[str, Callable[[], Any]],
    *,
    tables: Sequence[Table] = (),
) -> Product:
    """A product with what a reader must know of the result besides."""
    notes = [f"{result.origin}: no measurement"] if result.origin else []
    contents = Contents(f"{title}: {result.spec.name}", lines, numbers, tables, notes)
    return Product(contents, pictures=pictures)
