"""Sources of our own modules, kept in the user's cache: the same as when they are parsed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spectrum_workflows.code_identity import kept_sources
from spectrum_workflows.code_identity.source import Source, parsed

PARSER = "p" * 64
PROGRAM = """
from spectrum_workflows.code_identity import dependencies
parsed, contents = dependencies.parsed, []
dependencies.parsed = lambda content, path: contents.append(content) or parsed(content, path)
print(dependencies.code_of("spectrum_workflows.specs").digest, len(contents))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept_sources._read.cache_clear()
    yield tmp_path / "spectrum-workflows"
    kept_sources._read.cache_clear()


def source(text: str) -> Source:
    return parsed(text.encode(), "some.py")


ODD = source(
    "import a.b\nfrom ..c import d as e, f\nname = open('x/\\ud800.txt'), '/data/y', __doc__\n"
)


def test_what_is_kept_is_what_was_parsed() -> None:
    kept_sources.keep({ODD.content: ODD}, PARSER)
    plain = source("x = 1")
    kept_sources.keep({plain.content: plain}, PARSER)
    assert kept_sources.recall(PARSER) == {ODD.content: ODD, plain.content: plain}
    assert kept_sources.recall("q" * 64) == {}


def test_a_damaged_cache_is_none(cache: Path) -> None:
    kept_sources.keep({ODD.content: ODD}, PARSER)
    (file,) = cache.iterdir()
    file.write_text(file.read_text().replace("data", "Data"))
    kept_sources._read.cache_clear()
    assert kept_sources.recall(PARSER) == {}
    file.write_bytes(b"\xff\xfe")
    kept_sources._read.cache_clear()
    assert kept_sources.recall(PARSER) == {}


def test_older_entries_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_sources, "MOST", 2)
    for text in ("x = 1", "x = 2", "x = 3"):
        kept_sources.keep({source(text).content: source(text)}, PARSER)
    assert kept_sources.recall(PARSER) == {source("x = 3").content: source("x = 3")}


def test_a_cache_that_cannot_be_written_to_is_none(cache: Path) -> None:
    cache.write_text("a file where a folder should be")
    kept_sources.keep({ODD.content: ODD}, PARSER)
    assert kept_sources.recall(PARSER) == {}


def test_the_next_process_parses_nothing_and_says_the_same() -> None:
    command = [sys.executable, "-c", PROGRAM]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )
    assert first[0] == second[0]
    assert int(first[1]) > 1
    assert second[1] == "0"
