"""The Z' analysis once more, without this package: uproot, correctionlib and plain NumPy.

Corrections act on arrays of all jets; cuts and top quarks are looked at event by event, as one
would check them by hand.
"""

import zlib
from itertools import combinations
from math import cos, log, pi, sin, sqrt

import awkward as ak
import numpy as np
import uproot

LEPTONIC, HADRONIC, TAGGED = (175.0, 19.0), (177.0, 16.0), (173.0, 15.0)
MASK = (1 << 64) - 1
JETS = ("Jet", "AK4"), ("FatJet", "AK8")


def read(path):
    """Good events whose trigger fired, and the sum of weights of all."""
    with uproot.open(path) as file:
        needed = file["Events"].keys(filter_name=lambda name: not name.startswith(("LHE", "PS")))
        events = file["Events"].arrays(needed)
        total = file["Runs"]["genEventSumw"].array()[0] if "genWeight" in events.fields else None
    return events[events.HLT_Mu50 & events.Flag_METFilters], total


def mixed(state, word):
    z = ((state ^ word) + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def deviate(numbers, place):
    """The documented random number of a jet without a generated match."""
    key = 0
    for number in (*numbers, zlib.crc32(b"Jet_pt")):
        key = mixed(key, int(number))
    first = mixed(key, 2 * place)
    second = mixed(first, 2 * place + 1)
    radius = ((first >> 11) + 0.5) * 2.0**-53
    return sqrt(-2 * log(radius)) * cos(2 * pi * (second >> 11) * 2.0**-53)


def float64(jagged):
    return ak.flatten(jagged).to_numpy().astype(np.float64)


def smeared(events, pt, corrections, way):
    """Factors that make the resolution of simulated jets that of data."""
    number = ak.num(events.Jet_pt)
    eta, phi = float64(events.Jet_eta), float64(events.Jet_phi)
    resolution = corrections["PtResolution_AK4"].evaluate(pt)
    scale = corrections["ScaleFactor_AK4"].evaluate(way)
    index = events.Jet_genJetIdx
    matched = ak.flatten(index >= 0).to_numpy()
    true = [
        float64(
            ak.fill_none(ak.pad_none(events[f"GenJet_{n}"], 1)[ak.mask(index, index >= 0)], 0.0)
        )
        for n in ("pt", "eta", "phi")
    ]
    turn = np.abs(phi - true[2])
    distance = np.hypot(np.minimum(turn, 2 * pi - turn), eta - true[1])
    matched &= (distance < 0.2) & (np.abs(pt - true[0]) < 3 * resolution * pt)
    factor = 1 + (scale - 1) * (pt - true[0]) / pt
    place = ak.flatten(ak.local_index(events.Jet_pt)).to_numpy()
    event = np.repeat(np.arange(len(events)), number.to_numpy())
    for i in np.flatnonzero(~matched):
        one = events[event[i]]
        drawn = deviate((one.run, one.luminosityBlock, one.event), int(place[i]))
        factor[i] = 1 + drawn * resolution[i] * sqrt(scale**2 - 1)
    return np.maximum(factor, 1e-2 / (pt * np.cosh(eta)))


def corrected(events, corrections, variation="", *, data=False):
    """The same events with corrected jets, fat jets and missing momentum."""
    before = float64(events.Jet_pt)
    for collection, kind in JETS:
        counts = ak.num(events[f"{collection}_pt"])
        pt, mass = (float64(events[f"{collection}_{name}"]) for name in ("pt", "mass"))
        for step in (f"L2Relative_{kind}", *([f"L2L3Residual_{kind}"] if data else [])):
            factor = corrections[step].evaluate(pt)
            pt, mass = pt * factor, mass * factor
        if collection == "Jet" and not data:
            way = variation.removeprefix("jer_") if variation.startswith("jer_") else "nom"
            factor = smeared(events, pt, corrections, way)
            pt, mass = pt * factor, mass * factor
        pt, mass = pt.astype(np.float32), mass.astype(np.float32)
        stem, _, direction = variation.rpartition("_")
        name = {"jes": f"{stem[4:]}_AK4", "fat": "Total_AK8"}.get(stem[:3])
        if name and name.endswith(kind):
            given = float64(events.Jet_eta) if "Bal" in name else pt.astype(np.float64)
            by = corrections[name].evaluate(given) * (1 if direction == "up" else -1)
            pt, mass = ((x * (1 + by)).astype(np.float32) for x in (pt, mass))
        events = ak.with_field(events, ak.unflatten(pt, counts), f"{collection}_pt")
        events = ak.with_field(events, ak.unflatten(mass, counts), f"{collection}_mass")
    grown = np.where(before > 15, float64(events.Jet_pt) - before, 0.0)
    phi, number = float64(events.Jet_phi), ak.num(events.Jet_pt)
    tilt = {"unclustered_up": "UnclusteredUp", "unclustered_down": "UnclusteredDown"}
    size, angle = (
        events[f"PuppiMET_{name}{tilt.get(variation, '')}"].to_numpy().astype(np.float64)
        for name in ("pt", "phi")
    )
    x = size * np.cos(angle) - ak.sum(ak.unflatten(grown * np.cos(phi), number), axis=1).to_numpy()
    y = size * np.sin(angle) - ak.sum(ak.unflatten(grown * np.sin(phi), number), axis=1).to_numpy()
    events = ak.with_field(events, np.hypot(x, y).astype(np.float32), "PuppiMET_pt")
    return ak.with_field(events, np.arctan2(y, x).astype(np.float32), "PuppiMET_phi")


def items(event, collection, *names):
    """Rows of numbers, one for each item of an event."""
    columns = [np.array(event[f"{collection}_{name}"], np.float64) for name in names]
    return np.stack(columns, axis=-1)


def four(pt, eta, phi, mass):
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    return np.stack([px, py, pz, np.sqrt(px**2 + py**2 + pz**2 + mass**2)], axis=-1)


def mass_of(p):
    p = np.asarray(p)
    return np.sqrt(np.maximum(p[..., 3] ** 2 - np.sum(p[..., :3] ** 2, axis=-1), 0.0))


def away(eta, phi, eta_of, phi_of):
    return np.hypot(eta - eta_of, np.abs((phi - phi_of + pi) % (2 * pi) - pi))


def neutrinos(muon, x, y):
    """Solutions of (p_muon + p_neutrino)² = m_W² for the momentum along the beam."""
    a = 80.4**2 / 2 + muon[0] * x + muon[1] * y
    momentum2 = np.sum(muon[:3] ** 2)
    roots = np.roots([momentum2 - muon[2] ** 2, -2 * a * muon[2], momentum2 * (x**2 + y**2) - a**2])
    return [np.array([x, y, z, sqrt(x**2 + y**2 + z**2)]) for z in np.real(roots)]


def assignments(jets, tops):
    """Every leptonic jet with every hadronic top quark, and what is expected of its mass."""
    p = four(*jets[:7].T)
    if len(tops):
        eta, phi = tops[0, 1], tops[0, 2]
        for b in np.flatnonzero(away(jets[:7, 1], jets[:7, 2], eta, phi) > 1.2):
            yield p[b], four(*tops[0]), TAGGED
        return
    for b in range(len(p)):
        for three in combinations([k for k in range(len(p)) if k != b], 3):
            yield p[b], p[list(three)].sum(axis=0), HADRONIC


def analyse(event):
    """Region and observable of an event, or None."""
    muons = items(event, "Muon", "pt", "eta", "phi", "mass", "charge")
    identified = np.asarray(event["Muon_tightId"]) & (np.asarray(event["Muon_miniIsoId"]) >= 2)
    muons = muons[identified & (np.abs(muons[:, 1]) < 2.4) & (muons[:, 0] > 55)]
    jets = items(event, "Jet", "pt", "eta", "phi", "mass", "btagDeepB")
    jets = jets[
        (np.asarray(event["Jet_jetId"]) == 6) & (np.abs(jets[:, 1]) < 2.4) & (jets[:, 0] > 30)
    ]
    jets = jets[np.argsort(-jets[:, 0], kind="stable")]
    if not (event["PV_npvsGood"] > 0 and len(muons) == 1 and len(jets) >= 2):
        return None
    muon, met = muons[0], float(event["PuppiMET_pt"])
    if not (jets[0, 0] > 150 and jets[1, 0] > 50 and met > 50 and muon[0] + met > 150):
        return None
    distance = away(muon[1], muon[2], jets[:, 1], jets[:, 2])
    p = four(*muon[:4])
    axis = four(*jets[np.argmin(distance), :3], 0.0)[:3]
    across = np.linalg.norm(np.cross(p[:3], axis)) / np.linalg.norm(axis)
    if not (distance.min() > 0.4 or across > 25):
        return None
    tops = items(event, "FatJet", "pt", "eta", "phi", "mass", "particleNet_TvsQCD")
    tops = tops[(tops[:, 0] > 400) & (tops[:, 4] > 0.5), :4]
    if not np.any(jets[:, 4] > 0.5):
        return ("no_btag", jets[:, 0].sum() + muon[0] + met) if not len(tops) else None
    if len(tops) > 1:
        return None
    phi = float(event["PuppiMET_phi"])
    tried = []
    for neutrino in neutrinos(p, met * cos(phi), met * sin(phi)):
        for jet, hadronic, (mean, width) in assignments(jets[:, :4], tops):
            leptonic = p + neutrino + jet
            chi2 = ((mass_of(leptonic) - LEPTONIC[0]) / LEPTONIC[1]) ** 2
            chi2 += ((mass_of(hadronic) - mean) / width) ** 2
            tried.append((chi2, mass_of(leptonic + hadronic)))
    best = min(tried, default=(999.0, 0.0))
    return ("boosted" if len(tops) else "resolved", best[1]) if best[0] < 30 else None


def weight(event, corrections, way=""):
    """Scale factors and pile-up of an event; one of them up or down."""
    stem, _, direction = way.rpartition("_")
    ways = {name: direction if stem == name else "nom" for name in ("btag", "muon", "pileup")}
    out = corrections["pileup"].evaluate(event["Pileup_nTrueInt"], ways["pileup"])
    for k, eta in enumerate(event["Muon_eta"]):
        good = event["Muon_tightId"][k] and event["Muon_miniIsoId"][k] >= 2
        if good and abs(eta) < 2.4 and event["Muon_pt"][k] > 55:
            pt = float(event["Muon_pt"][k])
            out *= corrections["muon_identity"].evaluate(ways["muon"], abs(float(eta)), pt)
    for k, pt in enumerate(event["Jet_pt"]):
        if pt > 30 and abs(event["Jet_eta"][k]) < 2.4 and event["Jet_jetId"][k] == 6:
            flavour = int(event["Jet_hadronFlavour"][k])
            factor = corrections["deepCSV_medium"].evaluate(ways["btag"], flavour, float(pt))
            if not event["Jet_btagDeepB"][k] > 0.5:
                efficiency = corrections["deepCSV_medium_efficiency"].evaluate(flavour)
                factor = (1 - factor * efficiency) / (1 - efficiency)
            out *= factor
    return out


def may_pass(events):
    """Events with a hard jet and a hard muon: all others are left out, to be faster."""
    pt = ak.max(events.Jet_pt, axis=1, initial=0, mask_identity=False)
    return (pt > 120) & (ak.max(events.Muon_pt, axis=1, initial=0, mask_identity=False) > 55)


def histograms(path, corrections, edges, variations, normalisation):
    """Contents of ``mtt_boosted``, ``mtt_resolved`` and ``st_no_btag`` under every variation.

    ``normalisation`` is cross section times luminosity; None for data.
    """
    read_events, total = read(path)
    data = total is None
    read_events = read_events[may_pass(read_events)]
    ways = [v for v in variations if v.startswith(("btag", "muon", "pileup"))]
    out = {}
    for variation in ["", *(v for v in variations if v not in ways)]:
        filled = {way: {region: [] for region in edges} for way in ["", *ways]}
        for event in corrected(read_events, corrections, variation, data=data).to_list():
            found = analyse(event)
            if found is None:
                continue
            for way in filled if not variation and not data else [""]:
                own = 1.0 if data else weight(event, corrections, way) * event["genWeight"]
                filled[way][found[0]].append((found[1], own))
        for way in filled if not variation else [""]:
            for region, bins in edges.items():
                values, weights = np.array(filled[way][region]).reshape(-1, 2).T
                scale = 1.0 if data else normalisation / total
                content = np.histogram(values, bins, weights=weights)[0] * scale
                out[region, variation or way] = content
    return out
