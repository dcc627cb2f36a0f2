"""The page of evidence, from what the proof and the benchmarks printed with ``--json``.

    make evidence

No number of the page is typed: each table is one file of docs/evidence, made by the
command that stands above it.

    python benchmarks/evidence.py [--check]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence_picture import picture
from spectrum_workflows.blueprint.page import shown_of
from spectrum_workflows.blueprint.reading import MEASURED, load_blueprint

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "evidence"
PAGE = ROOT / "docs" / "evidence.md"
PICTURE = ROOT / "docs" / "images" / "continuum.png"
PROJECTED = ROOT / "docs" / "images" / "projection.png"
SITES = {"serial": "serial", "laptop": "laptop", "slurm": "SLURM", "cloud": "Dask Gateway"}

Told = Mapping[str, Any]
"""The object that one benchmark printed."""


@dataclass(frozen=True)
class Claim:
    """One claim: its words, the command that measures it, its file and its tables."""

    title: str
    words: str
    command: str
    file: str
    tables: Callable[[Told], Iterable[str]]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None) -> str:
    """A ratio to three digits; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.3g}"


def ratios(told: Told) -> Iterable[str]:
    """Every ratio beside its bar; names of the form ``file: ratio`` get a column per file."""
    names = list(told["ratios"])
    if not all(": " in name for name in names):
        rows = [(n, number(told["ratios"][n]), _bar(told, n)) for n in names]
        yield table(("", "measured", f"bar ({told['bars_are']})"), rows)
        return
    files = list(dict.fromkeys(name.partition(": ")[0] for name in names))
    kinds = list(dict.fromkeys(name.partition(": ")[2] for name in names))
    rows = []
    for kind in kinds:
        measured = [number(told["ratios"].get(f"{file}: {kind}")) for file in files]
        bar = next(
            (_bar(told, f"{f}: {kind}") for f in files if f"{f}: {kind}" in told["bars"]), ""
        )
        rows.append((kind, *measured, bar))
    yield table(("", *files, f"bar ({told['bars_are']})"), rows)


def _bar(told: Told, name: str) -> str:
    return number(told["bars"][name]) if name in told["bars"] else ""


def proof(told: Told) -> Iterable[str]:
    """The matrix of sites and stores, what was varied besides, and every row."""
    rows = told["rows"]
    matrix = []
    for notebook, store in dict.fromkeys((row["notebook"], row["store"]) for row in rows):
        here = [r for r in rows if (r["notebook"], r["store"]) == (notebook, store)]
        cells = [next((r for r in here if r["site"] == site), None) for site in SITES]
        matrix.append((notebook, store, *(_cell(row) for row in cells)))
    yield table(("notebook", "data in", *SITES.values()), matrix)
    others = [row for row in rows if row["site"] not in SITES]
    if others:
        yield (
            "At the laptop, with other machine code or another Python; the same bits are promised"
            " on x86-64-v3 and above, and what v2 gives is shown:"
        )
        yield table(
            ("notebook", "with", "digest", "result"),
            [(r["notebook"], r["site"], r["digest"][:12], r["agreement"]) for r in others],
        )
    link = "[proof.json](evidence/proof.json)"
    yield f"{len(rows)} rows; the hash of each notebook and full digests: {link}."


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    return f"{row['agreement']}, {row['digest'][:12]}"


def agreement(told: Told) -> Iterable[str]:
    """What was compared with what, how far apart they are and what the test allows."""
    head = ("what", "against", "difference", "measured", "allowed")
    keys = ("what", "against", "quantity")
    rows = [
        (*(row[key] for key in keys), number(row["measured"]), number(row["allowed"]))
        for row in told["rows"]
    ]
    yield table(head, rows)


def memory(told: Told) -> Iterable[str]:
    """Peaks of few and of many visibilities, and how much the one is above the other."""
    sizes = list(dict.fromkeys(name.rpartition(", ")[2] for name in told["processes"]))
    rows = []
    for windows, ratio in told["ratios"].items():
        each = [told["processes"][f"{windows}, {size}"] for size in sizes]
        peaks = [f"{one['peak_bytes'] / 1e6:.0f} MB in {one['partitions']}" for one in each]
        rows.append((windows, *peaks, number(ratio), _bar(told, windows)))
    heads = [f"{size}: peak, partitions" for size in sizes]
    yield table(("", *heads, "growth", f"bar ({told['bars_are']})"), rows)


