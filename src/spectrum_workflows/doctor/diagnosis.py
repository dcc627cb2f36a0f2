"""An examination of a site: from the session, then from inside one of its nodes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spectrum_workflows import arithmetic, checking, display, domain, record, storage
from spectrum_workflows.doctor import (
    clocks,
    folders,
    memory,
    processors,
    software,
    stores,
    tokens,
)
from spectrum_workflows.doctor.node import Questions
from spectrum_workflows.doctor.probing import examine_worker
from spectrum_workflows.doctor.site import Terms, examine_site, for_probe, terms
from spectrum_workflows.errors import SiteError, SpectrumError
from spectrum_workflows.findings import Finding, doubt, failed, fine
from spectrum_workflows.record.machine import ALWAYS
from spectrum_workflows.sites import Place, Site, connect
from spectrum_workflows.sites.federated import outline
from spectrum_workflows.sites.profile_files import members_of

UNREACHED = ("timed out", "timeout", "connection refused", "no route", "unreachable")
"""Last words of workers that have not found their scheduler."""

MARKS = {"fine": "ok", "doubt": "DOUBT", "fault": "FAULT"}


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What was found out about a site; printing it shows a line for each thing looked at.

    Attributes
    ----------
    site : str
        Its description.
    findings : tuple of Finding
        In the order in which things were looked at.
    """

    site: str
    findings: tuple[Finding, ...]

    @property
    def starts(self) -> bool:
        """Whether work would start: nothing that was looked at keeps it from it.

        Of a federation, one site without a fault is enough: it takes over the work of the others.
        It does not have the others' data, though: a fault of these is one of all sites.
        """
        faulty = {"" if _is_of_data(one) else one.site for one in self.faults}
        return not faulty or ("" not in faulty and bool(self._sites - faulty))

    @property
    def _sites(self) -> set[str]:
        return {one.site for one in self.findings if one.site}

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What keeps work from starting."""
        return tuple(one for one in self.findings if one.status == "fault")

    @property
    def doubts(self) -> tuple[Finding, ...]:
        """What lets it start, and should be known."""
        return tuple(one for one in self.findings if one.status == "doubt")

    @property
    def summary(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        findings = [asdict(one) for one in self.findings]
        return {"site": self.site, "starts": self.starts, "findings": findings}

    def __str__(self) -> str:
        return "\n".join([*_lines(self.findings), "", self._verdict])

    def __repr__(self) -> str:
        return f"<Diagnosis: {self._verdict}>"

    def _repr_html_(self) -> str:
        head = ("where", "what", "", "found", "expected", "remedy")
        rows = [
            (
                f"{one.site} {one.where}".strip(),
                one.subject,
                MARKS[one.status],
                one.found,
                one.expected,
                one.remedy,
            )
            for one in self.findings
        ]
        return display.card(self._verdict, [("site", self.site)], table=display.grid(head, rows))

    @property
    def _verdict(self) -> str:
        faults = display.counted(len(self.faults), "fault")
        doubts = display.counted(len(self.doubts), "doubt")
        lost = sorted({one.site for one in self.faults} - {""})
        without = f", without {' and '.join(lost)}" if self.starts and lost else ""
        return f"work would {'start' if self.starts else 'not start'}{without}: {faults}, {doubts}"


def _is_of_data(finding: Finding) -> bool:
    """Whether it is about data as the session sees them, which are at one site for all others."""
    return (finding.subject, finding.where) == (stores.DATA, "session")


def _lines(findings: tuple[Finding, ...]) -> Iterator[str]:
    where = ("", "")
    width = max((len(one.site) + 1 for one in findings if one.site), default=0)
    for one in findings:
        if (one.site, one.where) != where:
            where = (one.site, one.where)
            yield f"{one.site and f'{one.site}, '}{one.where}"
        yield f"  {MARKS[one.status]:6} {one.site:{width}}{one.subject:17} {one.found}"
        if one.status != "fine":
            yield f"{'':{26 + width}}expected: {one.expected}"
            yield f"{'':{26 + width}}remedy: {one.remedy}"


def diagnose(site: Site | Place, *, spec: Any = None, probe: bool = True) -> Diagnosis:
    """Say whether work would start at a site, and what to do if not.

    The session is looked at first: nothing is submitted.  If no fault is
    found there, one worker of the site looks from inside, for ten seconds at
    the most once it has come.  Objects that are written to try a store are removed.
    Of a federation every site is looked at, one after the other.

    Parameters
    ----------
    site : Site or Place
        From `load_site`; or a place, of whose workers one is asked if it is connected.
    spec : model, optional
        From `load_spec`: its input is looked for, and its largest partition is
        compared with a worker's memory.
    probe : bool
        Whether a worker is asked for; ``False`` looks at the session alone.

    Returns
    -------
    Diagnosis
        ``starts`` says whether work would; its text has a line per finding.

    Examples
    --------
    >>> from spectrum_workflows import diagnose, load_site
    >>> diagnose(load_site("serial"), probe=False)  # doctest: +SKIP
    <Diagnosis: work would start: 0 faults, 0 doubts>
    """
    place = site if isinstance(site, Place) else Place(site, site.data, site.results)
    plan = _planned(spec, place) if spec is not None else _Planned()
    if place.site.federation is not None:
        return Diagnosis(place.site.description, tuple(_of_federation(place, plan, probe=probe)))
    findings = [*_of_here(), *_of_session(place, plan)]
    questions = Questions(place.stores, place.data, place.results, plan.inputs)
    if probe:
        findings += _of_node(place, plan, questions, faulty=_faulty(findings))
    return Diagnosis(place.site.description, tuple(findings))


def _faulty(findings: Sequence[Finding]) -> bool:
    return any(one.status == "fault" for one in findings)


def _of_node(
    place: Place, plan: _Planned, questions: Questions, *, faulty: bool
) -> Sequence[Finding]:
    """What one worker sees; none is started where the session has a fault."""
    if place.client is not None:
        return examine_worker(place.client, questions, plan.largest)
    if place.site.cluster is None:
        return ()  # all there is has been looked at
    if faulty:
        remedy = "remove the faults above, and ask again"
        return (doubt("node", "not looked at", "no fault in the session", remedy),)
    return _inside(place, plan, questions)


def _of_federation(place: Place, plan: _Planned, *, probe: bool) -> Iterator[Finding]:
    """What the session sees of all sites together, then each site and one of its nodes."""
    common = [*_of_here(), *_of_roots(place, plan)]
    common += [plan.finding] if plan.finding is not None else []
    yield from common
    together = place.federation or outline(place.site, place.data)
    for name, own in members_of(place.site).items():
        member = together.member(name)
        data = own.data if own.data in member.stores.roots else place.data
        site = Place(own, data, place.results, member.client)
        try:
            seen = [*_of_member(site, member.stores, plan)]
        except SpectrumError as error:
            seen = [failed("profile", error, "options of the deployment library")]
        questions = Questions(member.stores, data, place.results)
        if probe:
            seen += _of_node(site, plan, questions, faulty=_faulty([*common, *seen]))
        yield from (one.of(name) for one in seen)


def _of_member(place: Place, seen_from: storage.Stores, plan: _Planned) -> Iterator[Finding]:
    """What the session sees of one site of a federation.

    Raises
    ------
    SpectrumError
        Its options are not those of the deployment library.
    """
    worker = terms(place.site)
    yield from examine_site(place.site)
    with storage.using(stores.impatient(seen_from, place.data)):
        yield stores.data(place.data)
    yield from _credentials(place, worker)
    if plan.largest:
        yield memory.enough(worker.memory, plan.largest, worker.threads)


@dataclass(frozen=True)
class _Planned:
    """What a spec's plan says: bytes of the largest task, and where the input is."""

    largest: int = 0
    inputs: tuple[str, ...] = ()
    finding: Finding | None = None


