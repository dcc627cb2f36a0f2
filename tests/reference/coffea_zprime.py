"""The Z' analysis with coffea, as its users write it: columns, PackedSelection, Weights.

Run as a program of its own: ``python coffea_zprime.py JSON`` prints one JSON object with the
histograms of every sample.  Jets are corrected as in `zprime_numpy`.
"""

import json
import sys
import warnings

warnings.simplefilter("ignore")

import awkward as ak
import correctionlib
import numpy as np
import zprime_numpy
from coffea.analysis_tools import PackedSelection, Weights
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

NanoAODSchema.warn_missing_crossrefs = False
OBSERVABLE = {"boosted": "mtt", "resolved": "mtt", "no_btag": "st"}
CUTS = ("vertex", "muon", "jets", "met", "leptonic_ht", "isolation")
REGIONS = {
    "boosted": (*CUTS, "btag", "one_top", "chi2"),
    "resolved": (*CUTS, "btag", "no_top", "chi2"),
    "no_btag": (*CUTS, "no_btag", "no_top"),
}


def four(o):
    fields = {name: ak.values_astype(o[name], np.float64) for name in ("pt", "eta", "phi", "mass")}
    return ak.zip(fields, with_name="PtEtaPhiMLorentzVector", behavior=o.behavior)


def neutrinos(muon, met):
    """Both solutions of the W mass for the neutrino, the real part where there is none."""
    x, y = (
        ak.values_astype(met.pt, np.float64) * f(ak.values_astype(met.phi, np.float64))
        for f in (np.cos, np.sin)
    )
    a = 80.4**2 / 2 + muon.px * x + muon.py * y
    middle = a * muon.pz / muon.pt**2
    root = np.sqrt(np.maximum(middle**2 - (muon.p**2 * (x**2 + y**2) - a**2) / muon.pt**2, 0))
    z = ak.concatenate([ak.singletons(middle - root), ak.singletons(middle + root)], axis=1)
    x, y, z = ak.broadcast_arrays(x, y, z)
    fields = {"x": x, "y": y, "z": z, "t": np.sqrt(x**2 + y**2 + z**2)}
    return ak.zip(fields, with_name="LorentzVector", behavior=muon.behavior)


def best_pair(leptonic, hadronic, mean, width):
    """χ² and mass of the pair that is nearest; of events without one 999 and 0."""
    chi2 = ((leptonic.mass - 175.0) / 19.0) ** 2 + ((hadronic.mass - mean) / width) ** 2
    best = ak.argmin(chi2, axis=1, keepdims=True)
    mass = (leptonic + hadronic).mass
    return [ak.fill_none(ak.firsts(x[best]), y).to_numpy() for x, y in ((chi2, 999.0), (mass, 0.0))]


def top_quarks(muon, met, jets, fat_jet):
    """χ² and mass of the best pair of top quarks, with a fat jet or of four jets."""
    neutrino, jets = neutrinos(muon, met), jets[:, :7]
    beside = jets[ak.fill_none(jets.delta_r(fat_jet) > 1.2, False)]
    leptonic = ak.cartesian({"jet": beside, "neutrino": neutrino})
    top = leptonic.jet + leptonic.neutrino + muon
    boosted = best_pair(top, ak.broadcast_arrays(top.x, fat_jet)[1], 173.0, 15.0)
    four_jets = ak.combinations(jets, 4, fields=["a", "b", "c", "d"])
    orders = ("abcd", "bcda", "cdab", "dabc")
    lone = ak.concatenate([four_jets[o[0]] for o in orders], axis=1)
    three = ak.concatenate(
        [four_jets[o[1]] + four_jets[o[2]] + four_jets[o[3]] for o in orders], axis=1
    )
    pairs = ak.cartesian({"jets": ak.zip({"lone": lone, "three": three}), "neutrino": neutrino})
    resolved = best_pair(pairs.jets.lone + pairs.neutrino + muon, pairs.jets.three, 177.0, 16.0)
    tagged = ~ak.is_none(fat_jet).to_numpy()
    return [np.where(tagged, b, r) for b, r in zip(boosted, resolved, strict=True)]


