"""Profiles as ROOT has them: TProfile, TProfile2D and TProfile3D."""

from __future__ import annotations

from typing import Any

import numpy as np
from uproot.models import TH
from uproot.models.TArray import Model_TArray
from uproot.writing.identify import to_TArray

KINDS = {
    "TH1D": (TH.Model_TProfile_v7, "Y"),
    "TH2D": (TH.Model_TProfile2D_v8, "Z"),
    "TH3D": (TH.Model_TProfile3D_v8, "T"),
}
"""The profile of as many axes, and what ROOT calls the quantity of which it has the mean."""


def root_profile(counts: Any, sums: Any) -> Any:
    """A profile to write.

    Layout: root.cern, TProfile: contents are sums of weighted values, ``fSumw2`` of weighted
    squares, ``fBinEntries`` of weights, ``fBinSumw2`` of their squares.

    Parameters
    ----------
    counts : uproot model of TH1D, TH2D or TH3D
        Sums of weights, and of their squares as variances.
    sums : uproot model of the same kind
        Sums of weighted values, and of weighted squares as variances.
    """
    kind, quantity = KINDS[counts.classname]
    entries, squares = _contents(counts), np.array(counts.member("fSumw2"), np.float64)
    values, weighted = _contents(sums), np.array(sums.member("fSumw2"), np.float64)
    counts.base(Model_TArray)[0]._data = values.astype(">f8")
    counts.member("fSumw2")._data = weighted.astype(">f8")
    profile = kind.empty()
    profile._bases.append(counts)
    profile._members |= {
        "fBinEntries": to_TArray(entries),
        "fErrorMode": 0,
        f"f{quantity}min": 0.0,
        f"f{quantity}max": 0.0,
        f"fTsumw{quantity.lower()}": float(values.sum()),
        f"fTsumw{quantity.lower()}2": float(weighted.sum()),
        "fBinSumw2": to_TArray(squares),
    }
    profile._deeply_writable = counts._deeply_writable
    return profile


def _contents(model: Any) -> Any:
    return np.array(model.base(Model_TArray)[0], np.float64)
