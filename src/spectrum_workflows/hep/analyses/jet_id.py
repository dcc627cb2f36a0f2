"""The jet identity of CMS from its definition, for files that do not store it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np

TIGHT, LEPTON_VETO = 2, 4
"""Bits of NanoAOD's ``Jet_jetId``: tight, and tight with lepton veto."""


def run3(jets: Any) -> Any:
    """Jet identity of Run 3 (13.6 TeV), as the bits of NanoAOD's ``Jet_jetId``.

    CMS JME recommendation "JetID13p6TeV" for AK4 PUPPI jets (2022 on): tight
    and tight-lepton-veto working points.  NanoAOD v13 and later store the
    multiplicities that it takes.

    Parameters
    ----------
    jets : mapping of str to ak.Array, shape (n_events, var)
        The columns of `DEFINITIONS`.

    Returns
    -------
    ak.Array, shape (n_events, var), uint8
        6 is tight with lepton veto, 2 tight only, 0 neither.
    """
    eta = abs(jets["Jet_eta"])
    neutral, electromagnetic = jets["Jet_neHEF"], jets["Jet_neEmEF"]
    counts = (jets["Jet_chMultiplicity"], jets["Jet_neMultiplicity"])  # stored in 8 bits
    charged_n, neutral_n = (ak.values_astype(n, np.int64) for n in counts)
    tracker = (neutral < 0.99) & (electromagnetic < 0.90) & (jets["Jet_chHEF"] > 0.01)
    tracker = tracker & (charged_n > 0) & (charged_n + neutral_n > 1)
    edge = (neutral < 0.90) & (electromagnetic < 0.99)
    endcap = neutral < 0.99
    forward = (electromagnetic < 0.40) & (neutral_n >= 2)
    tight = (
        ((eta <= 2.6) & tracker)
        | ((eta > 2.6) & (eta <= 2.7) & edge)
        | ((eta > 2.7) & (eta <= 3.0) & endcap)
        | ((eta > 3.0) & forward)
    )
    lepton = (jets["Jet_muEF"] >= 0.80) | (jets["Jet_chEmEF"] >= 0.80)
    veto = tight & ((eta > 2.7) | ~lepton)
    return tight * np.uint8(TIGHT) + veto * np.uint8(LEPTON_VETO)


@dataclass(frozen=True)
class Definition:
    """Definition of a column by other columns.

    Attributes
    ----------
    gives : str
        The column.
    columns : tuple of str
        What it is computed from.
    compute : callable
        A function of a mapping with those columns.
    """

    gives: str
    columns: tuple[str, ...]
    compute: Callable[[Any], Any]


DEFINITIONS = {
    "jet_id_run3": Definition(
        "Jet_jetId",
        (
            *("Jet_eta", "Jet_neHEF", "Jet_neEmEF", "Jet_chHEF", "Jet_chEmEF", "Jet_muEF"),
            *("Jet_chMultiplicity", "Jet_neMultiplicity"),
        ),
        run3,
    )
}
"""Definitions that a ``[fallbacks]`` table may name."""
