"""The unfolding of a saved result: numbers, table and picture."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.domain import Product, Table
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.workflow.statistics import about, product

if TYPE_CHECKING:
    from distributed import Client

    from spectrum_workflows.hep.types import (
        HepResult,
        Unfolded,
        UnfoldingImpacts,
        UnfoldingModel,
        UnfoldingToys,
    )


def describe_unfolding(
    result: HepResult,
    *,
    client: Client | None,
    regularisation: float | None = None,
    number: int = 0,
    seed: int | None = None,
) -> Product:
    """The signal by bin of the truth, with closure, impacts and, if asked for, toys."""
    from spectrum_workflows.hep.fit.impacts import unfolding_impacts
    from spectrum_workflows.hep.fit.response import unfolding_model
    from spectrum_workflows.hep.fit.unfolding import simulated, unfold
    from spectrum_workflows.hep.plot.unfolding import impacts, unfolded
    from spectrum_workflows.hep.workflow.unfolding import unfold_toys

    given = unfolding_model(result)
    fit = result.spec.fit
    assert fit is not None
    assert fit.unfolding is not None
    strength = fit.unfolding.regularisation if regularisation is None else regularisation
    asked: Any = {"regularisation": strength}
    found = unfold(given.workspace, given.truth, edges=given.edges, **asked)
    closed = unfold(simulated(given.workspace), given.truth, **asked)
    closure = float(np.max(np.abs(closed.values - closed.truth) / closed.errors))
    ranked, unranked = None, ""
    try:
        ranked = unfolding_impacts(given.workspace, given.truth, **asked)
    except DataError as error:  # of one fit of many: what is unfolded is there all the same
        unranked = " ".join(str(error).split())
    toys = None
    if number:
        asked |= {"toys": number, "seed": fit.seed if seed is None else seed, "client": client}
        toys = unfold_toys(given.workspace, given.truth, **asked)
    lines = [
        ("bins of the truth", f"{len(found.names)}, regularisation {strength:g}"),
        ("χ² of the fit", f"{found.chi2:.4g}, {found.ndf} degrees of freedom"),
        ("closure: the simulation, unfolded", f"its truth to {closure:.1g} σ"),
    ]
    numbers: dict[str, Any] = _plain(asdict(found)) | {"closure": closure}
    numbers["errors"] = found.errors.tolist()
    if given.generated is not None:
        distance = found.distance(given.generated)
        numbers |= {"generated": given.generated.tolist(), "chi2_of_generated": distance}
        words = f"χ² {distance:.4g} from the unfolded, {len(found.names)} degrees of freedom"
        lines.append(("truth of the pseudo-data", words))
    if toys is not None:
        numbers["toys"] = _plain(asdict(toys)) | {"failed": toys.failed}
        failed = f", {toys.failed:,} fits failed" if toys.failed else ""
        lines.append((f"pulls of {number:,} toys", f"seed {toys.seed}{failed}, below"))
    if ranked is None:
        lines.append(("impacts", f"none: {unranked}"))
    numbers["impacts"] = _plain(asdict(ranked)) if ranked is not None else {"missing": unranked}
    axis = result.spec.histograms[fit.unfolding.truth].axes(fit.unfolding.truth)[0]
    more: Any = {"label": axis.label, **about(result)}
    pictures = {"unfolded.png": partial(unfolded, found, generated=given.generated, **more)}
    tables = [_table(found, given, toys)]
    if ranked is not None and ranked.names:
        labels = {name: s.label for name, s in fit.systematics.items()}
        more |= {"edges": found.edges, "labels": labels}
        pictures["unfolding_impacts.png"] = partial(impacts, ranked, **more)
        tables.append(_impacts(ranked, found))
    return product(result, "Unfolded", lines, numbers, pictures, tables=tables)


def _plain(described: dict[str, Any]) -> dict[str, Any]:
    """Arrays as lists."""
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in described.items()}


def _table(found: Unfolded, given: UnfoldingModel, toys: UnfoldingToys | None) -> Table:
    """A row for each bin of the truth."""
    edges, errors = found.edges, found.errors
    columns = {
        "from": [f"{edge:g}" for edge in edges[:-1]],
        "to": [f"{edge:g}" for edge in edges[1:]],
        "simulated": [f"{value:.5g}" for value in found.truth],
    }
    if given.generated is not None:
        columns["generated"] = [f"{value:.5g}" for value in given.generated]
    pairs = zip(found.values, errors, strict=True)
    columns["unfolded"] = [f"{value:.5g} ± {error:.3g}" for value, error in pairs]
    if toys is not None:
        pairs = zip(toys.mean, toys.width, strict=True)
        columns["pull"] = [f"{mean:+.2f} ± {width:.2f}" for mean, width in pairs]
    cells = [tuple(row) for row in zip(*columns.values(), strict=True)]
    records = [dict(zip(columns, row, strict=True)) for row in cells]
    return Table("unfolded", tuple(columns), cells, records)


def _impacts(ranked: UnfoldingImpacts, unfolded: Unfolded) -> Table:
    """A row for each nuisance parameter: shifts of every bin in units of its error."""
    ranges = [
        f"{a:g} to {b:g}" for a, b in zip(unfolded.edges[:-1], unfolded.edges[1:], strict=True)
    ]
    up, down = ranked.up / ranked.errors, ranked.down / ranked.errors
    cells = [
        (name, *(f"{a:+.3f} {b:+.3f}" for a, b in zip(*both, strict=True)))
        for name, *both in zip(ranked.names, up, down, strict=True)
    ]
    records: list[dict[str, Any]] = [
        {"name": name, "up": a.tolist(), "down": b.tolist()}
        for name, a, b in zip(ranked.names, ranked.up, ranked.down, strict=True)
    ]
    return Table(
        "impacts on each bin, +1 σ and -1 σ, over its error", ("parameter", *ranges), cells, records
    )