def select(events):
    """Cuts, observables and the objects that weights are of."""
    muons, jets, fat = events.Muon, events.Jet, events.FatJet
    muons = muons[muons.tightId & (muons.miniIsoId >= 2) & (abs(muons.eta) < 2.4) & (muons.pt > 55)]
    jets = jets[(jets.jetId == 6) & (abs(jets.eta) < 2.4) & (jets.pt > 30)]
    jets = jets[ak.argsort(-jets.pt, axis=1, stable=True)]
    fat = fat[(fat.pt > 400) & (fat.particleNet_TvsQCD > 0.5)]
    muon, met = ak.firsts(four(muons)), events.PuppiMET
    lists = four(jets)
    nearest = ak.firsts(lists[ak.argmin(lists.delta_r(muon), axis=1, keepdims=True)])
    along = (muon.x * nearest.x + muon.y * nearest.y + muon.z * nearest.z) / nearest.p
    across = np.sqrt(np.maximum(muon.p**2 - along**2, 0))
    st = ak.sum(lists.pt, axis=1) + ak.fill_none(muon.pt, 0) + met.pt
    chi2, mtt = top_quarks(muon, met, lists, ak.firsts(four(fat)))
    padded = ak.fill_none(ak.pad_none(jets.pt, 2), 0.0)
    tags = ak.sum(jets.btagDeepB > 0.5, axis=1)
    cuts = PackedSelection(dtype="uint32")
    cuts.add("vertex", events.PV.npvsGood > 0)
    cuts.add("muon", ak.num(muons) == 1)
    cuts.add("jets", (padded[:, 0] > 150) & (padded[:, 1] > 50))
    cuts.add("met", met.pt > 50)
    cuts.add("leptonic_ht", ak.fill_none(muon.pt + met.pt > 150, False))
    cuts.add("isolation", ak.fill_none((muon.delta_r(nearest) > 0.4) | (across > 25), False))
    cuts.add("btag", tags > 0)
    cuts.add("no_btag", tags == 0)
    cuts.add("one_top", ak.num(fat) == 1)
    cuts.add("no_top", ak.num(fat) == 0)
    cuts.add("chi2", chi2 < 30)
    return cuts, {"mtt": mtt, "st": st.to_numpy()}, muons, jets


def scale_factors(corrections, name, items, *columns):
    flat = [
        column if isinstance(column, str) else ak.flatten(column).to_numpy() for column in columns
    ]
    return ak.unflatten(corrections[name].evaluate(*flat), ak.num(items))


def weigh(events, muons, jets, corrections, scale):
    """coffea's Weights, with up and down of scale factors and pile-up."""
    weights = Weights(len(events))
    weights.add("generator", events.genWeight.to_numpy().astype(np.float64) * scale)
    flavour, pt = jets.hadronFlavour, ak.values_astype(jets.pt, np.float64)
    efficiency = scale_factors(corrections, "deepCSV_medium_efficiency", jets, flavour)
    ways = {"btag": [], "muon": [], "pileup": []}
    for way in ("nom", "up", "down"):
        factor = scale_factors(corrections, "deepCSV_medium", jets, way, flavour, pt)
        missed = (1 - factor * efficiency) / (1 - efficiency)
        factor = ak.where(jets.btagDeepB > 0.5, factor, missed)
        ways["btag"].append(ak.prod(factor, axis=1).to_numpy())
        eta, muon_pt = (ak.values_astype(c, np.float64) for c in (abs(muons.eta), muons.pt))
        factor = scale_factors(corrections, "muon_identity", muons, way, eta, muon_pt)
        ways["muon"].append(ak.prod(factor, axis=1).to_numpy())
        interactions = events.Pileup.nTrueInt.to_numpy().astype(np.float64)
        ways["pileup"].append(corrections["pileup"].evaluate(interactions, way))
    for name, (nominal, up, down) in ways.items():
        weights.add(name, nominal, up, down)
    return weights


def corrected(events, raw, corrections, variation, *, data):
    """coffea's events with the momenta of `zprime_numpy`."""
    other = zprime_numpy.corrected(raw, corrections, variation, data=data)
    for collection in ("Jet", "FatJet"):
        objects = events[collection]
        for name in ("pt", "mass"):
            objects = ak.with_field(objects, other[f"{collection}_{name}"], name)
        events = ak.with_field(events, objects, collection)
    met = ak.with_field(events.PuppiMET, other.PuppiMET_pt, "pt")
    return ak.with_field(events, ak.with_field(met, other.PuppiMET_phi, "phi"), "PuppiMET")


def histograms(path, corrections, edges, variations, normalisation):
    raw, total = zprime_numpy.read(path)
    events = NanoEventsFactory.from_root({path: "Events"}, schemaclass=NanoAODSchema, mode="eager")
    events = events.events()
    events = events[events.HLT.Mu50 & events.Flag.METFilters]
    shapes = [v for v in variations if not v.startswith(("btag", "muon", "pileup"))]
    out = {}
    for shape in ["", *(shapes if total is not None else [])]:
        one = corrected(events, raw, corrections, shape, data=total is None)
        cuts, observables, muons, jets = select(one)
        known = {shape: np.ones(len(one))}
        if total is not None:
            weights = weigh(one, muons, jets, corrections, normalisation / total)
            known = {shape: weights.weight()}
            ways = [] if shape else [v for v in variations if v not in shapes]
            for way in ways:
                modifier = way.replace("_up", "Up").replace("_down", "Down")
                known[way] = weights.weight(modifier)
        for region, names in REGIONS.items():
            passed, values = cuts.all(*names), observables[OBSERVABLE[region]]
            for way, weight in known.items():
                content = np.histogram(values[passed], edges[region], weights=weight[passed])[0]
                out[f"{region}/{way}"] = content.tolist()
    return out


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    corrections = correctionlib.CorrectionSet.from_file(asked["corrections"])
    found = {
        sample: histograms(
            f"{asked['folder']}/{sample}.root",
            corrections,
            asked["edges"],
            asked["variations"],
            normalisation,
        )
        for sample, normalisation in asked["normalisations"].items()
    }
    sys.stdout.write(json.dumps(found))
