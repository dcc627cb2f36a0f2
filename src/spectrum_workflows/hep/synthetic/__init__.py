"""Seeded generators of events with physics in them, shaped as NanoAOD or as PHYSLITE."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

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
    without what only simulation knows; as a mixture of samples it has as many
    events as they let expect, whatever the size.  A sample has the same events
    whatever its format.

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
        if sample.mixture:
            process, total = _mixture(of.spec, of.name)
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
                    detail=spec.synthetic.detail,
                    cluster_events=spec.synthetic.cluster_events,
                    physlite=tree,
                    precision=spec.synthetic.precision,
                    first=before,
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
    if spec.synthetic is not None and spec.synthetic.detail == "full":
        remedy = 'leave out synthetic.detail = "full"'
        raise SpecError(f"files of format {own.name!r} are generated simple", sample, remedy)
    if own.origin not in SHIPPED:
        remedy = f"{' and '.join(NAMES)} can be, and what extends them"
        raise SpecError(f"files of format {own.name!r} cannot be generated", sample, remedy)
    return own.trees[0]


def _mixture(spec: HepSpec, name: str) -> tuple[str, int]:
    """A recipe of the samples that data are made of, and a number of events by Poisson's law."""
    assert spec.synthetic is not None
    expected = {}
    for part in spec.samples[name].mixture:
        sample, luminosity = spec.samples[part], spec.luminosity_of(part)
        assert sample.cross_section is not None
        assert luminosity is not None
        expected[sample.generator or part] = sample.cross_section * luminosity
    total = sum(expected.values())
    rng = np.random.default_rng([spec.synthetic.seed, zlib.crc32(name.encode())])
    recipe = " + ".join(f"{number / total!r} {process}" for process, number in expected.items())
    return recipe, int(rng.poisson(total))


def _progress(report: Report, name: str, before: int, total: int) -> Callable[[int], None]:
    return lambda n: report(f"generate {name}", before + n, total)
