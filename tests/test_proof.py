"""What a proof says; that notebooks really run at sites is tests/services/test_proof.py."""

import json
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from spectrum_workflows.proof import Proof, Row, markdown, prove, write
from spectrum_workflows.proof.kernel import executed

FIRST = Row("hep/a.ipynb", "0" * 64, "serial", "file", 0, "1" * 64, 1.0, 10, "reference")
SECOND = replace(FIRST, site="laptop", workers=2, agreement="identical")
OLD = replace(SECOND, site="old", agreement="equivalent", equivalent_only=True)


@pytest.mark.parametrize(
    ("rows", "holds"),
    [
        ((FIRST, SECOND), True),
        ((FIRST, SECOND, OLD), True),
        ((FIRST, OLD), False),  # one real site proves nothing
        ((FIRST,), False),
        ((FIRST, replace(SECOND, agreement="different")), False),
        ((FIRST, replace(SECOND, agreement="equivalent", equivalent_only=True)), False),
        ((FIRST, SECOND, replace(SECOND, site="x", agreement="failed", error="no")), False),
        ((FIRST, SECOND, replace(SECOND, notebook="radio/b.ipynb")), False),
    ],
)
def test_a_proof_holds_where_all_results_are_the_same(rows: tuple[Row, ...], holds: bool) -> None:
    assert Proof(rows, frozenset({"old"})).holds is holds


def test_a_proof_is_written_for_people_and_programs(tmp_path: Path) -> None:
    proof = Proof((FIRST, replace(SECOND, error="a | b", digest="")), frozenset())
    assert write(proof, str(tmp_path)) == ["proof.json", "proof.md"]
    found = json.loads((tmp_path / "proof.json").read_text())
    assert found["holds"] is True
    asked = {"notebook", "sha256", "site", "store", "workers", "digest", "seconds", "bytes_read"}
    assert all(asked | {"equivalent_only"} <= row.keys() for row in found["rows"])
    table = markdown(proof).splitlines()
    assert table[0].startswith("| notebook | site | store | workers | digest | result |")
    assert table[2].count("|") == table[3].count("|") == table[0].count("|")


def notebook(*sources: str) -> bytes:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()


def test_what_goes_wrong_in_a_notebook_is_one_line(tmp_path: Path) -> None:
    place = str(tmp_path / "n.ipynb")
    assert executed(place, notebook("x = 1"), {}) == ""
    assert executed(place, notebook("1 / 0"), {}) == "ZeroDivisionError: division by zero"
    assert "Kernel died" in executed(place, notebook("import os; os._exit(1)"), {})
    assert "\n" not in executed(place, b"not a notebook", {}) != ""


def test_a_notebook_that_saves_nothing_proves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty.ipynb"
    path.write_bytes(notebook("x = 1"))
    found = prove(["serial"], [str(path)], folder=str(tmp_path))
    assert found.rows[0].error == "the notebook saved no run"
    assert not found.holds
