"""Runs on inputs that were damaged by chance, each in a process with limits of its own.

``python tests/mutated_inputs.py KIND SOURCE FIRST COUNT SCRATCH`` prints one JSON line per input.
"""

import contextlib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import casacore.tables as casa
import numpy as np
import uproot

from spectrum_workflows import radio, run
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.radio.spec import RadioSpec
from spectrum_workflows.sites import Place, load_site

MEMORY, SECONDS = 8 << 30, 100
PIECES = [b"\0", b"\xff", b"-1", b"1e999", b"null", b"{}", b"[", b'"', b"9" * 40, b"\xff" * 8]
ARCSEC, SPEED_OF_LIGHT = np.pi / 648_000, 299_792_458.0


@dataclass(frozen=True)
class Ending:
    """What became of one input: ``refused``, ``right``, ``wrong``, ``crashed`` or ``killed``."""

    seed: int
    file: str
    change: str
    ending: str
    words: str


def mutated(data: bytes, chance: random.Random) -> tuple[bytes, str]:
    """One to three changes of bytes, half of them near the start."""
    changed, changes = bytearray(data), []
    for _ in range(chance.randint(1, 3)):
        within = min(len(changed), 600) if chance.random() < 0.5 else len(changed)
        at = chance.randrange(max(within, 1))
        change = chance.choice(["bit", "byte", "cut", "zeros", "piece"])
        changes.append(f"{change} at {at}")
        match change:
            case "bit" if changed:
                changed[at] ^= 1 << chance.randrange(8)
            case "byte" if changed:
                changed[at] = chance.randrange(256)
            case "cut" if chance.random() < 0.2:
                del changed[at:]
            case "zeros":
                changed[at : at + 32] = bytes(len(changed[at : at + 32]))
            case "piece":
                piece = chance.choice(PIECES)
                changed[at : at + len(piece)] = piece
    return bytes(changed), ", ".join(changes)


def damaged(source: Path, copy: Path, seed: int, chosen: Callable[[Path], bool]) -> tuple[str, str]:
    """Make a copy in which one file is damaged; its name and what was done."""
    chance = random.Random(seed)
    if source.is_file():
        files, names = [source], [""]
        shutil.copy(source, copy)
    else:
        shutil.copytree(source, copy)
        files = sorted(p for p in source.rglob("*") if p.is_file() and chosen(p))
        names = [str(p.relative_to(source)) for p in files]
    number = chance.randrange(len(files))
    content, change = mutated(files[number].read_bytes(), chance)
    (copy / names[number] if names[number] else copy).write_bytes(content)
    return names[number] or source.name, change


HEP = HepSpec.model_validate(
    {
        "workflow": "hep",
        "name": "met",
        "select": "spectrum_workflows.hep.analyses.adl:q1",
        "columns": ["MET_pt"],
        "luminosity": 1.0,
        "samples": {"s": {"files": ["s.root"], "data": True}},
        "histograms": {"met": {"observable": "met", "bins": 20, "start": 0.0, "stop": 200.0}},
    }
)
RADIO = RadioSpec.model_validate(
    {
        "workflow": "radio",
        "name": "i",
        "data_set": "s",
        "image": {"npix": 48, "cell_arcsec": 8.0, "epsilon": 1e-5},
    }
)


def expected_counts(folder: Path) -> np.ndarray:
    """The histogram as uproot and NumPy make it."""
    with uproot.open(folder / "s.root") as file:
        met = file["Events"]["MET_pt"].array(library="np")
    return np.histogram(met, 20, (0.0, 200.0))[0]


def columns_of_tables(path: Path) -> Iterator[np.ndarray]:
    """Data, flags, weights, uvw, flagged rows, antennas, frequencies: as casacore reads them."""
    with casa.table(str(path), ack=False) as table:
        for column in ("DATA", "FLAG", "WEIGHT", "UVW", "FLAG_ROW", "ANTENNA1", "ANTENNA2"):
            yield table.getcol(column)
    with casa.table(str(path) + "::SPECTRAL_WINDOW", ack=False) as table:
        yield table.getcell("CHAN_FREQ", 0)


