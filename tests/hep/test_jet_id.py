"""The jet identity of Run 3 on both sides of every one of its limits."""

import awkward as ak
import numpy as np
import pytest

from spectrum_workflows.hep.analyses import jet_id

CENTRAL = (0.2, 0.2, 0.5, 0.1, 0.0)
"""Neutral hadrons, neutral electromagnetic, charged hadrons, charged electromagnetic, muons."""


@pytest.mark.parametrize(
    ("eta", "fractions", "charged", "neutral", "bits"),
    [
        (0.0, CENTRAL, 1, 1, 6),
        (-2.6, CENTRAL, 1, 1, 6),
        (0.0, CENTRAL, 1, 0, 0),  # one constituent
        (0.0, CENTRAL, 2, 0, 6),
        (0.0, CENTRAL, 0, 5, 0),
        (0.0, (0.99, 0.2, 0.5, 0.1, 0.0), 1, 1, 0),
        (0.0, (0.98, 0.2, 0.5, 0.1, 0.0), 1, 1, 6),
        (0.0, (0.2, 0.9, 0.5, 0.1, 0.0), 1, 1, 0),
        (0.0, (0.2, 0.89, 0.5, 0.1, 0.0), 1, 1, 6),
        (0.0, (0.2, 0.2, 0.01, 0.1, 0.0), 1, 1, 0),
        (0.0, (0.2, 0.2, 0.02, 0.1, 0.0), 1, 1, 6),
        (0.0, (0.2, 0.2, 0.5, 0.8, 0.0), 1, 1, 2),  # an electron
        (0.0, (0.2, 0.2, 0.5, 0.79, 0.0), 1, 1, 6),
        (0.0, (0.2, 0.2, 0.5, 0.1, 0.8), 1, 1, 2),  # a muon
        (0.0, (0.2, 0.2, 0.5, 0.1, 0.79), 1, 1, 6),
        (2.65, (0.89, 0.98, 0.0, 0.0, 0.0), 0, 0, 6),
        (2.7, (0.9, 0.2, 0.5, 0.1, 0.0), 1, 1, 0),
        (2.65, (0.2, 0.99, 0.5, 0.1, 0.0), 1, 1, 0),
        (2.7, (0.2, 0.2, 0.5, 0.1, 0.9), 1, 1, 2),
        (-2.8, (0.98, 1.0, 0.0, 0.9, 0.9), 0, 0, 6),
        (3.0, (0.99, 0.2, 0.5, 0.1, 0.0), 1, 1, 0),
        (3.0, (0.5, 0.5, 0.5, 0.1, 0.0), 0, 0, 6),
        (3.1, (1.0, 0.39, 0.0, 0.9, 0.9), 0, 2, 6),
        (3.1, (0.0, 0.4, 0.5, 0.0, 0.0), 5, 5, 0),
        (-4.0, (0.0, 0.1, 0.5, 0.0, 0.0), 5, 1, 0),
    ],
)
def test_the_jet_identity_of_run_3(
    eta: float, fractions: tuple[float, ...], charged: int, neutral: int, bits: int
) -> None:
    names = ("neHEF", "neEmEF", "chHEF", "chEmEF", "muEF")
    jets = {f"Jet_{name}": ak.Array([[f]]) for name, f in zip(names, fractions, strict=True)}
    jets |= {"Jet_eta": ak.Array([[eta]])}
    jets |= {
        "Jet_chMultiplicity": ak.Array([[charged]]),
        "Jet_neMultiplicity": ak.Array([[neutral]]),
    }
    identity = jet_id.run3(jets)
    assert identity.tolist() == [[bits]]
    assert ak.to_numpy(identity).dtype == np.uint8
