"""Which files a run reads, as spec and catalogue name them; none is opened."""

from __future__ import annotations

from collections.abc import Iterator

from spectrum_workflows import catalogue
from spectrum_workflows.hep.looking import File
from spectrum_workflows.hep.spec import HepSpec, SampleSpec


def inputs(spec: HepSpec, data: str) -> list[str]:
    """URLs of all files the spec names, whether they exist or not."""
    return [
        url
        for sample in spec.samples.values()
        for file in sample.files
        for url in catalogue.places(file, data)
    ]


def files_of(spec: HepSpec, data: str, *, first: bool = False) -> Iterator[tuple[File, int | None]]:
    """Every file, or the first of each sample; and how many events it is said to have.

    Raises
    ------
    SpecError, DataNotFoundError
        The catalogue has no such entry, or none of its replicas answers.
    """
    typed = set()  # of data and of simulation, whether types will be known
    for sample, described in spec.samples.items():
        for n, (place, count) in enumerate(_places(described, data, first=first)):
            counted = count is not None
            form = not n and bool(spec.fallbacks) if counted else described.data not in typed
            typed |= {described.data} if form else set()
            yield (
                File(sample, place.url, spec.tree, described.data, place.checksum, form=form),
                count,
            )


def _places(
    described: SampleSpec, data: str, *, first: bool
) -> Iterator[tuple[catalogue.Located, int | None]]:
    """Where the files of a sample are, with the events of each as spec or catalogue count them."""
    for n, name in enumerate(described.files):
        for place in catalogue.located(name, data):
            yield place, described.events[n] if described.events else place.events
            if first:
                return