def expected_pixels(path: Path, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, float]:
    """Dirty image of natural weights at some pixels, by a direct sum, and its scale; Jy/beam."""
    data, flag, weight, uvw, row, a, b, frequency = columns_of_tables(path)
    hands = [0, data.shape[2] - 1]
    data, flag, weight = data[:, :, hands], flag[:, :, hands], weight[:, None, hands]
    usable = (~flag & np.isfinite(data) & (weight > 0)).all(axis=2) & ~row[:, None]
    usable &= (a != b)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.broadcast_to(4 / (1 / weight.astype(float)).sum(axis=2), usable.shape)[usable]
    waves = (uvw[:, None, :] * (frequency / SPEED_OF_LIGHT)[None, :, None])[usable]
    visibility = data.mean(axis=2, dtype=complex)[usable]
    cell = RADIO.image.cell_arcsec * ARCSEC
    east, north = (24 - columns) * cell, (rows - 24) * cell
    turns = waves @ np.stack([east, north, np.sqrt(1 - east**2 - north**2) - 1])
    image = (total[:, None] * (visibility[:, None] * np.exp(-2j * np.pi * turns)).real).sum(0)
    return image / total.sum(), (total * np.abs(visibility)).sum() / total.sum()


def try_hep(folder: Path) -> str:
    """Run, and compare with uproot's numbers."""
    place = Place(load_site("serial"), str(folder), str(folder / "out"))
    outcome = run(HEP, place)
    try:
        want = expected_counts(folder)
    except Exception as error:
        return f"wrong: uproot refuses it ({type(error).__name__}: {error})"
    values = outcome.result.histograms["s", "met"].values()
    return "right" if np.array_equal(values, want) else f"wrong: {values.sum()} for {want.sum()}"


def try_radio(folder: Path, observed: Path) -> str:
    """Run, and compare some pixels with a direct sum."""
    place = Place(load_site("serial"), str(folder), str(folder / "out"))
    outcome = run(RADIO, place)
    rows, columns = np.random.default_rng(0).integers(0, 48, (2, 12))
    dirty = radio.DOMAIN.arrays(outcome.result)["dirty"]
    want, scale = expected_pixels(observed, rows, columns)
    error = np.abs(dirty[rows, columns] - want).max()
    close = error <= 4 * RADIO.image.epsilon * scale or any("accura" in w for w in outcome.warnings)
    return "right" if close else f"wrong: off by {error / scale:.1e} of the scale"


def in_a_process(work: Callable[[], str]) -> tuple[str, str]:
    """How a piece of work ends within the limits of memory and time."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        try:
            words = work()
        except SpectrumError as error:
            words = f"refused: {error}"
        except BaseException:
            words = f"crashed: {traceback.format_exc()[-600:]}"
        os.write(write, words.encode(errors="replace")[:60_000])
        os._exit(0)
    os.close(write)
    words = b""
    while chunk := os.read(read, 65536):
        words += chunk
    os.close(read)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return "killed", signal.Signals(os.WTERMSIG(status)).name
    ending, _, rest = words.decode(errors="replace").partition(": ")
    return ending, rest


def _import_all(work: Callable[[], str]) -> None:
    """Import what a run needs, once, before the processes part; it must end right."""

    def modules() -> str:
        ending = work()
        return ending + ": " + " ".join(sys.modules)

    ending, names = in_a_process(modules)
    assert ending == "right", (ending, names)
    for name in names.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def endings(kind: str, source: Path, seeds: range, scratch: Path) -> Iterator[Ending]:
    """Damage and try one copy after the other."""
    name = source.name
    works: dict[str, Callable[[Path], str]] = {
        "root": try_hep,
        "ms": lambda folder: try_radio(folder, folder / name),
        "zarr": lambda folder: try_radio(folder, source.with_suffix(".ms")),
    }
    _import_all(lambda: works[kind](source.parent))
    for seed in seeds:
        folder = scratch / str(seed)
        folder.mkdir(parents=True)
        file, change = damaged(source, folder / name, seed, CHOSEN[kind])
        ending, words = in_a_process(lambda folder=folder: works[kind](folder))
        yield Ending(seed, file, change, ending, words)
        shutil.rmtree(folder)


CHOSEN: dict[str, Callable[[Path], bool]] = {
    "root": lambda path: True,
    "ms": lambda path: path.name not in ("table.lock", "table.info"),
    "zarr": lambda path: path.name == "zarr.json" and b"inline" in path.read_bytes(),
}
"""Files that are damaged: of a Zarr set those whose metadata are read, which hold all others'."""

if __name__ == "__main__":
    kind, source, first, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    scratch = Path(sys.argv[5])
    for ending in endings(kind, source, range(first, first + count), scratch):
        sys.stdout.write(json.dumps(asdict(ending)) + "\n")
        sys.stdout.flush()