def imaging(told: Told) -> Iterable[str]:
    """CPU time, errors and memory of both imagers, case by case."""
    head = ("visibilities", "image", "channels, accuracy", "WSClean ÷ ours", "bar")
    head += ("error, ours / WSClean", "peak MB, ours / WSClean", "whole process")
    rows = []
    for case in told["cases"]:
        kind = ", CLEAN" if case["clean"] else ", w-stacking" if case["stacking"] else ""
        ours, peer = case["ours"], case["wsclean"]
        rows.append(
            (
                f"{case['visibilities']:.0e}".replace("e+0", "e"),
                f"{case['npix']}²",
                f"{case['channels']}, {case['epsilon']:.0e}{kind}",
                number(case["ratio"]),
                number(case["bar"]),
                f"{number(ours['error'])} / {number(peer['error'])}",
                f"{ours['peak_bytes'] / 1e6:.0f} / {peer['peak_bytes'] / 1e6:.0f}",
                number(case["ratio_whole_process"]),
            )
        )
    yield table(head, rows)
    flat = told.get("flatness")
    if flat:
        growth = f"× {flat['growth']:.3f} (bar {flat['bar']})"
        yield f"Peak memory from 1e7 to 1e8 visibilities: {growth}."


def cleaning(told: Told) -> Iterable[str]:
    """CLEAN at full accuracy and as needed: beside WSClean, and beside one another."""
    yield from imaging(told)
    own = told["against_ourselves"]
    yield (
        f"As needed it takes {own['ratio']:.2f} times less CPU time than at full accuracy"
        f" (bar {own['bar']}), and the images differ by {number(own['difference'])} of the peak."
    )


def continuum(told: Told) -> Iterable[str]:
    """Ratios with their bars, then every federated run with the bytes of each pair of sites."""
    yield from ratios(told)
    head = ("run", "digest", "wall s", "CPU h", "from → to: bytes planned, measured", "lost")
    rows = []
    for run in told["runs"]:
        flows = [
            f"{flow['source']} → {flow['target']}: {flow['planned']:,}, {flow['measured']:,}"
            for flow in run["bytes"]
        ]
        rows.append(
            (
                run["run"],
                f"{'identical' if run['same'] else 'DIFFERENT'}, {run['digest'][:12]}",
                f"{run['seconds']:.1f}",
                number(run["cpu_hours"]),
                "; ".join(flows),
                ", ".join(run["lost"]) or "–",
            )
        )
    yield table(head, rows)
    yield f"{told['seconds']:.0f} s in all, with the reference runs in one process."


