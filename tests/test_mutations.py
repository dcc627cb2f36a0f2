"""Texts that were damaged by chance are refused in words, or are valid: never a traceback.

``SPECTRUM_MUTATIONS=500 pytest tests/test_mutations.py`` tries more of them.
"""

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrum_workflows import compare, load_site, load_spec, shipped, storage
from spectrum_workflows.catalogue import catalogue, copies, located
from spectrum_workflows.domain import Metrics, Plan
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.record import Outcome, save
from spectrum_workflows.record.digest import digest
from spectrum_workflows.sites import job_script

MUTATIONS = int(os.environ.get("SPECTRUM_MUTATIONS", "40"))
PIECES = [
    *(b"", b"\0", b"\xff", b"\n", b'"', b"[", b"]", b"[[", b"{", b"}", b"=", b".", b"#", b"'''"),
    *(b"nan", b"inf", b"-1", b"0", b"1e999", b"9" * 400, b"0x7fffffffffffffffff", b"true", b"null"),
    *(b"../../etc/passwd", b"/etc/passwd", b"s3://b/x", b"${HOME}", b"1979-05-27T07:32:00Z"),
    *(b"[" * 2000, b'{"a":' * 2000, b"\xf0\x9f\x9a\x80", b"A" * 100_000, b"\\u0000", b"\\"),
]


def mutated(text: bytes, chance: random.Random) -> bytes:
    """A few changes: pieces put in, bytes flipped, lines left out, doubled or exchanged."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        lines = text.split(b"\n")
        n, m = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(7):
            case 0:
                text = text[:at] + chance.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + chance.choice(PIECES) + text[at + chance.randint(1, 20) :]
            case 2 if at < len(text):
                text = text[:at] + bytes([text[at] ^ 1 << chance.randrange(8)]) + text[at + 1 :]
            case 3:
                text = b"\n".join([*lines[:n], *lines[n + 1 :]])
            case 4:
                text = b"\n".join([*lines[:n], lines[m], *lines[n:]])
            case 5:  # another value
                key, equals, _ = lines[n].partition(b"=")
                lines[n] = key + equals + b" " + chance.choice([*PIECES[14:], b'"x"', b"[]", b"{}"])
                text = b"\n".join(lines)
            case _:
                text = text[:at]
    return text


def tried(text: bytes, path: Path, use: Callable[[Path], object]) -> None:
    """Each of many mutations is used, or refused with an error of ours, within seconds."""
    path.write_bytes(text)
    with suppress(SpectrumError):
        use(path)  # whatever has to be imported first
    for seed in range(MUTATIONS):
        path.write_bytes(mutated(text, random.Random(seed)))
        begun, said = time.process_time(), "used"
        try:
            use(path)
        except SpectrumError as error:
            said = str(error)
        except Exception as error:
            pytest.fail(f"seed {seed}: {type(error).__name__}: {error}"[:500])
        assert 0 < len(said) < 3000, f"seed {seed}: {said[:300]}"
        assert time.process_time() - begun < 20, seed


@pytest.mark.parametrize("name", ["hep/quickstart", "hep/ttbar", "radio/vla_sim", "radio/large"])
def test_specs(name: str, tmp_path: Path) -> None:
    text = (shipped.folder("workflows") / f"{name}.toml").read_bytes()
    tried(text, tmp_path / "spec.toml", load_spec)


@pytest.mark.parametrize("name", ["laptop", "slurm", "cloud"])
def test_site_profiles(name: str, tmp_path: Path) -> None:
    text = (shipped.folder("environments") / f"{name}.toml").read_bytes()
    text += b'\n[workers]\ncount = 2\npartition_timeout = "10 minutes"\n' * (
        b"[workers]" not in text
    )
    tried(text, tmp_path / "site.toml", lambda path: job_script(load_site(path)))


def test_catalogues(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x")
    text = b"""[entries.mine]
title = "t"
licence = "l"
citation = "c"
source = "s"
replicas = ["/nowhere", "memory://nowhere"]
[[entries.mine.files]]
name = "a.bin"
size = 1
events = 5
unpacked = 100
"""

    def use(path: Path) -> None:
        root = str(path.parent)
        if "mine" in catalogue(root):
            located("catalogue:mine", root)
            copies(["catalogue:mine"], root)

    tried(text, tmp_path / "catalogue.toml", use)


def test_notes_of_a_catalogue(tmp_path: Path) -> None:
    lines = 'title = "t"\nlicence = "l"\ncitation = "c"\nsource = "s"\n'
    files = '[[entries.mine.files]]\nname = "a.bin"\n'
    (tmp_path / "catalogue.toml").write_text(f"[entries.mine]\n{lines}{files}")
    (tmp_path / "a.bin").write_bytes(b"x")
    note = {"a.bin": {"size": 1, "changed": 5, "checksum": f"sha256:{'0' * 64}"}}
    text = json.dumps(note, indent=1).encode()
    tried(text, tmp_path / "checksums.json", lambda _: located("catalogue:mine", str(tmp_path)))


def test_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recorded is read back whole, or refused; nothing outside the folder is opened."""
    spec = load_spec(shipped.folder("workflows") / "hep" / "quickstart.toml")
    read = storage.read_bytes
    made = Outcome(
        *(spec, Plan((), 0, 0), None, Metrics(), digest({"x": np.ones(1)})),
        *("2026-01-02T03:04:05+00:00", 1.0, 1.0, 0, {}, ()),
    )
    science = replace(
        made.domain,
        files=lambda result: iter([("numbers.json", b"{}")]),
        summary=lambda result: {},
        warnings=lambda result: (),
        pictures=lambda result: iter(()),
        read=lambda folder: {"x": np.ones(1)},
        axes=lambda *_: {},
    )
    monkeypatch.setattr(Outcome, "domain", science)
    monkeypatch.setattr("spectrum_workflows.domain.get", lambda name: science)
    folder = Path(save(made, str(tmp_path / "results")))
    shutil.copytree(folder, tmp_path / "good")

    def inside(url: str) -> bytes:
        assert Path(url).resolve().is_relative_to(tmp_path), url
        return read(url)

    monkeypatch.setattr(storage, "read_bytes", inside)
    text = (folder / "record.json").read_bytes()
    tried(text, folder / "record.json", lambda _: compare(str(folder), str(tmp_path / "good")))
