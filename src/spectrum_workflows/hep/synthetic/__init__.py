"""Seeded generators of events with physics in them, shaped as NanoAOD or as PHYSLITE."""

from __future__ import annotations

from collections.abc import Callable

from spectrum_workflows import storage
from spectrum_workflows.domain import Report
from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.plan.files import names_to_make
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.eras import era_samples
from spectrum_workflows.hep.spec.physlite import NAMES, SHIPPED
from spectrum_workflows.hep.synthetic.nanoaod import generate, is_synthetic, write_sample

__all__ = ["generate", "is_synthetic", "make", "write_sample"]


def make(spec: HepSpec, data: str, *, size: int | None, report: Report) -> list[str]:
    """Write every sample file that a spec names; no two hold the same events.

    The first sample of each generator has the generator's own stream of random
    numbers, another one a stream that sample and file give.  Data is written
    without what only simulation knows.  A sample has the same events whatever its format.

    Parameters
    ----------
    spec : HepSpec
        Its ``[synthetic]`` table says how many events and which seed; each
        sample says which ``generator`` makes it (its own name if left out).
    data : str
        URL that relative file names are resolved against.
    size : int, optional
        Events per sample, instead of the spec's.
    report : callable
        ``report(sample, done, total)`` as events are written.

    Returns
    -------
    list of str
        URLs of the files, in the order of the spec.

    Raises
    ------
    SpecError
        The spec has no ``[synthetic]`` table: it names real data.
        Or a sample asks for a process that cannot be generated.
    OutputError
        The place cannot be written to.
    """
    if spec.synthetic is None:
        remedy = "add one, or say where the real data is: --data, or connect(site, data=...)"
        raise SpecError("the spec has no [synthetic] table", spec.name, remedy)
    urls: list[str] = []
    owners: dict[str, str] = {}
    for name, of in era_samples(spec).items():
        sample = of.described
        total = size or spec.synthetic.events
        names = names_to_make(of.spec, of.name)
        parts = len(names)
        process = sample.generator or of.name
        tree = _tree(of.spec, of.name)
        owner = owners.setdefault(process, name)
        for k, file in enumerate(names):
            url = storage.below(data, file)
            before, after = total * k // parts, total * (k + 1) // parts
            if url not in urls:
                write_sample(
                    url,
                    process,
                    events=after - before,
                    seed=spec.synthetic.seed + 1000 * k,
                    stream="" if owner == name else f"{name}/{file}",
                    data=sample.data,
                    cluster_events=spec.synthetic.cluster_events,
                    physlite=tree,
                    precision=spec.synthetic.precision,
                    done=_progress(report, name, before, total),
                )
            urls.append(url)
    return urls


def _tree(spec: HepSpec, sample: str) -> str:
    """Name of the tree of a sample in the form of PHYSLITE; empty where it is NanoAOD.

    Raises
    ------
    SpecError
        Its format is another.
    """
    own = spec.format_of(sample)
    if own is None:
        return ""
    if own.origin not in SHIPPED:
        remedy = f"{' and '.join(NAMES)} can be, and what extends them"
        raise SpecError(f"files of format {own.name!r} cannot be generated", sample, remedy)
    return own.trees[0]


def _progress(report: Report, name: str, before: int, total: int) -> Callable[[int], None]:
    return lambda n: report(f"generate {name}", before + n, total)
