"""Our fit of the ttbar analysis beside cabinetry's, on the same workspace.

cabinetry drives MINUIT by itself; pyhf evaluates the likelihood in both.

    python benchmarks/hep_fit.py [--events 20000] [--json]
"""

import argparse
import logging
import sys
import warnings

import cabinetry
import numpy as np

from hep_toys import workspace
from report import finished, show
from spectrum_workflows.hep.fit import fit_workspace

BARS = {"difference of ttbar_norm": 1e-3, "largest difference of a pull": 1e-2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000, help="per sample")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
    logging.getLogger("cabinetry").setLevel(logging.ERROR)
    described = workspace(args.events)
    ours = fit_workspace(described)
    model, data = cabinetry.model_utils.model_and_data(described)
    theirs = cabinetry.fit.fit(model, data)
    k = ours.names.index(ours.poi)
    assert theirs.labels[k] == ours.poi
    apart = np.abs(ours.values - theirs.bestfit)
    found = {
        "difference of ttbar_norm": float(apart[k] / theirs.bestfit[k]),
        "largest difference of a pull": float(np.max(apart / theirs.uncertainty)),
    }
    more = {
        "benchmark": "hep_fit",
        "ours": f"{ours.values[k]:.5f} ± {ours.errors[k]:.5f}",
        "cabinetry": f"{theirs.bestfit[k]:.5f} ± {theirs.uncertainty[k]:.5f}",
    }
    report = finished(found, BARS, at_most=True, **more)
    report["ratios"] = {name: float(f"{value:.2g}") for name, value in found.items()}
    show(report, as_json=args.json)
    sys.exit(0 if report["holds"] else 1)


if __name__ == "__main__":
    main()
