"""Does the ttbar fit tell the truth about its errors?  Pulls and coverage over toys.

Each toy draws Poisson data and the centres of all constraints at a true
normalisation of 1, and independent templates: every bin of every sample
fluctuates by its own statistical error, as another simulation would.  The fit
then sees data and templates that share no event.

    python benchmarks/hep_toys.py [--toys 300] [--events 100000] [--json]
"""

import argparse
import copy
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyhf

from report import finished, show
from spectrum_workflows import load_spec
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.fit.likelihood import refitted

SPEC = Path(__file__).resolve().parents[1] / "workflows" / "hep" / "ttbar.toml"
BARS = {"pull mean, |deviation|": 0.15, "pull width, |deviation|": 0.1, "68 % coverage": 0.06}


def workspace(events: int) -> dict[str, Any]:
    """The workspace of the shipped analysis on generated samples."""
    spec = load_spec(SPEC)
    with tempfile.TemporaryDirectory() as folder:
        DOMAIN.make(spec, folder, size=events, report=nothing)
        plan = DOMAIN.plan(spec, folder)
        result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=nothing)
    return dict(result.likelihood.workspace)


def nothing(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def another_simulation(described: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """The workspace with every template fluctuated by its statistical error."""
    toy = copy.deepcopy(described)
    for channel in toy["channels"]:
        for sample in channel["samples"]:
            before = np.array(sample["data"])
            errors = next(m["data"] for m in sample["modifiers"] if m["type"] == "staterror")
            after = np.maximum(before + rng.normal(0.0, errors), 1e-6)
            ratio = np.divide(after, before, out=np.ones_like(after), where=before > 0)
            sample["data"] = after.tolist()
            for modifier in sample["modifiers"]:
                if modifier["type"] == "histosys":
                    for side in ("hi_data", "lo_data"):
                        shape = np.array(modifier["data"][side]) * ratio
                        modifier["data"][side] = shape.tolist()
    return toy


def pull(described: dict[str, Any], truth: Any, rng: np.random.Generator) -> float:
    """(fitted - true) / error of the parameter of interest, in one toy."""
    at_truth = np.array(truth.config.suggested_init())
    main = rng.poisson(truth.main_model.expected_data(at_truth)).astype(float)
    model = pyhf.Workspace(another_simulation(described, rng)).model()
    centres = np.array(model.config.auxdata)
    at = 0
    for name in model.config.auxdata_order:
        n = model.config.param_set(name).n_parameters
        if not name.startswith("staterror"):  # the templates themselves have fluctuated
            centres[at : at + n] += rng.normal(0.0, 1.0, n)
        at += n
    values, errors = refitted(model, np.concatenate([main, centres]))
    k = model.config.poi_index
    return float((values[k] - at_truth[k]) / errors[k])


def study(described: dict[str, Any], *, toys: int, seed: int) -> np.ndarray[Any, Any]:
    """Pulls of the parameter of interest; shape (toys,)."""
    truth = pyhf.Workspace(described).model()
    streams = np.random.SeedSequence(seed).spawn(toys)
    return np.array([pull(described, truth, np.random.default_rng(s)) for s in streams])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toys", type=int, default=300)
    parser.add_argument("--events", type=int, default=100_000, help="per sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
    described = workspace(args.events)
    started = time.process_time()
    pulls = study(described, toys=args.toys, seed=args.seed)
    spent = time.process_time() - started
    inside = float(np.mean(np.abs(pulls) < 1))
    ratios = {
        "pull mean, |deviation|": abs(float(pulls.mean())),
        "pull width, |deviation|": abs(float(pulls.std(ddof=1)) - 1),
        "68 % coverage": abs(inside - 0.6827),
    }
    more = {
        "benchmark": "hep_toys",
        "toys": args.toys,
        "events per sample": args.events,
        "pull mean": round(float(pulls.mean()), 3),
        "pull width": round(float(pulls.std(ddof=1)), 3),
        "inside one standard deviation": round(inside, 3),
        "CPU s per toy": round(spent / args.toys, 2),
    }
    found = finished(ratios, BARS, at_most=True, **more)
    show(found, as_json=args.json)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