def _planned(spec: Any, place: Place) -> _Planned:
    subject, expected = "spec", "its input is there and fits it"
    try:
        inputs = tuple(domain.get(spec.workflow).inputs(spec, place.data))
        plan = checking.check(spec, place).plan
    except (SpectrumError, OSError, ValueError) as error:
        return _Planned(finding=failed(subject, error, expected, "spectrum check SPEC says more"))
    line = f"{spec.name}: {display.counted(len(plan.partitions), 'partition')}"
    largest = max((stage.memory for stage in plan.stages), default=0) or plan.largest_memory
    return _Planned(largest, inputs, fine(subject, line, expected))


def _of_here() -> Iterator[Finding]:
    """What holds for this session, whatever the site."""
    yield software.python_here()
    libraries = {name for science in domain.installed() for name in science.libraries}
    deciding = {*ALWAYS, *libraries}
    yield software.against_lock(software.installed(), software.lock(), deciding)
    yield processors.processor(record.machine() | {"arithmetic": arithmetic.arithmetic()})


def _of_session(place: Place, plan: _Planned) -> Iterator[Finding]:
    """What can be known of a site without a worker."""
    try:
        worker = terms(place.site)
        yield from examine_site(place.site)
    except SpectrumError as error:
        yield failed("profile", error, "options of the deployment library")
        return
    yield from _of_roots(place, plan)
    yield from _credentials(place, worker)
    if plan.finding is not None:
        yield plan.finding
    if plan.largest:
        yield memory.enough(worker.memory, plan.largest, worker.threads)


def _credentials(place: Place, worker: Terms) -> Iterator[Finding]:
    """How long the credentials live that a site's stores would be given."""
    urls = (place.data, place.results, *place.site.replicas)
    for credential in tokens.at_hand(urls, place.site.storage, os.environ):
        yield tokens.judged(credential, worker.walltime)


def _of_roots(place: Place, plan: _Planned) -> Iterator[Finding]:
    """Spool, data and results, as the session sees them."""
    yield folders.spool(place.spools)
    with storage.using(stores.impatient(place.stores, place.data, place.results)):
        if place.site.federation is None or plan.inputs:
            yield stores.data(place.data, plan.inputs)
        visit = stores.results(place.results)
    yield visit.finding
    yield from clocks.compared([visit.clock] if visit.clock else [])


def _inside(place: Place, plan: _Planned, questions: Questions) -> list[Finding]:
    """What a worker sees that is started for it."""
    try:
        with connect(for_probe(place.site), data=place.data, results=place.results) as probed:
            assert probed.client is not None
            return examine_worker(probed.client, questions, plan.largest)
    except SiteError as error:
        return [_no_worker(error)]


def _no_worker(error: SiteError) -> Finding:
    """A worker that did not come, and what that is usually due to."""
    subject, expected = "worker", "one starts and connects"
    last = error.what.partition("last words")[2].lower()
    if any(word in last for word in UNREACHED):
        remedy = "nodes do not reach the session: set interface below [cluster] to their network"
        return failed(subject, SiteError(error.what, error.where, remedy), expected)
    return failed(subject, error, expected)
