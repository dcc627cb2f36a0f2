"""The ADL queries and the AGC's nominal selection with coffea, as its users write them.

Run as a program of its own: ``python coffea_queries.py ADL_FILE AGC_FILE`` prints
one JSON object with the values of every histogram.
"""

import json
import sys
import warnings

warnings.simplefilter("ignore")

import awkward as ak
import numpy as np
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

NanoAODSchema.warn_missing_crossrefs = False


def events_of(path):
    return NanoEventsFactory.from_root({path: "Events"}, schemaclass=NanoAODSchema).events()


def one_list(events):
    jets = events.Jet
    yield "Q1", events.MET.pt
    yield "Q2", ak.flatten(jets.pt)
    yield "Q3", ak.flatten(jets[abs(jets.eta) < 1].pt)
    yield "Q4", events[ak.sum(jets.pt > 40, axis=1) >= 2].MET.pt
    pairs = ak.combinations(events.Muon, 2, fields=["a", "b"])
    mass = (pairs.a + pairs.b).mass
    good = (mass > 60) & (mass < 120) & (pairs.a.charge == -pairs.b.charge)
    yield "Q5", events[ak.any(good, axis=1)].MET.pt
    triples = ak.combinations(jets, 3, fields=["a", "b", "c"])
    total = triples.a + triples.b + triples.c
    best = ak.argmin(abs(total.mass - 172.5), axis=1, keepdims=True)
    yield "Q6a", ak.flatten(total[best].pt)
    top = triples[best]
    yield "Q6b", ak.flatten(np.maximum(np.maximum(top.a.btag, top.b.btag), top.c.btag))


def two_lists(events):
    jets, electrons, muons = events.Jet, events.Electron, events.Muon
    away = jets.pt > 30
    for leptons in (electrons, muons):
        table = jets.metric_table(leptons[leptons.pt > 10])
        away = away & ak.all(table >= 0.4, axis=2)
    yield "Q7", ak.sum(jets[away].pt, axis=1)[ak.any(away, axis=1)]
    electrons["kind"], muons["kind"] = electrons.pt * 0 + 11, muons.pt * 0 + 13
    leptons = ak.with_name(ak.concatenate([electrons, muons], axis=1), "PtEtaPhiMCandidate")
    events, leptons = events[ak.num(leptons) >= 3], leptons[ak.num(leptons) >= 3]
    pairs = ak.argcombinations(leptons, 2, fields=["i", "j"])
    a, b = leptons[pairs.i], leptons[pairs.j]
    pairs = pairs[(a.kind == b.kind) & (a.charge != b.charge)]
    mass = (leptons[pairs.i] + leptons[pairs.j]).mass
    pair = pairs[ak.singletons(ak.argmin(abs(mass - 91.2), axis=1))]
    found = ak.num(pair) > 0
    events, leptons, pair = events[found], leptons[found], ak.flatten(pair[found])
    index = ak.local_index(leptons)
    other = leptons[(index != pair.i) & (index != pair.j)]
    other = ak.flatten(other[ak.argmax(other.pt, axis=1, keepdims=True)])
    yield "Q8", np.sqrt(2 * other.pt * events.MET.pt * (1 - np.cos(events.MET.phi - other.phi)))


def ttbar(events):
    e, mu, jets = events.Electron, events.Muon, events.Jet
    e = e[(e.pt > 30) & (abs(e.eta) < 2.1) & (e.cutBased == 4) & (e.sip3d < 4)]
    mu = mu[(mu.pt > 30) & (abs(mu.eta) < 2.1) & mu.tightId & (mu.sip3d < 4)]
    mu = mu[mu.pfRelIso04_all < 0.15]
    jets = jets[(jets.pt > 30) & (abs(jets.eta) < 2.4) & (jets.jetId == 6)]
    jets = jets[(ak.num(e) + ak.num(mu) == 1) & (ak.num(jets) >= 4)]
    tags = ak.sum(jets.btagCSVV2 > 0.5, axis=1)
    yield "4j1b", ak.sum(jets[tags == 1].pt, axis=1)
    triples = ak.combinations(jets[tags >= 2], 3, fields=["a", "b", "c"])
    best = np.maximum(np.maximum(triples.a.btagCSVV2, triples.b.btagCSVV2), triples.c.btagCSVV2)
    triples = triples[best > 0.5]
    total = triples.a + triples.b + triples.c
    yield "4j2b", ak.flatten(total[ak.argmax(total.pt, axis=1, keepdims=True)].mass)


if __name__ == "__main__":
    adl, agc = map(events_of, sys.argv[1:3])
    found = {**dict(one_list(adl)), **dict(two_lists(adl)), **dict(ttbar(agc))}
    values = {name: ak.to_list(ak.drop_none(array)) for name, array in found.items()}
    sys.stdout.write(json.dumps(values))
