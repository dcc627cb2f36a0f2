"""What trained models cost in a selection, and whether their bits depend on how rows are cut.

A dense network with softplus (20, 128, 128, 64, 1) and 100 boosted trees of depth 6,
on one thread: rows in calls of a fixed number as `hep.read_model` does it, against one call of the
library with all rows of a partition.

    python benchmarks/hep_models.py [--rows 200000] [--json]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "hep"))

from trained_models import layers, trees

from report import finished, show
from spectrum_workflows import hep

BARS = {"network: ours / library": 1.25, "trees: ours / library": 1.5, "rows that differ": 0.0}
CUTS = (1, 77, 1_000, 100_001)


def microseconds(call: Callable[[], Any], rows: int) -> float:
    """CPU time of one row, the best of three."""
    times = []
    for _ in range(3):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return 1e6 * min(times) / rows


def differing(call: Callable[[Any], Any], x: Any) -> int:
    """Rows with other bits if they are computed in pieces."""
    pieces = np.concatenate([call(part) for part in np.split(x, CUTS)])
    return int(np.count_nonzero(pieces != call(x)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    x = rng.normal(size=(args.rows, 20)).astype(np.float32)
    content, _ = layers([20, 128, 128, 64, 1])
    booster = trees(x, x[:, 0] * x[:, 1] > 0, rounds=100, depth=6)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "m.onnx", Path(folder) / "m.ubj"]
        files[0].write_bytes(content)
        booster.save_model(files[1])
        network, forest = (hep.read_model(file) for file in files)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options)
    alone: dict[str, Callable[[Any], Any]] = {
        "network": lambda rows: session.run(None, {"x": rows})[0][:, 0],
        "trees": booster.inplace_predict,
    }
    ours: dict[str, Callable[[Any], Any]] = {"network": network, "trees": forest}
    cost = {
        f"{name}: {whose}": microseconds(lambda call=call: call(x), args.rows)
        for whose, calls in (("ours", ours), ("library", alone))
        for name, call in calls.items()
    }
    ratios = {
        f"{name}: ours / library": cost[f"{name}: ours"] / cost[f"{name}: library"] for name in ours
    }
    ratios["rows that differ"] = float(sum(differing(call, x) for call in ours.values()))
    more = {
        "benchmark": "hep_models",
        "rows": args.rows,
        "CPU microseconds per row": {name: round(value, 3) for name, value in cost.items()},
        "rows that differ in the libraries' own calls": {
            name: differing(call, x) for name, call in alone.items()
        },
    }
    found = finished(ratios, BARS, at_most=True, **more)
    show(found, as_json=args.json)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
