"""The AGC ttbar selection with coffea's NanoEvents: a peer to be timed.

Nominal and with all systematic variations, as the processor of
iris-hep/analysis-grand-challenge does it: every variation, of kinematics or of
weights, redoes the selection; weights come from correctionlib.  ``lean`` reuses
the nominal selection for the weights.  The smearing of jets is a random draw
there, so its histogram cannot be compared with others.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import correctionlib
import hist
import numpy as np
import uproot
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

CHUNK = 100_000
WEIGHTS = Path(__file__).resolve().parents[1] / "workflows" / "hep" / "ttbar_weights.json"
WEIGHTED = (*(f"btag_var_{k}" for k in range(4)), "scale_var")
NanoAODSchema.warn_missing_crossrefs = False


def histograms(path: str, *, varied: bool, lean: bool = False) -> Mapping[str, list[float]]:
    """All histograms of one file, read in chunks of 100,000 events."""
    axis = hist.axis.Regular(25, 50, 550)
    filled: dict[str, hist.Hist] = {}
    rng = np.random.default_rng(1)
    weights = correctionlib.CorrectionSet.from_file(str(WEIGHTS))["event_weight"]
    for events in chunks(path):
        for name, values, weight in _observables(events, weights, rng, varied=varied, lean=lean):
            found = filled.setdefault(name, hist.Hist(axis, hist.storage.Weight()))
            found.fill(values, weight=weight)
    return {name: h.values(flow=True).tolist() for name, h in filled.items()}


def chunks(path: str) -> Iterator[Any]:
    """Events of a file, some at a time."""
    with uproot.open(path) as file:
        n = file["Events"].num_entries
    for start in range(0, n, CHUNK):
        yield NanoEventsFactory.from_root(
            {path: "Events"},
            entry_start=start,
            entry_stop=min(start + CHUNK, n),
            schemaclass=NanoAODSchema,
        ).events()


def _observables(
    events: ak.Array, weights: Any, rng: np.random.Generator, *, varied: bool, lean: bool
) -> Iterator[tuple[str, Any, Any]]:
    pt = events.Jet.pt
    multipliers: dict[str, Any] = {"": 1}
    if varied:
        draw = rng.normal(1.0, 0.05, len(ak.flatten(pt))).astype(np.float32)
        multipliers |= {"_pt_scale_up": np.float32(1.03)}
        multipliers |= {"_pt_res_up": ak.unflatten(draw, ak.num(pt))}
    for suffix, multiplier in multipliers.items():
        jets = events.Jet if not suffix else ak.with_field(events.Jet, pt * multiplier, "pt")
        one, ht, two, mass = selected(events, jets)
        for region, chosen, values in (("4j1b", one, ht), ("4j2b", two, mass)):
            yield f"{region}{suffix}", values, None
            if varied and lean and not suffix:
                for systematic in WEIGHTED:
                    yield from _weighted(region, chosen, values, weights, systematic)
    for systematic in WEIGHTED if varied and not lean else ():
        one, ht, two, mass = selected(events, events.Jet)
        yield from _weighted("4j1b", one, ht, weights, systematic)
        yield from _weighted("4j2b", two, mass, weights, systematic)


def _weighted(
    region: str, jets: ak.Array, values: Any, weights: Any, systematic: str
) -> Iterator[tuple[str, Any, Sequence[float]]]:
    """Both directions; the pt is that of the jet with the name's number, else of the first."""
    name, _, number = systematic.rpartition("_")
    kind, jet = (name, int(number)) if number.isdigit() else (systematic, 0)
    for direction in ("up", "down"):
        weight = weights.evaluate(kind, direction, jets.pt[:, jet])
        yield f"{region}_{systematic}_{direction}", values, weight


def selected(events: ak.Array, jet: ak.Array) -> tuple[ak.Array, Any, ak.Array, Any]:
    """Jets and observables of 4j1b and 4j2b."""
    e, mu = events.Electron, events.Muon
    e = e[(e.pt > 30) & (abs(e.eta) < 2.1) & (e.cutBased == 4) & (e.sip3d < 4)]
    mu = mu[
        (mu.pt > 30)
        & (abs(mu.eta) < 2.1)
        & mu.tightId
        & (mu.sip3d < 4)
        & (mu.pfRelIso04_all < 0.15)
    ]
    jet = jet[(jet.pt > 30) & (abs(jet.eta) < 2.4) & (jet.jetId == 6)]
    jet = jet[(ak.num(e) + ak.num(mu) == 1) & (ak.num(jet) >= 4)]
    tags = ak.sum(jet.btagCSVV2 > 0.5, axis=1)
    one, two = jet[tags == 1], jet[tags >= 2]
    trijet = ak.combinations(two, 3, fields=["j1", "j2", "j3"])
    trijet["p4"] = trijet.j1 + trijet.j2 + trijet.j3
    best = np.maximum(trijet.j1.btagCSVV2, np.maximum(trijet.j2.btagCSVV2, trijet.j3.btagCSVV2))
    trijet = trijet[best > 0.5]
    mass = trijet["p4"][ak.argmax(trijet.p4.pt, axis=1, keepdims=True)].mass
    return one, ak.sum(one.pt, axis=-1), two, ak.flatten(mass)
