"""Small declarations of objects, events to try them on, and runs of them."""

from pathlib import Path

import awkward as ak
import numpy as np

from spectrum_workflows import load_spec
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.objects import views
from spectrum_workflows.hep.select.declaring import declare
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.specs import parse

WORKFLOWS = Path(__file__).parents[2] / "workflows" / "hep"

PT, ETA, RHO, WORD = (
    {"name": name, "type": kind}
    for name, kind in (("pt", "real"), ("eta", "real"), ("rho", "real"), ("way", "string"))
)
OUT = {"name": "w", "type": "real"}


def correction(name, data, *inputs):
    return {"name": name, "version": 1, "inputs": inputs, "output": OUT, "data": data}


def formula(expression, *variables):
    head = {"nodetype": "formula", "parser": "TFormula", "variables": variables}
    return head | {"expression": expression}


def binned(edges, content, of="eta"):
    head = {"nodetype": "binning", "input": of, "flow": "clamp"}
    return head | {"edges": edges, "content": content}


TOY = {"jets": {"collection": "Jet", "files": "jets.json", "nominal": "L2"}}
TOY["jets"]["inputs"] = {"pt": "Jet_pt", "eta": "Jet_eta"}


def spec_of(folder, **more):
    table = {
        "workflow": "hep",
        "name": "objects",
        "select": "spectrum_workflows.hep.analyses.ttbar:select",
        "columns": [*load_spec(WORKFLOWS / "quickstart.toml").columns],
        "normalisation": "none",
        "samples": {"ttbar": {"files": ["ttbar.root"]}},
        "histograms": {"4j1b": {"bins": 25, "start": 50.0, "stop": 550.0}},
        "folder": str(folder),
    }
    return parse(HepSpec, table | more, where="spec")


def events_of(n=300, seed=1):
    """Events of a few jets, with lists as they come from a file."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 6, n)
    total = counts.sum()
    jets = {
        "Jet_pt": 16 + rng.exponential(40, total),
        "Jet_eta": rng.normal(0, 2, total),
        "Jet_phi": rng.uniform(-np.pi, np.pi, total),
        "Jet_mass": rng.uniform(2, 12, total),
        "Jet_rawFactor": rng.uniform(-0.1, 0.1, total),
    }
    columns = {k: ak.unflatten(v.astype(np.float32), counts) for k, v in jets.items()}
    columns["Rho"] = rng.normal(30, 5, n).astype(np.float32)
    for name, high in (("MET_pt", 80), ("MET_phi", 3), ("up_pt", 90), ("up_phi", 3)):
        columns[name] = rng.uniform(0, high, n).astype(np.float32)
    return ak.zip(columns, depth_limit=1)


def declared_of(spec, sample="ttbar"):
    declarations = declare(spec)
    return declarations.samples[sample], declarations.kernels


def all_views(spec, events):
    """The events by variation; nominal ones have no name."""
    declared, kernels = declared_of(spec)
    nominal = views.nominal(events, declared, kernels)
    return {"": nominal.events, **dict(views.varied(nominal, declared, kernels))}


def flat(events, name):
    return ak.to_numpy(ak.flatten(events[name], axis=None))


def run_of(spec, data, most=100_000):
    spec = spec.changed(partition={"max_events": most})
    plan = DOMAIN.plan(spec, str(data))
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    return plan, result
