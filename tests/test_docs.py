"""The documentation site: what it says of names, keys and commands is all there is."""

import inspect
import re
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from spectrum_workflows.cli.commands import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SURFACE = (ROOT / "tests" / "public_surface.txt").read_text()


def script(name: str) -> ModuleType:
    """A module of docs/, which is no package."""
    sys.path.insert(0, str(DOCS))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(DOCS))


pages, links = script("pages"), script("links")
NAMES = pages.public_names(SURFACE)


# Public names


def undocumented(value: Any) -> list[str]:
    """Parameters, fields and attributes that a docstring does not have a line for."""
    doc = inspect.getdoc(value) or ""
    names = [n for n in inspect.signature(value).parameters if n not in {"args", "kwargs"}]
    missing = [
        n for n in names if not re.search(rf"^(?:\w+, )*{n}(?:, \w+)*(?: : .+)?$", doc, re.M)
    ]
    members = vars(value) if isinstance(value, type) else {}
    shown = {n: m for n, m in members.items() if not n.startswith("_") and n not in names}
    return missing + [n for n, member in shown.items() if not inspect.getdoc(member)]


def test_every_line_of_the_surface_is_on_the_page() -> None:
    page = pages.api_page(SURFACE)
    assert len(NAMES) == len(re.findall(r"\(.*->|\(.*\)$", SURFACE, re.M)) > 10
    for name in NAMES:
        assert f"{name.module}.{name.name}\n" in page
    named = {name.name for name in NAMES}
    attributes = [line.split(".")[-2] for line in SURFACE.splitlines() if "(" not in line]
    assert {*attributes} <= named  # shown with their class: autodoc's :members:


@pytest.mark.parametrize("name", NAMES, ids=lambda n: n.name)
def test_a_public_name_says_what_each_of_its_parts_means(name: Any) -> None:
    assert undocumented(name.value) == []


def test_a_part_that_is_not_described_is_found() -> None:
    def f(here: int, gone: int) -> None:
        """Do.

        Parameters
        ----------
        here : int
            Described.
        """

    assert undocumented(f) == ["gone"]


def test_a_name_that_is_nowhere_is_an_error() -> None:
    with pytest.raises(LookupError, match="Nowhere"):
        pages.public_names("Nowhere(x: 'int') -> None\n")


# Commands


def commands(command: Any, path: tuple[str, ...] = ("spectrum",)) -> dict[tuple[str, ...], Any]:
    """Every command and group of commands, by the words that call it."""
    inner = getattr(command, "commands", {})
    found = {path: command}
    for name, child in inner.items():
        found |= commands(child, (*path, name))
    return found


def test_every_command_and_option_is_on_the_page_and_described() -> None:
    page = pages.commands_page()
    every = commands(typer.main.get_command(app))
    assert len(every) > 15
    for words, command in every.items():
        assert f"# `{' '.join(words)}`\n" in page
        assert command.help
        for parameter in command.params:
            assert parameter.help, (words, parameter.name)
            for option in parameter.opts:
                assert not option.startswith("--") or f"`{option}" in page


# Pages


def test_every_page_is_in_a_table_of_contents() -> None:
    written = {
        str(p.relative_to(DOCS).with_suffix(""))
        for p in DOCS.rglob("*.md")
        if "generated" not in p.parts
    }
    listed: set[str] = set()
    for page in written:
        text = (DOCS / f"{page}.md").read_text()
        for table in re.findall(r"```\{toctree\}\n(.*?)```", text, re.S):
            entries = [ln for ln in table.splitlines() if ln and not ln.startswith(":")]
            names = [re.sub(r".*<(.*)>", r"\1", entry) for entry in entries]
            folder = (DOCS / page).parent
            listed |= {str((folder / n).resolve().relative_to(DOCS)) for n in names}
    notebooks = {
        f"generated/workflows/{p.relative_to(ROOT / 'workflows').with_suffix('')}"
        for p in (ROOT / "workflows").rglob("*.ipynb")
    }
    pages_made = ("api", "commands", "contributing", "third_science/README")
    pages_made += tuple(f"use_cases/{name}" for name in pages.USE_CASES)
    made = {*(f"generated/{name}" for name in pages_made), *notebooks}
    assert listed == (written - {"index"}) | made


def test_the_front_page_can_be_read_at_once() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 900


def test_links_between_pages_and_to_notebooks_lead_somewhere() -> None:
    broken = []
    for page in sorted(p for p in DOCS.rglob("*.md") if "generated" not in p.parts):
        for link in re.findall(r"\]\(([^)\s#]+)", page.read_text()):
            if "://" not in link and not link.startswith("mailto:"):
                target = (page.parent / link).resolve()
                made = "generated" in target.parts
                if not (made or target.exists()):
                    broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<h1 id="x">A</h1><a href="b.html#y">b</a><a href="#x">x</a>')
    (tmp_path / "b.html").write_text('<img src="no.png"><a href="a.html#z">a</a>')
    (tmp_path / "c.html").write_text('<a href="https://example.org/">e</a><a href="a.html#x">a</a>')
    assert links.broken(tmp_path) == [
        "a.html: b.html#y",
        "b.html: no.png",
        "b.html: a.html#z",
    ]


def test_links_to_notebooks_lead_to_their_pages_and_back(tmp_path: Path) -> None:
    text = "see [t](../workflows/hep/ttbar.ipynb) and [s](strips.md)"
    assert pages.linked_to_copies(text) == (
        "see [t](/generated/workflows/hep/ttbar.ipynb) and [s](strips.md)"
    )
    (tmp_path / "in" / "radio").mkdir(parents=True)
    (tmp_path / "in" / "radio" / "a.ipynb").write_text("[how](../../docs/strips.md)")
    pages.copy_notebooks(tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out" / "radio" / "a.ipynb").read_text() == "[how](/strips.md)"


# Examples


def examples(page: Path) -> list[tuple[str, str]]:
    """Python of a page, block by block, each with the text that stands below it."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(), re.S | re.M)
    return [
        (code, text if kind == "text" else "")
        for (language, code), (kind, text) in pairwise([*blocks, ("", "")])
        if language == "python"
    ]


ENGINE = [page for page in sorted((DOCS / "engine").glob("*.md")) if examples(page)]


@pytest.mark.parametrize("page", ENGINE, ids=lambda p: p.stem)
def test_the_examples_of_the_engine_print_what_the_page_says(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for code, printed in examples(page):
        exec(compile(code, str(page), "exec"), names)
        assert capsys.readouterr().out == printed


def test_examples_are_found(tmp_path: Path) -> None:
    assert len(ENGINE) > 3
    page = tmp_path / "page.md"
    page.write_text("```python\na = 1\n```\n\n```python\nprint(a)\n```\n\n```text\n1\n```\n")
    assert examples(page) == [("a = 1\n", ""), ("print(a)\n", "1\n")]
