"""Correctionlib files as they are shipped: plain or gzipped, one or several."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, SpecError

if TYPE_CHECKING:
    from spectrum_workflows.hep.corrections.evaluation import CorrectionKernels

LARGEST = 1 << 30
"""Bytes that a file may have when it is unpacked."""


@dataclass(frozen=True)
class Corrections:
    """The content of the files that a spec names.

    Attributes
    ----------
    sets : tuple of (str, str)
        Name of each set and its JSON; one without a name if the spec has no table.
    inputs : tuple of (str, str)
        Name of each file in the spec, and its SHA-256.
    """

    sets: tuple[tuple[str, str], ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sets)

    @property
    def text(self) -> str:
        """All that decides what the corrections are."""
        if len(self.sets) == 1 and not self.sets[0][0]:
            return self.sets[0][1]
        return json.dumps(self.sets)

    def loaded(self) -> Any:
        """The argument of ``select``: a set of corrections, or one by each name of the table."""
        if len(self.sets) == 1 and not self.sets[0][0]:
            return library(self.sets[0][1])
        return {name: library(text) for name, text in self.sets}

    def compiled(self, *, check: int) -> CorrectionKernels:
        """The one set without a name, as kernels; ``check`` elements of a call are compared."""
        ((_, text),) = self.sets
        return compiled(text, check=check)


def corrections(named: str | tuple[str, ...] | Mapping[str, str], folder: str) -> Corrections:
    """Read the files that a spec names.

    Parameters
    ----------
    named : str, tuple of str or mapping of str to str
        One file; several, whose corrections go into one set; or one by each
        name, where files have corrections of the same name.
    folder : str
        What relative names are relative to.

    Raises
    ------
    SpecError
        Two files hold corrections of the same name.
    DataNotFoundError, DataError
        There is no such file, or it is none of schema version 2.
    """
    if not named:
        return Corrections()
    table = isinstance(named, Mapping)
    files = list(named.items()) if isinstance(named, Mapping) else []
    if not table:
        files = [("", n) for n in ([named] if isinstance(named, str) else named)]
    texts, inputs = [], []
    for name, file in files:
        text, identity = correction_file(file, folder)
        texts.append((name, file, text))
        inputs.append((file, identity))
    if table or len(texts) == 1:
        sets = [(name, text) for name, _, text in texts]
    else:
        sets = [("", _merged([(file, text) for _, file, text in texts]))]
    return Corrections(tuple(sets), tuple(inputs))


def correction_file(file: str, folder: str) -> tuple[str, str]:
    """The JSON of one file, and the identity of its content.

    Raises
    ------
    DataNotFoundError, DataError
        There is no such file, or it is none of schema version 2.
    """
    url = storage.join(folder, file)
    data = storage.read_bytes(url)
    return _text(data, url), f"sha256 {hashlib.sha256(data).hexdigest()}"


def _text(data: bytes, url: str) -> str:
    if data[:2] == b"\x1f\x8b":
        data = _unpacked(data, url)
    try:
        text = data.decode()
        library(text)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        remedy = "name a JSON file of schema version 2, or copy it again"
        if "schema v2" in reason:
            reason, remedy = "it has another schema version than 2", "convert it to version 2"
        raise DataError(f"not a correctionlib file ({reason})", url, remedy) from error
    return text


def _unpacked(data: bytes, url: str) -> bytes:
    """All members of a gzip file, if they are whole and not too large."""
    out: list[bytes] = []
    left, size = data, 0
    try:
        while left:
            member = zlib.decompressobj(wbits=31)
            out.append(member.decompress(left, LARGEST - size + 1))
            size += len(out[-1])
            if size > LARGEST:
                message = f"unpacked, it has more than {LARGEST} bytes"
                raise DataError(message, url, "leave corrections out that are not used")
            if not member.eof:
                raise DataError("the gzip file is not complete", url, "copy it again")
            left = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise DataError(f"the gzip file is damaged ({error})", url, "copy it again") from None
    return b"".join(out)


def _merged(files: list[tuple[str, str]]) -> str:
    """One set of all; correctionlib has simple and compound corrections."""
    total: dict[str, Any] = {"schema_version": 2, "corrections": [], "compound_corrections": []}
    origin: dict[str, str] = {}
    for file, text in files:
        content = json.loads(text)
        for kind in ("corrections", "compound_corrections"):
            for correction in content.get(kind) or ():
                name = correction["name"]
                if name in origin:
                    raise SpecError(
                        f"{origin[name]} and {file} both hold {name!r}",
                        "corrections",
                        'give each file a name: corrections = { a = "...", b = "..." }',
                    )
                origin[name] = file
                total[kind].append(correction)
    return json.dumps(total)


@lru_cache(maxsize=16)
def compiled(text: str, *, check: int) -> CorrectionKernels:
    """A correctionlib file as kernels, made once in a process."""
    from spectrum_workflows.hep.corrections.evaluation import compile_corrections

    return compile_corrections(text, library(text), check=check)


@lru_cache(maxsize=16)
def library(text: str) -> Any:
    """A correctionlib file as correctionlib's own set, made once in a process."""
    from correctionlib import CorrectionSet

    return CorrectionSet.from_string(text)
