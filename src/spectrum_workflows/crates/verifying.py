"""A saved run, asked again: here or anywhere else, and what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from spectrum_workflows import domain, front, record, storage
from spectrum_workflows.checking import completed
from spectrum_workflows.crates import differences, layout
from spectrum_workflows.crates.differences import Difference
from spectrum_workflows.crates.reading import Crate, opened, spec_table
from spectrum_workflows.domain import Deviation
from spectrum_workflows.errors import DataError, SpecError, SpectrumError
from spectrum_workflows.sites import Place, Site, connect, load_site
from spectrum_workflows.specs import parse

Verdict = Literal["whole", "damaged", "other", "identical", "equivalent", "different"]


@dataclass(frozen=True)
class Verification:
    """The verdict on a saved run.

    Attributes
    ----------
    verdict : {"whole", "damaged", "other", "identical", "equivalent", "different"}
        *Whole*, *damaged*: what is stored is, or is not, what was recorded; no more was asked,
        or could be.  *Other*: input, code or versions are others here, and so nothing was run.
        Else what `compare` says of the run and of that which was made to verify it.
    differences : tuple of Difference
        What is other here, by name.
    deviations : dict
        Of every array that is not bit-identical, by its name.
    notes : tuple of str
        What else there is to say.
    folder : str
        Where the run that verified it was saved; empty if it was not kept.
    """

    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    deviations: Mapping[str, Deviation] | None = None
    notes: tuple[str, ...] = ()
    folder: str = ""

    @property
    def ok(self) -> bool:
        """Whether the run stands."""
        return self.verdict in ("whole", "identical", "equivalent")

    @property
    def summary(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {
            "verdict": self.verdict,
            "differences": [vars(difference) for difference in self.differences],
            "deviations": {
                name: {"found": deviation.found, "allowed": deviation.allowed}
                for name, deviation in (self.deviations or {}).items()
            },
            "notes": list(self.notes),
            "folder": self.folder,
        }

    def __str__(self) -> str:
        lines = [self.verdict, *(f"  {difference}" for difference in self.differences)]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [
            f"  {name}: differs by {deviation.found:.3g}, allowed {deviation.allowed:.3g}"
            for name, deviation in (self.deviations or {}).items()
        ]
        return "\n".join([*lines, f"  {self.folder}"] if self.folder else lines)


def verify(
    crate: str,
    *,
    site: Site | str | None = None,
    data: str | None = None,
    out: str | None = None,
    stored: bool = False,
    user_code: bool = False,
    anyway: bool = False,
) -> Verification:
    """Run a saved run again, and say whether the result is the same.

    Before anything is run, it is held against what there is here: every stored file, every byte
    of the input whose SHA-256 is recorded, the code that decides the result, and the versions of
    the libraries that matter.

    Parameters
    ----------
    crate : str
        A run's folder or a zip file of `export`, on this file system or in a store.
    site : Site or str, optional
        Where to run it: a profile, or its name; the default site, if left out.
    data : str, optional
        Data root; replaces the site's.
    out : str, optional
        Results root that keeps the new run; by default it goes when it was compared.
    stored : bool
        Look at the stored files only, and run nothing.
    user_code : bool
        Run code that comes with the crate, or is named by it, and is not part of this package.
    anyway : bool
        Run it even if input, code or versions are others here.

    Returns
    -------
    Verification

    Raises
    ------
    DataNotFoundError
        There is no such crate, or its input is not here.
    SpecError
        It brings code, and ``user_code`` is not given; or its spec is not valid here.
    DataError
        It is no crate, or was not saved whole.
    SpectrumError
        The run failed.
    """
    profile = site if isinstance(site, Site) else load_site(site)
    with storage.using(profile.stores), opened(crate) as run:
        if bad := run.damaged:
            note = f"not what was recorded: {', '.join(bad)}"
            return Verification("damaged", notes=(note,))
        science = domain.get(run.record["workflow"])
        if fault := _fault_of_result(science, run):
            return Verification("damaged", notes=(fault,))
        if stored:
            return Verification("whole", notes=_notes(run))
        spec = _spec(science, run)
        _refuse_code(science, spec, run, user_code=user_code)
        place = Place(profile, data or profile.data, out or profile.results)
        others = _others(science, spec, run, place)
        if others and not anyway:
            return Verification("other", others, notes=_notes(run))
        return replace(_compared(run, spec, place, keep=out is not None), differences=others)


def _notes(run: Crate) -> tuple[str, ...]:
    if not run.record["partial"]:
        return ()
    return (f"it is partial: it holds {run.record['fraction']:.4%} of its input",)


def _fault_of_result(science: domain.Domain[Any, Any], run: Crate) -> str:
    """Whether the stored numbers give the recorded digest, in words if not."""
    if lost := run.record.get("lost"):
        raise DataError(f"the run was not saved whole: {lost[0]}", run.origin, "run it again")
    try:
        digest = record.digest(science.read(run.folder))
    except SpectrumError:
        raise
    except Exception as error:  # whatever a reader makes of files that somebody forged
        return f"the stored result cannot be read ({type(error).__name__}: {error})"
    if digest == run.record["digest"]:
        return ""
    return f"the stored result has digest {digest[:12]}…, not {run.record['digest'][:12]}…"


def _spec(science: domain.Domain[Any, Any], run: Crate) -> Any:
    table = spec_table(run)
    if "folder" in science.spec.model_fields:
        table = table | {"folder": _folder_of_spec(run)}
    spec = parse(science.spec, table, where=f"{run.origin}: {layout.SPEC}")
    if spec.workflow != run.record["workflow"]:
        raise DataError("its spec is of another science than its record", run.origin)
    return spec


def _folder_of_spec(run: Crate) -> str:
    """The folder that names in the spec are relative to; one that is there."""
    workflow = storage.local_path(storage.join(run.folder, layout.WORKFLOW)).absolute()
    beside = storage.local_path(storage.join(run.folder, layout.BESIDE)).absolute()
    places = (beside, workflow / layout.ELSEWHERE, workflow)
    return str(next(place for place in places if place.is_dir() or place == workflow))


def _refuse_code(
    science: domain.Domain[Any, Any], spec: Any, run: Crate, *, user_code: bool
) -> None:
    code = science.user_code(spec)
    if code and not user_code:
        raise SpecError(
            f"it brings code that is not part of this package ({code})",
            run.origin,
            f"read that code, in {layout.WORKFLOW}/ of the crate, then give --user-code",
        )


def _others(
    science: domain.Domain[Any, Any], spec: Any, run: Crate, place: Place
) -> tuple[Difference, ...]:
    """What is other here; code that comes along is looked at before any of it runs."""
    others = [
        *differences.in_versions(run, front.machine(science.libraries)),
        *differences.in_files(run),
    ]
    if any(difference.kind == "code" for difference in others):
        return tuple(others)
    plan = completed(science.plan(spec, place.data), science, spec, place.data)
    others += differences.in_inputs(run, plan)
    others += differences.in_code(run, spec, plan)
    return tuple(others)


def _compared(run: Crate, spec: Any, place: Place, *, keep: bool) -> Verification:
    """Run the spec from nothing, in a results root of its own, and compare."""
    with _results(place.results, keep=keep) as results:
        if place.site.cluster is not None:
            front.preflight(spec, place)
        front.check_results(replace(place, results=results))
        with connect(place.site, data=place.data, results=results) as connected:
            outcome = front.run(spec, connected, resume=False)
            folder = front.save(outcome, connected)
        comparison = record.compare(run.folder, folder)
    notes = tuple(note.replace(run.folder, run.origin) for note in comparison.notes)
    kept = folder if keep else ""
    return Verification(comparison.verdict, (), comparison.deviations, notes, kept)


@contextmanager
def _results(root: str, *, keep: bool) -> Iterator[str]:
    """A results root: the one that keeps, or one that goes again."""
    if keep:
        yield root
        return
    results = storage.join(root, f".verify-{secrets.token_hex(4)}")
    try:
        yield results
    finally:
        with suppress(SpectrumError, OSError):
            storage.remove(results)
