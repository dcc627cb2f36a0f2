"""What the live view of a notebook costs: CPU with it over CPU without it, both sciences.

A Jupyter kernel runs the same spec with the view that a notebook has by default and
without, in turn, on the laptop's workers: the ttbar selection on millions of events, and a
CLEAN with several major cycles.  The view lives in the kernel, so its cost is what the
kernel takes more, of the CPU of kernel and workers without it.  The digests must be equal,
and there must have been pictures.

    python benchmarks/live_view.py --json
"""

from __future__ import annotations

import argparse
import os
import pickle
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import scaling
from report import finished, show
from stop import Answer, Notebook

BAR = 0.02
REPEATS = 3
SELECTIONS = 45
"""Times that every event is selected, as under as many variations: a minute of CPU."""


def hep(folder: Path) -> Any:
    """The workload of `scaling`, longer."""
    spec = scaling.hep(folder)
    return spec.model_copy(update={"cuts": {**spec.cuts, "repeats": SELECTIONS}})


WORKLOADS = {"hep": hep, "radio": scaling.clean}
CONNECT = """
from spectrum_workflows import connect, load_site, run
place = connect(load_site("laptop", changes={{"ledger.enabled": False}}), data={folder!r})
specs = {{}}
"""
SPEC = "import pickle; specs[{name!r}] = pickle.loads(bytes.fromhex({text!r}))"
RUN = "outcome = run(specs[{name!r}], place{watch}); print(outcome.digest)"


@dataclass(frozen=True)
class Used:
    """CPU seconds of one run, of the kernel and of its workers, and what it gave."""

    kernel: float
    workers: float
    digest: str
    pictures: int

    @property
    def total(self) -> float:
        return self.kernel + self.workers


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "spectrum-benchmarks"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    folder = Path(options.work).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    show(compared(folder), as_json=options.json)


def compared(folder: Path) -> dict[str, Any]:
    """Both sciences, with the view and without it in turn."""
    ratios, more = {}, {}
    for name, make in WORKLOADS.items():
        spec = make(folder)
        notebook = Notebook.start(dict(os.environ), folder)
        try:
            succeed(notebook.run(CONNECT.format(folder=str(folder))))
            send(notebook, name, spec)
            measured(notebook, name, watch=True)  # imports, compiled kernels
            pairs = [
                (measured(notebook, name, watch=True), measured(notebook, name, watch=False))
                for _ in range(REPEATS)
            ]
            succeed(notebook.run("place.close()"))
        finally:
            notebook.stop()
        assert len({used.digest for pair in pairs for used in pair}) == 1, "digests differ"
        assert min(shown.pictures for shown, _ in pairs) > 1, "no pictures were shown"
        assert not any(plain.pictures for _, plain in pairs)
        ratios[name] = statistics.median((s.kernel - p.kernel) / p.total for s, p in pairs)
        more[name] = {
            "CPU seconds without it": round(statistics.median(p.total for _, p in pairs), 1),
            "of the kernel, with and without": [
                round(statistics.median(used.kernel for used in column), 2)
                for column in zip(*pairs, strict=True)
            ],
            "pictures": pairs[0][0].pictures,
        }
    bars = dict.fromkeys(WORKLOADS, BAR)
    return finished(ratios, bars, at_most=True, benchmark="live_view", **more)


def send(notebook: Notebook, name: str, spec: Any) -> None:
    """Give the kernel a spec."""
    succeed(notebook.run(SPEC.format(name=name, text=pickle.dumps(spec).hex())))


def measured(notebook: Notebook, name: str, *, watch: bool) -> Used:
    """One run."""
    before = cpu(notebook)
    answer = notebook.run(RUN.format(name=name, watch="" if watch else ", watch=False"))
    succeed(answer)
    after = cpu(notebook)
    digest = answer.stdout.split()[-1]
    kernel, workers = (b - a for a, b in zip(before, after, strict=True))
    return Used(kernel, workers, digest, answer.shown)


def cpu(notebook: Notebook) -> tuple[float, float]:
    """CPU seconds of the kernel, and of its workers."""
    kernel = psutil.Process(notebook.manager.provisioner.process.pid)
    times = kernel.cpu_times()
    workers = [process.cpu_times() for process in notebook.workers()]
    return times.user + times.system, sum(t.user + t.system for t in workers)


def succeed(answer: Answer) -> None:
    """Stop where a cell failed."""
    if answer.error:
        raise SystemExit(f"{answer.error}\n{answer.trace}")


if __name__ == "__main__":
    main()