CLAIMS = (
    Claim(
        "The same result everywhere",
        "The quick-start notebooks, the same files byte for byte, at every site and from every"
        " store; real services on one machine. *Identical* is the same SHA-256 over every number of"
        " the result, *equivalent* is within the tolerance that the science declares.",
        "make proof",
        "proof.json",
        proof,
    ),
    Claim(
        "It agrees with the fields' own programs",
        "Stored results of ROOT, coffea, WSClean and CASA, with the commands that made them.",
        "pytest tests/reference --agreement docs/evidence/agreement.json",
        "agreement.json",
        agreement,
    ),
    Claim(
        "HEP: CPU time beside coffea and ROOT",
        "The tt̄ selection of the Analysis Grand Challenge on local files (the fast reader works"
        " only there), one process, files opened anew, compilation apart; every event is slightly"
        " its own, so that files compress as real ones do.",
        "python benchmarks/hep_vs_peers.py --all --json",
        "hep_vs_peers.json",
        ratios,
    ),
    Claim(
        "HEP: 130 variations of the jets",
        "CMS's own jet file of 2022: its stacked correction and all 64 sources, of correctionlib"
        " over ours, per jet; and the AGC's selection with every source and the resolution up and"
        " down, beside our own without variations and coffea's (NanoEvents, its corrected jets"
        " over correctionlib, selected once per variation; its histograms are compared with ours).",
        "python benchmarks/hep_systematics.py --json",
        "hep_systematics.json",
        ratios,
    ),
    Claim(
        "HEP: bootstrap replicas",
        "CPU time of the nominal tt̄ selection on 200,000 events with Poisson bootstrap replicas,"
        " over that without, which does not read the events' numbers; and covariances between all"
        " bins against the sums of squared weights.",
        "python benchmarks/hep_replicas.py --json",
        "hep_replicas.json",
        ratios,
    ),
    Claim(
        "HEP: planning",
        "CPU seconds to plan 10,000 files: counted by the spec, and known from an earlier plan.",
        "python benchmarks/hep_planning.py --json",
        "hep_planning.json",
        ratios,
    ),
    Claim(
        "HEP: 10,000 toys",
        "Toys of the AGC's tt̄ fit, 34 parameters and 22 bins, on generated events: each is"
        " generated and fitted. Digests over all values by one worker and by two, and over"
        " the first 500 by a loop.",
        "python benchmarks/hep_many_toys.py --json",
        "hep_many_toys.json",
        ratios,
    ),
    Claim(
        "Radio: CPU time beside WSClean",
        "From Measurement Set to image, one thread. Ours from opening the set to the image in"
        " memory; the last column counts our whole process. Errors are against a direct sum.",
        "python benchmarks/radio_vs_wsclean.py --all --json",
        "radio_vs_wsclean.json",
        imaging,
    ),
    Claim(
        "Radio: memory and windows",
        "Peak memory of a process that images 1e7 and 1e8 visibilities, 2048² pixels, by the number"
        " of spectral windows that they lie in; the bar is of the growth. Small windows are one"
        " partition together.",
        "python benchmarks/radio_memory.py --json",
        "radio_memory.json",
        memory,
    ),
    Claim(
        "Radio: CLEAN as accurate as needed",
        'CLEAN of 4096² pixels to 1e-4 of the peak, and again with `accuracy = "as needed"` and'
        " mgain 0.9, each beside WSClean.",
        "python benchmarks/radio_vs_wsclean.py --clean --json",
        "radio_clean.json",
        cleaning,
    ),
    Claim(
        "Radio: CLEAN at several scales",
        "A Gaussian and points of known flux in simulated visibilities, against the truth and"
        " WSClean's `-multiscale` on the same data; and a ring of 5 arcmin, its model too.",
        "python benchmarks/radio_multiscale.py --json",
        "radio_multiscale.json",
        ratios,
    ),
    Claim(
        "Radio: one image in strips",
        "CPU of all strips, and of the largest, over that of one call of the gridder.",
        "python benchmarks/radio_scaling.py --json",
        "radio_scaling.json",
        ratios,
    ),
    Claim(
        "Radio: what the plan foretells",
        "Measured over forecast, on images that the calibration has not seen.",
        "python benchmarks/radio_planner.py --json",
        "radio_planner.json",
        ratios,
    ),
    Claim(
        "What the engine costs",
        "Partitions that do nothing, merges included, over a bare `Client.map` of them.",
        "python benchmarks/engine.py --json",
        "engine.json",
        ratios,
    ),
    Claim(
        "What a small run costs as a whole",
        "CPU of the processes of `spectrum run`, a dirty image of 1024² pixels from 1e6"
        " visibilities, with interpreter, imports, pictures and record, over that of WSClean's"
        " process; and CPU seconds of imports and of `--help`. Neither program makes a PSF, and"
        " the self-check, which WSClean does not have and `spectrum run` makes by default, is left"
        " out: with it, a run takes somewhat more than WSClean.",
        "python benchmarks/startup.py --json",
        "startup.json",
        ratios,
    ),
    Claim(
        "What the live view costs",
        "CPU that a kernel takes more with a notebook's view than without it, as a share of the"
        " CPU of kernel and workers without it.",
        "python benchmarks/live_view.py --json",
        "live_view.json",
        ratios,
    ),
    Claim(
        "What a press of Stop leaves behind",
        "A Jupyter kernel is interrupted at random moments, as its Stop button does it; seconds"
        " until the next right result, and whatever was wrong or left over.",
        "python benchmarks/stop.py --presses 100 --json",
        "stop.json",
        ratios,
    ),
    Claim(
        "What faults at random moments leave behind",
        "A worker, a session, a SLURM job, a disk, the memory or a byte is spoilt in the middle of"
        " a run, which is then given again; what was wrong or left over in all rounds together, and"
        " partitions computed more than once over those that the death of a session may cost.",
        "python tests/services/with_services.py slurm --"
        " python benchmarks/chaos.py --rounds 100 --json",
        "chaos.json",
        ratios,
    ),
    Claim(
        "One run over two sites",
        "Both sciences over a real SLURM and a real Dask Gateway on one machine, with a store each:"
        " HEP's samples lie at one of them, the visibilities at both; and HEP once more while the"
        " first site is killed. Digests are compared with one process, which verifies each crate.",
        "python tests/services/with_services.py slurm gateway ceph rclone --"
        " python benchmarks/continuum.py --json",
        "continuum.json",
        continuum,
    ),
    Claim(
        "Plan and fact of a run",
        "Share of the fact by which the plan of a run is off that has been run once before, as a"
        " process of its own; wall time is shown, and needs a machine without other load.",
        "python benchmarks/plan_vs_fact.py SHARED_DATA --json",
        "plan_vs_fact.json",
        ratios,
    ),
    Claim(
        "How long a ledger takes to list",
        "Entries in a real S3 store (rclone) of a run that is mostly done: all are read and"
        " verified, as by `spectrum ledger list`, or taken up by a run that goes on; as runs leave"
        " them that do their partitions in order, and in the worst state, in which no two can be"
        " joined. Wall time, with other work on the machine.",
        "python benchmarks/ledger.py --only listing --json",
        "ledger_listing.json",
        ratios,
    ),
    Claim(
        "What a ledger costs",
        "CPU seconds of a run of a minute that keeps what it finishes from the first second on,"
        " over those of one that keeps nothing, less one: the least of some runs of each. And the"
        " ledger's own work in such a run over all else in it: a share that other work on the"
        " machine hardly changes.",
        "python benchmarks/ledger.py --only overhead --json",
        "ledger_overhead.json",
        ratios,
    ),
    Claim(
        "What a skim saves",
        "CPU seconds and bytes of two million events read from files over those from the exact skim"
        " of an earlier run; digests of 200 specs edited at random are compared besides.",
        "python benchmarks/skim.py --json",
        "skim.json",
        ratios,
    ),
    Claim(
        "Many workers of one scheduler",
        "Two hundred light workers, threads of the process that holds session and scheduler, at"
        " partitions that do nothing or only wait, as long as those of a recorded run scaled to"
        " 0.25, 1 and 4 s. CPU time of a task of ten workers over that of all; and the time in"
        " which workers who never wait for the next partition would do all of them, over the time"
        " that they take.",
        "python benchmarks/many_workers.py --json",
        "many_workers.json",
        ratios,
    ),
    Claim(
        "How it scales",
        "Wall time of one SLURM worker over twice that of two; session and scheduler share their"
        " two cores.",
        "python tests/services/with_services.py slurm -- python benchmarks/scaling.py --json",
        "scaling.json",
        ratios,
    ),
    Claim(
        "What stores cost",
        "Bytes moved over the size of the baskets needed; throughput over that of plain fsspec;"
        " a run with 50 ms more per request over one without.",
        "python benchmarks/stores.py --json",
        "stores.json",
        ratios,
    ),
    Claim(
        "What the measured rates mean elsewhere",
        "Cores that 200 Gb/s would take by the rates of two runs that unpack what the challenge of"
        " IRIS-HEP unpacked, over the 2,000 that its report names; and events per second there, of"
        " pipelines that read less. [Projection](projection.md) has the other targets.",
        "python benchmarks/projection.py --json",
        "projection.json",
        ratios,
    ),
)


