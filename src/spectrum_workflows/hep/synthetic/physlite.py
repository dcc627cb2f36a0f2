"""The same generated events in the form of ATLAS' DAOD_PHYSLITE.

Momenta are in MeV, b-tagging lies in a container of its own that jets link to, identities are
flags.  Branches of a TTree are lists of numbers with a counter, where Athena writes vectors; the
two members of a link are branches by their own names.
"""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

BTAGGING = 582299515
"""Persistent key of the container ``BTagging_AntiKt4EMPFlow`` in files of ATLAS."""

TIGHT_WITH_VETO = 6
"""NanoAOD's ``Jet_jetId`` of a jet that is no lepton."""

CLEAN = "DFCommonJets_jetClean_LooseBad"
ISOLATION = "ptvarcone30_Nonprompt_All_MaxWeightTTVA_pt500"
POINTS = ("VeryLoose", "Loose", "Medium", "Tight")

Containers = dict[str, dict[str, ak.Array]]
"""Columns of every container; those of events are not lists."""


def as_physlite(events: dict[str, ak.Array]) -> Containers:
    """Generated events as containers of PHYSLITE.

    Parameters
    ----------
    events : dict
        As `nanoaod.generate` makes them, or without what only simulation knows.

    Returns
    -------
    dict of dict of ak.Array
        By container: ``EventInfo``, ``MET_Core_AnalysisMET``, ``AnalysisElectrons`` and so on.
        The significance of the impact parameter is stored as a decoration ``sip3d``; the
        discriminant of b-tagging u becomes probabilities u, 1 - u and 1 - u.
    """
    electrons, muons, jets = (events[name] for name in ("Electron", "Muon", "Jet"))
    flags = {
        f"DFCommonElectronsLH{point}": _as(electrons.cutBased > k, np.int8)
        for k, point in enumerate(POINTS)
    }
    containers: Containers = {
        "EventInfo": _event(events),
        "MET_Core_AnalysisMET": _missing(events),
        "AnalysisElectrons": {
            **_momenta(electrons, "m"),
            "charge": _as(electrons.charge, np.float32),
            **flags,
            "sip3d": electrons.sip3d,
        },
        "AnalysisMuons": {
            **_momenta(muons),
            "charge": _as(muons.charge, np.float32),
            "quality": _as(9 - muons.tightId, np.uint8),  # tight, or medium; bit 3 is another cut
            ISOLATION: _as(muons.pfRelIso04_all * (muons.pt * 1000), np.float32),
            "sip3d": muons.sip3d,
        },
        "AnalysisJets": {
            **_momenta(jets, "m"),
            CLEAN: _as(jets.jetId == TIGHT_WITH_VETO, np.int8),
            "btaggingLink.m_persKey": _as(ak.full_like(jets.jetId, BTAGGING), np.uint32),
            "btaggingLink.m_persIndex": _as(_turned(jets.pt), np.uint32),
        },
        "BTagging_AntiKt4EMPFlow": _tagged(jets.btagCSVV2),
    }
    if "hadronFlavour" in jets.fields:
        containers["AnalysisJets"]["HadronConeExclTruthLabelID"] = jets.hadronFlavour
    return containers


def bookkeepers(weights: NDArray[np.float64]) -> dict[str, ak.Array]:
    """What counts all generated events, and a later selection of which nothing is counted."""
    return {
        "CutBookkeepersAux:name": ak.Array([["AllExecutedEvents", "PHYSLITEKernel"]]),
        "CutBookkeepersAux:inputStream": ak.Array([["StreamAOD", "StreamDAOD_PHYSLITE"]]),
        "CutBookkeepersAux:cycle": _numbers([[0, 0]], np.int32),
        "CutBookkeepersAux:nAcceptedEvents": _numbers([[len(weights), 0]], np.uint64),
        "CutBookkeepersAux:sumOfEventWeights": _numbers([[weights.sum(), 0]], np.float64),
        "CutBookkeepersAux:sumOfEventWeightsSquared": _numbers(
            [[(weights**2).sum(), 0]], np.float64
        ),
    }


def _event(events: dict[str, ak.Array]) -> dict[str, ak.Array]:
    info = {
        "runNumber": events["run"],
        "lumiBlock": events["luminosityBlock"],
        "eventNumber": events["event"],
    }
    if "genWeight" in events:
        info["mcEventWeights"] = _vectors(events["genWeight"])
    return info


def _missing(events: dict[str, ak.Array]) -> dict[str, ak.Array]:
    """Components, as the only term of the missing momentum."""
    size, angle = (np.asarray(events[f"MET_{name}"], np.float64) for name in ("pt", "phi"))
    parts = {"mpx": 1000 * size * np.cos(angle), "mpy": 1000 * size * np.sin(angle)}
    return {name: _vectors(part.astype(np.float32)) for name, part in parts.items()}


def _momenta(objects: ak.Array, *masses: str) -> dict[str, ak.Array]:
    """Momenta and masses in MeV."""
    pairs: dict[str, Any] = {"pt": 1000 * objects.pt, "eta": objects.eta, "phi": objects.phi}
    pairs |= dict.fromkeys(masses, 1000 * objects.mass)
    return {name: _as(values, np.float32) for name, values in pairs.items()}


def _tagged(u: ak.Array) -> dict[str, ak.Array]:
    """Probabilities, in the opposite order: who takes them without links takes wrong ones."""
    turned = u[:, ::-1]
    return {
        "DL1dv01_pb": _as(turned, np.float32),
        "DL1dv01_pc": _as(1 - turned, np.float32),
        "DL1dv01_pu": _as(1 - turned, np.float32),
    }


def _turned(items: ak.Array) -> ak.Array:
    """Positions of items, counted from the last."""
    return ak.local_index(items)[:, ::-1]


def _vectors(numbers: Any) -> ak.Array:
    """Vectors of one number each."""
    return ak.unflatten(numbers, np.ones(len(numbers), np.int64))


def _as(values: Any, kind: Any) -> ak.Array:
    return ak.values_astype(values, kind)


def _numbers(values: list[list[float]], kind: Any) -> ak.Array:
    return ak.values_astype(ak.Array(values), kind)
