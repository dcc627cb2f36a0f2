"""The page of evidence says what the files beside it say, and nothing else."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "evidence.py"


@pytest.fixture(scope="module")
def evidence():
    described = importlib.util.spec_from_file_location("evidence", SCRIPT)
    module = importlib.util.module_from_spec(described)
    with pytest.MonkeyPatch.context() as patch:  # dataclasses look their module up
        patch.syspath_prepend(SCRIPT.parent)
        patch.setitem(__import__("sys").modules, "evidence", module)
        described.loader.exec_module(module)
        yield module


def test_the_page_is_rendered_from_the_files_as_they_are(evidence):
    assert evidence.PAGE.read_text() == evidence.page(), "run make evidence"


def test_every_file_belongs_to_a_claim_and_every_command_is_there(evidence):
    files = {path.name for path in evidence.FOLDER.glob("*.json")}
    assert files <= {claim.file for claim in evidence.CLAIMS}
    for claim in evidence.CLAIMS:
        for word in claim.command.split():
            if "/" in word and not word.startswith("docs/"):
                assert (ROOT / word).exists(), claim.command


@pytest.mark.parametrize(
    ("bars_are", "bar", "verdict"),
    [("at least", 2.0, "**Missed:** a."), ("at most", 2.0, "All bars hold.")],
)
def test_a_missed_bar_is_said(evidence, tmp_path, monkeypatch, bars_are, bar, verdict):
    told = {"ratios": {"a": 1.5}, "bars": {"a": bar}, "bars_are": bars_are}
    told |= {"holds": bars_are == "at most", "machine": "a CPU", "date": "2026-01-01"}
    (tmp_path / "x.json").write_text(json.dumps(told))
    monkeypatch.setattr(evidence, "FOLDER", tmp_path)
    claim = evidence.Claim("A", "Words.", "python x", "x.json", evidence.ratios)
    text = evidence.section(claim)
    assert "| a | 1.5 | 2 |" in text
    assert text.endswith(f"2026-01-01, a CPU. {verdict}\n")


def test_what_has_not_been_measured_says_so(evidence, tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "FOLDER", tmp_path)
    claim = evidence.Claim("A", "Words.", "python x", "x.json", evidence.ratios)
    assert evidence.section(claim).endswith("Not measured on the present tree.\n")
