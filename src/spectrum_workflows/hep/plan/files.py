"""The list of input files, from spec, lists, patterns and catalogue; none is opened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from spectrum_workflows import catalogue, storage
from spectrum_workflows.display import counted
from spectrum_workflows.domain import Failure, OnError
from spectrum_workflows.errors import (
    AccessError,
    DataNotFoundError,
    SpecError,
    SpectrumError,
    StoreError,
)
from spectrum_workflows.hep.plan import patterns
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.spec.eras import era_samples
from spectrum_workflows.hep.spec.samples import LIST


@dataclass(frozen=True)
class InputFile:
    """A file of a sample by its name, before anybody has opened it.

    Attributes
    ----------
    sample, url, tree : str
        Where it belongs and where it is.
    checksum : str
        As it was published, if it was.
    counted : int or None
        Its events, where spec or catalogue say how many.
    typed : bool
        Whether the types of its columns are to be read: of one file, not of all.
    replicas : tuple of str
        All URLs of a file of a data set, in this site's order; empty elsewhere.
    """

    sample: str
    url: str
    tree: str
    checksum: str = ""
    counted: int | None = field(default=None, compare=False)
    typed: bool = field(default=False, compare=False)
    replicas: tuple[str, ...] = field(default=(), compare=False)

    @property
    def size(self) -> int:
        """One: files are counted here, not events."""
        return 1

    @property
    def source(self) -> str:
        """URL of what must be opened."""
        return self.url

    @property
    def where(self) -> str:
        """The file in words."""
        return self.url


@dataclass(frozen=True)
class Listing:
    """The files that the names in a spec stand for.

    Attributes
    ----------
    files : tuple of InputFile
        In the order of the spec.
    failures : tuple of Failure
        Names for which there is no file, where a run goes on without them.
    inputs : tuple of (str, str)
        Name and content of the lists that were read, and of the data sets.
    warnings : tuple of str
        What data sets leave out by themselves.
    """

    files: tuple[InputFile, ...]
    failures: tuple[Failure, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def inputs(spec: HepSpec, data: str) -> list[str]:
    """URLs of all files the spec names, whether they exist or not; patterns as they are.

    Without those of data sets that Rucio or DAS would have to be asked for.
    """
    return [
        url
        for sample in era_samples(spec).values()
        for name in names(sample.spec, sample.name)
        if not catalogue.is_data_set(name)
        for url in catalogue.places(name, data)
    ]


def names(spec: HepSpec, sample: str) -> list[str]:
    """Names of a sample's files, with those in lists in the place of the lists.

    Raises
    ------
    SpecError
        A list is none.
    DataNotFoundError
        There is no such list.
    """
    return list(_names(spec, sample, {}))


def names_to_make(spec: HepSpec, sample: str) -> list[str]:
    """Names of files that can be made: no patterns, no entries of the catalogue, no data sets.

    Raises
    ------
    SpecError
        A name is another.
    """
    own = names(spec, sample)
    for name in own:
        several = name.startswith(catalogue.PREFIX) or catalogue.is_data_set(name)
        if several or patterns.is_pattern(name):
            message = f"{name!r} names no file that could be made"
            raise SpecError(message, f"samples.{sample}.files", "give the files' own names")
    return own


def list_files(
    spec: HepSpec, data: str, *, first: bool = False, on_error: OnError = "raise"
) -> Listing:
    """Every file of a run, or the first of each sample.

    Raises
    ------
    SpecError
        A list is none, or the catalogue has no such entry, or the events are
        counted of another number of files than there are.
    MissingExtraError
        The client that resolves a data set's name is not installed.
    DataNotFoundError, AccessError, StoreError
        Nothing fits a pattern, no replica answers, or a file of a data set has none;
        unless ``on_error`` is ``"keep"``.
    """
    files: list[InputFile] = []
    failures: list[Failure] = []
    lists: dict[str, str] = {}
    warnings: list[str] = []
    for sample, of in era_samples(spec).items():
        described = of.described
        places: list[catalogue.Located] = []
        lost = False
        for name in _names(of.spec, of.name, lists):
            if first and places and not described.events:
                break
            try:
                if catalogue.is_data_set(name):
                    asked = catalogue.data_set(name, data)
                    places += _of_data_set(asked, on_error)
                    failures += _unavailable(asked, sample)
                    lists[name] = asked.identity
                    warnings += _left_out(asked)
                    lost |= bool(asked.unavailable)
                else:
                    places += _located(name, data)
            except (AccessError, DataNotFoundError, StoreError) as error:
                if on_error == "raise":
                    raise
                lost = True
                failures.append(Failure(name, 0, str(error), 1, group=sample))
        counts = _counts(sample, described.events, places, lost=lost)
        own = [
            InputFile(
                sample,
                place.url,
                of.spec.tree_of(of.name),
                place.checksum,
                count,
                replicas=place.replicas,
            )
            for place, count in zip(places, counts, strict=True)
        ]
        files += own[:1] if first else own
    return Listing(tuple(files), tuple(failures), tuple(lists.items()), tuple(warnings))


def _counts(
    sample: str, events: Sequence[int], places: Sequence[catalogue.Located], *, lost: bool
) -> Sequence[int | None]:
    """Events of every file, where they are counted."""
    if not events:
        return [place.events for place in places]
    if lost:  # nobody knows which number belongs to which file
        return [None] * len(places)
    if len(events) != len(places):
        raise SpecError(
            f"events has {len(events)} numbers for {len(places)} files",
            f"samples.{sample}",
            "give one number per file in the order of the files, or leave events out",
        )
    return events


def _names(spec: HepSpec, sample: str, lists: dict[str, str]) -> Iterator[str]:
    """Names of a sample; notes the content of the lists."""
    for name in spec.samples[sample].files:
        if not name.startswith(LIST):
            yield name
            continue
        lines, content = _read_list(spec, sample, name)
        lists[name.removeprefix(LIST)] = content
        yield from lines


def _read_list(spec: HepSpec, sample: str, name: str) -> tuple[list[str], str]:
    """The names in a list beside the spec, and which content it has."""
    url = storage.join(spec.folder, name.removeprefix(LIST))
    where = f"samples.{sample}.files: {url}"
    content = storage.read_bytes(url)
    try:
        text = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise SpecError("is not a list of names", where, "one name per line, in UTF-8") from None
    lines = [line.split(" #")[0].strip() for line in text]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise SpecError("this list names no file", where, "one name per line")
    for line in lines:
        if line[0] in "{[" and line[-1] in "{[]}":
            remedy = "write the names into a text file, one per line"
            raise SpecError("is JSON, not a list of names", where, remedy)
        if line.startswith(LIST):
            raise SpecError(f"a list cannot name another ({line})", where, "name both in files")
        if not line.isprintable():
            raise SpecError("is not a list of names", where, "one name per line, in UTF-8")
    return lines, f"sha256 {hashlib.sha256(content).hexdigest()}"


def _of_data_set(asked: catalogue.DataSet, on_error: OnError) -> list[catalogue.Located]:
    """Where the files of a data set are read; one without a replica is an error, or left out."""
    if on_error == "raise":
        asked.check_available()
    return [
        catalogue.Located(file.replicas[0], file.checksum, file.events, file.replicas)
        for file in asked.files
        if file.replicas
    ]


def _unavailable(asked: catalogue.DataSet, sample: str) -> list[Failure]:
    """Files of a data set that a run goes on without."""
    return [
        Failure(
            file.name, file.events or 0, f"no replica on disk ({asked.reference})", 1, "", sample
        )
        for file in asked.unavailable
    ]


def _left_out(asked: catalogue.DataSet) -> list[str]:
    """What the bookkeeping itself holds for invalid, as a warning."""
    if not asked.left_out:
        return []
    number = counted(len(asked.left_out), "file")
    return [f"{asked.reference}: without {number} that DAS holds for invalid, {asked.left_out[0]}"]


def _located(name: str, data: str) -> list[catalogue.Located]:
    """Where a name, a pattern or an entry of the catalogue is read."""
    places = catalogue.located(name, data)
    if name.startswith(catalogue.PREFIX) or not patterns.is_pattern(name):
        return places
    [pattern] = places
    try:
        if storage.exists(pattern.url):  # a file of that very name
            return places
    except (AccessError, StoreError):
        pass
    files: dict[str, str] = {}
    errors: list[SpectrumError] = []
    for root in storage.data_roots(data):
        url = storage.below(root, name)
        own = patterns.root_of(url, name)
        try:
            urls = patterns.matching_files(url, own)
        except (DataNotFoundError, AccessError, StoreError) as error:
            errors.append(error)
            continue
        files = {**{url.removeprefix(own): url for url in urls}, **files}
    if not files:
        raise errors[0]
    return [catalogue.Located(files[below]) for below in sorted(files)]
