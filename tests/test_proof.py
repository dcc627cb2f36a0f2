"""What a proof says; that notebooks really run at sites is tests/services/test_proof.py."""

import json
import platform
import sys
import tomllib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from spectrum_workflows import check, load_site, load_spec, make_data
from spectrum_workflows.errors import DataNotFoundError, SpecError
from spectrum_workflows.proof import (
    DataStore,
    Proof,
    Row,
    machine_codes,
    markdown,
    other_python,
    prove,
    read_stores,
    write,
)
from spectrum_workflows.proof.kernel import executed
from spectrum_workflows.proof.places import covering, profile, rows, upload
from spectrum_workflows.sites import Place

ROOT = Path(__file__).parents[1]

FIRST = Row("hep/a.ipynb", "0" * 64, "serial", "file", 0, "1" * 64, 1.0, 10, "reference")
SECOND = replace(FIRST, site="laptop", workers=2, agreement="identical")
OLD = replace(SECOND, site="old", agreement="equivalent", equivalent_only=True)


@pytest.mark.parametrize(
    ("rows", "holds"),
    [
        ((FIRST, SECOND), True),
        ((FIRST, SECOND, OLD), True),
        ((FIRST, SECOND, replace(OLD, agreement="different")), True),
        ((FIRST, SECOND, replace(OLD, agreement="failed")), False),
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


SAVES = """\
from spectrum_workflows import *
with connect(load_site()) as place:
    spec = load_spec({spec!r})
    make_data(spec, place, size=500)
    save(run(spec, place), place)
"""


@pytest.mark.long  # `make proof` does it with every notebook
def test_other_machine_code_and_another_python(tmp_path: Path) -> None:
    """In real kernels: the same to the bit; below x86-64-v3 a dirty image is equivalent."""
    text = (ROOT / "workflows/radio/vla_sim.toml").read_text().partition("[clean]")
    dirty = (
        text[0].replace("npix = 512", "npix = 128")
        + "[synthetic]"
        + text[2].partition("[synthetic]")[2]
    )
    (tmp_path / "small.toml").write_text(dirty)
    path = tmp_path / "small.ipynb"
    path.write_bytes(notebook(SAVES.format(spec=str(tmp_path / "small.toml"))))
    low, high = machine_codes()[0], machine_codes()[2]
    other = replace(other_python(sys.executable), environment=high.environment)
    found = prove(["serial"], [str(path)], folder=str(tmp_path), variants=[low, other])
    reference, below, same = found.rows
    assert [row.error for row in found.rows] == ["", "", ""]
    assert below.agreement in ("identical", "equivalent")
    assert (same.agreement, same.digest) == ("identical", reference.digest)
    assert same.site == f"laptop, Python {platform.python_version()}"
    assert found.allowed == {low.name} == {below.site}
    assert found.holds


def test_which_machine_code_is_asked_for() -> None:
    assert [variant.name.partition(", ")[2] for variant in machine_codes()] == [
        *("ducc0 at most v2", "ducc0 at most v3", "ducc0 at most v4"),
        *("OpenBLAS Zen", "OpenBLAS Sandybridge"),
    ]
    assert [variant.level for variant in machine_codes()] == [2, 3, 3, 3, 3]


def test_a_python_without_the_package_is_an_error_at_once() -> None:
    with pytest.raises(DataNotFoundError, match="no Python with this package"):
        other_python("/nowhere/python")


REMOTE = DataStore("remote", "s3://b/d", "s3://b/d", ("hep/*",), {"s3://b": {"profile": "p"}})
LOCAL = DataStore("file", "/d", "/d")


@pytest.mark.parametrize(
    ("served", "size"), [(("hep/*", "hep/*", "hep/*", "hep/*"), 13), (("*", "*", "hep/*", "*"), 10)]
)
def test_a_few_rows_cover_every_site_and_every_store(served: tuple[str, ...], size: int) -> None:
    stores = [LOCAL, *(replace(REMOTE, name=str(n), notebooks=(p,)) for n, p in enumerate(served))]
    full = rows(["hep/a", "radio/b"], ["w", "x", "y", "z"], stores)
    chosen = covering(full)
    assert len(chosen) == len({*chosen}) == size
    assert {*chosen} <= {*full}
    assert full[0] in chosen
    for name in ("site", "store"):
        times = Counter(getattr(where, name) for where in chosen)
        assert min(times.values()) >= 2
        assert times.keys() == {getattr(where, name) for where in full}
    assert len({(where.notebook, where.site) for where in chosen}) == 8


def test_without_stores_every_site_is_covered() -> None:
    full = rows(["hep/a", "radio/b"], ["w", "x", "y"], [LOCAL, REMOTE][:1])
    assert covering(full) == full


STORE = """\
[a]
data = "s3://b/d"
notebooks = ["hep/*"]
[a.storage."s3://b"]
profile = "p"
"""


def test_stores_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "stores.toml"
    file.write_text(STORE)
    [store] = read_stores(str(file))
    assert store == replace(REMOTE, name="a")
    assert store.serves("hep/quickstart.ipynb")
    assert not store.serves("radio/quickstart.ipynb")
    found = tomllib.loads(profile("slurm", str(tmp_path), store))
    assert found.pop("results") == str(tmp_path)
    assert found == {
        "extends": "slurm",
        "data": "s3://b/d",
        "ledger": {"enabled": False},
        "storage": {"s3://b": {"profile": "p"}},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]", "it needs data"),
        ("[a]\ndata = '/d'\ncolour = 'red'", "it needs data, and may have"),
        ("[a]\ndata = '/d'\n[a.storage.'s3://b']\nsecret = 'x'", "is a credential"),
        ("[file]\ndata = '/d'", "not a store"),
    ],
)
def test_what_is_wrong_in_a_file_of_stores(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "stores.toml"
    file.write_text(text)
    with pytest.raises(SpecError, match=said):
        read_stores(str(file))
    with pytest.raises(DataNotFoundError):
        read_stores(str(tmp_path / "none.toml"))


def test_files_are_copied_to_a_store_and_sets_converted(tmp_path: Path) -> None:
    data, there = tmp_path / "data", str(tmp_path / "there")
    (data / "other.ms").mkdir(parents=True)
    (data / "a.root").write_text("a")
    spec = load_spec(ROOT / "workflows/radio/vla_sim.toml")
    [made] = make_data(spec, Place(load_site("serial"), str(data), ""), size=2_000)
    upload(data, [Path(made)], DataStore("x", there, there))
    copied = {p.relative_to(there).parts[0] for p in Path(there).rglob("*") if p.is_file()}
    notes = {"vla_sim.sources.json", "vla_sim.synthetic.json"}
    assert copied == {"a.root", "vla_sim.zarr"} | notes
    at_the_store = Place(load_site("serial"), there, "")
    assert make_data(spec, at_the_store) == [f"{there}/vla_sim.zarr"]  # found, not made
    assert (
        check(spec, at_the_store).plan.size
        == check(spec, replace(at_the_store, data=str(data))).plan.size
    )
