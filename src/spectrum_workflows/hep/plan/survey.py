"""The survey of input files before a run: known from an earlier plan, or opened on workers."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spectrum_workflows import storage
from spectrum_workflows.domain import Failure, OnError, Report
from spectrum_workflows.engine import Reduction, Run
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.columns import RequestedColumns
from spectrum_workflows.hep.io.read import wrong_count
from spectrum_workflows.hep.plan import cache
from spectrum_workflows.hep.plan.files import InputFile
from spectrum_workflows.hep.plan.inspection import FileInfo, inspect

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class Survey:
    """All that is known of the files of a run before it.

    Attributes
    ----------
    infos : mapping of InputFile to FileInfo
        Of those that were opened now or for an earlier plan, in the order of the spec.
    lost : mapping of InputFile to Failure
        Those that could not be opened, or hold other events than was said.
    """

    infos: Mapping[InputFile, FileInfo] = field(default_factory=dict)
    lost: Mapping[InputFile, Failure] = field(default_factory=dict)

    def __add__(self, other: Survey) -> Survey:
        return Survey({**self.infos, **other.infos}, {**self.lost, **other.lost})


@dataclass(frozen=True)
class Surveyor:
    """Surveys files: opens those of which nothing is known, and keeps what it learns.

    Attributes
    ----------
    question : cache.Question
        What is read of them.
    client : distributed.Client or None
        Whose workers open them.
    known : str
        URL of the folder of what earlier plans knew; empty for none.
    report : callable
        ``report("open", done, total)``.
    on_error : {"raise", "keep"}
    """

    question: cache.Question
    client: Client | None
    known: str
    report: Report
    on_error: OnError

    def survey(self, files: Sequence[InputFile]) -> Survey:
        """Survey files, of which only those are opened that must be.

        Raises
        ------
        DataNotFoundError, DataError
            As `inspect`, or a file has other events than spec or catalogue say; unless
            errors are kept.
        """
        survey = self._known_or_opened(files_to_open(files, self.question.requested))
        return survey + Survey(lost=self._miscounted(survey.infos))

    def _known_or_opened(self, files: Sequence[InputFile]) -> Survey:
        identities = cache.identities(files) if self.known else {}
        known = cache.load(self.known, self.question, identities) if self.known else {}
        opened = self._opened([file for file in files if file not in known])
        opened += self._opened(self._without_types(files, {**known, **opened.infos}))
        infos = {**known, **opened.infos}
        if self.known and opened.infos:
            cache.save(self.known, self.question, identities, infos)
        kept = {f: infos[f] for f in files if f in infos and f not in opened.lost}
        return Survey(kept, opened.lost)

    def _opened(self, files: Sequence[InputFile]) -> Survey:
        """Open some files on workers."""
        if not files:
            return Survey()
        label = f"hep-{self.question.name}"
        run = Run(tuple(files), self.client, self.on_error, self.report, label)
        shared = dict(self.question.requested), self.question.max_events
        try:
            rows = run.over("open", Reduction(inspect, operator.add), *shared)
        except DataError:
            if not run.metrics.failures:
                raise
            rows = ()  # not one of them could be opened
        if self.client is not None:  # what is read in this process is counted already
            storage.count_stores(run.metrics.stores)
        infos = dict(rows)
        failures = {failure.where: failure for failure in run.metrics.failures}
        lost = {
            file: replace(failures[file.where], size=file.counted or 0)  # events, not one file
            for file in files
            if file not in infos
        }
        return Survey(infos, lost)

    def _without_types(
        self, files: Sequence[InputFile], infos: Mapping[InputFile, FileInfo]
    ) -> list[InputFile]:
        """One more file of every kind whose first gave no types: it was lost, or has no events."""
        kinds: dict[str, list[InputFile]] = {}
        for file in files:
            if file in infos and infos[file].entries:
                kinds.setdefault(self.question.of(file.sample), []).append(file)
        return [
            replace(kind[0], typed=True)
            for kind in kinds.values()
            if not any(infos[file].form for file in kind)
        ]

    def _miscounted(self, infos: Mapping[InputFile, FileInfo]) -> dict[InputFile, Failure]:
        """Files that were opened, and have other numbers of events than spec or catalogue say."""
        wrong = {}
        for file, info in infos.items():
            if file.counted is None or info.entries == file.counted:
                continue
            error = wrong_count(file.url, info.entries, file.counted)
            if self.on_error == "raise":
                raise error
            wrong[file] = Failure(file.url, file.counted, str(error), 1)
        return wrong


def files_to_open(
    files: Sequence[InputFile], requested: Mapping[str, RequestedColumns]
) -> list[InputFile]:
    """Files that must be opened to plan; of the first of each kind, the types of its columns, too.

    A sum of generator weights stands in the file only, and decides whether its
    sample can be normalised: that must not show after the run.  Of a sample with
    fallbacks that select otherwise, the first file tells which columns it lacks.
    """
    typed: set[str] = set()
    begun: set[str] = set()
    kinds = {sample: repr(columns) for sample, columns in requested.items()}
    opened = []
    for file in files:
        first = file.sample not in begun
        begun.add(file.sample)
        columns = requested[file.sample]
        telling = columns.generator_weighted or (first and columns.differing)
        if file.counted is not None and not telling:
            continue
        opened.append(replace(file, typed=kinds[file.sample] not in typed))
        typed.add(kinds[file.sample])
    return opened
