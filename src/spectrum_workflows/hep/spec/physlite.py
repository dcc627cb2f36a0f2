"""DAOD_PHYSLITE of ATLAS in the names and units of NanoAOD.

Branches are those of the derivation's content list (``PHYSLITE.py`` in ATLAS' athena).  What has
no counterpart in NanoAOD is not given one: it is read under its own name.
"""

from __future__ import annotations

from spectrum_workflows.hep.spec.formats import NANOAOD, FormatSpec, SourceSpec

MUON_MASS = 0.1056583755
"""In GeV (PDG 2024); PHYSLITE stores no mass of muons."""

CHARM_FRACTION = 0.018
"""Of the background in ATLAS' DL1dv01 discriminant."""

TRUE_FLAVOUR = tuple(flavour if flavour in (4, 5) else 0 for flavour in range(16))
"""NanoAOD's ``hadronFlavour`` of ATLAS' label, which is 15 for a tau."""

QUALITY = 0b11
"""Bits of a muon's quality: 0 tight, 1 medium, 2 loose, 3 very loose; others are of other cuts."""


def _kinematics(collection: str, container: str, *names: str) -> dict[str, str | SourceSpec]:
    """Momentum and direction of the objects of a container."""
    stored = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "m"}
    return {
        f"{collection}_{name}": SourceSpec(
            branch=f"{container}AuxDyn.{stored[name]}",
            unit="MeV" if name in ("pt", "mass") else "",
        )
        for name in ("pt", "eta", "phi", *names)
    }


def _charge(container: str) -> SourceSpec:
    return SourceSpec(branch=f"{container}AuxDyn.charge", type="int32")


def _muon_passes(worst: int) -> SourceSpec:
    passes = tuple(quality <= worst for quality in range(4))
    return SourceSpec(branch="AnalysisMuonsAuxDyn.quality", bits=QUALITY, values=passes)


_LIKELIHOOD = tuple(
    f"AnalysisElectronsAuxDyn.DFCommonElectronsLH{point}"
    for point in ("VeryLoose", "Loose", "Medium", "Tight")
)

_TAGGING = "BTagging_AntiKt4EMPFlowAuxDyn.DL1dv01_"

PHYSLITE = FormatSpec(
    trees=("CollectionTree", "EventData"),
    generated="CutBookkeepers",
    columns={
        "run": "EventInfoAuxDyn.runNumber",
        "luminosityBlock": "EventInfoAuxDyn.lumiBlock",
        "event": "EventInfoAuxDyn.eventNumber",
        "genWeight": SourceSpec(branch="EventInfoAuxDyn.mcEventWeights", element=0),
        "Pileup_nTrueInt": "EventInfoAuxDyn.averageInteractionsPerCrossing",
        **_kinematics("Electron", "AnalysisElectrons", "mass"),
        "Electron_charge": _charge("AnalysisElectrons"),
        "Electron_cutBased": SourceSpec(definition="working_points", branches=_LIKELIHOOD),
        **_kinematics("Muon", "AnalysisMuons"),
        "Muon_mass": SourceSpec(constant=MUON_MASS, like="AnalysisMuonsAuxDyn.pt", type="float32"),
        "Muon_charge": _charge("AnalysisMuons"),
        "Muon_tightId": _muon_passes(0),
        "Muon_mediumId": _muon_passes(1),
        "Muon_looseId": _muon_passes(2),
        "Muon_tkRelIso": SourceSpec(
            definition="ratio",
            branches=(
                "AnalysisMuonsAuxDyn.ptvarcone30_Nonprompt_All_MaxWeightTTVA_pt500",
                "AnalysisMuonsAuxDyn.pt",
            ),
        ),
        **_kinematics("Jet", "AnalysisJets", "mass"),
        "Jet_hadronFlavour": SourceSpec(
            branch="AnalysisJetsAuxDyn.HadronConeExclTruthLabelID",
            values=TRUE_FLAVOUR,
            type="int32",
        ),
        "Jet_btagDL1dv01": SourceSpec(
            definition="discriminant",
            branches=tuple(f"{_TAGGING}{flavour}" for flavour in ("pb", "pc", "pu")),
            fraction=CHARM_FRACTION,
            link="AnalysisJetsAuxDyn.btaggingLink",
        ),
        **_kinematics("Photon", "AnalysisPhotons"),
        **_kinematics("Tau", "AnalysisTauJets", "mass"),
        "Tau_charge": _charge("AnalysisTauJets"),
        **_kinematics("FatJet", "AnalysisLargeRJets", "mass"),
    },
)

SHIPPED = {"PHYSLITE": PHYSLITE}
"""Formats that come with the package, besides NanoAOD."""

NAMES = (NANOAOD, *SHIPPED)