def section(claim: Claim) -> str:
    """One claim with its table, or that it has not been measured."""
    head = f"## {claim.title}\n\n{claim.words}\n\n```sh\n{claim.command}\n```\n"
    path = FOLDER / claim.file
    if not path.exists():
        return f"{head}\nNot measured on the present tree.\n"
    told = json.loads(path.read_text())
    missed = [
        name
        for name, bar in told.get("bars", {}).items()
        if name in told["ratios"] and not told.get("holds") and _misses(told, name, bar)
    ]
    verdict = "All bars hold." if told.get("holds") else "**Not all bars hold.**"
    if missed:
        verdict = f"**Missed:** {', '.join(missed)}."
    if not told.get("bars") and "rows" not in told:
        verdict = ""
    load = f", load {told['load']}" if "load" in told else ""
    about = f"{told['date']}, {told['machine']}{load}. {told.get('conditions', '')} {verdict}"
    return "\n\n".join([head.rstrip(), *claim.tables(told), " ".join(about.split())]) + "\n"


def _misses(told: Told, name: str, bar: float) -> bool:
    most = "at most" in told["bars_are"] and not name.startswith("throughput")
    return bool(told["ratios"][name] > bar if most else told["ratios"][name] < bar)


def page() -> str:
    """The whole page."""
    opening = (
        "# Evidence\n\n"
        "Every claim that the front page makes in a word, with the command that measures it and"
        " what it printed. The tables are rendered by `make evidence` from"
        " [docs/evidence](evidence); no number is typed by hand. Ratios are taken side by side"
        " in one run on one machine; a bar is what we hold ourselves to.\n"
    )
    return "\n".join([opening, *(section(claim) for claim in CLAIMS)])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail if the page is not up to date")
    options = parser.parse_args()
    text = page()
    if options.check:
        sys.exit(0 if PAGE.exists() and PAGE.read_text() == text else f"{PAGE.name}: make evidence")
    PAGE.write_text(text)
    picture(FOLDER, PICTURE)
    evidence = {file.name: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}
    MEASURED.write_text(json.dumps(shown_of(load_blueprint(), evidence), indent=1) + "\n")
    if (FOLDER / "projection.json").exists():
        from projection import projected
        from spectrum_workflows.projection.plot import png

        records = json.loads((FOLDER / "projection.json").read_text())["records"]
        PROJECTED.write_bytes(png(projected(records)))


if __name__ == "__main__":
    main()
