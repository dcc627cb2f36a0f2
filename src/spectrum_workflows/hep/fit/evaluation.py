"""What the spec of a run asks of its likelihood besides the fit; each may fail for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.hep.fit.impacts import impacts
from spectrum_workflows.hep.fit.limits import limit, significance
from spectrum_workflows.hep.types.statistics import Evaluation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def evaluate(workspace: Mapping[str, Any], names: Sequence[str]) -> Evaluation:
    """Limit, significance and impacts, as far as they are asked for.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf.
    names : sequence of str
        ``"limit"``, which has the significance with it, and ``"impacts"``.

    Returns
    -------
    Evaluation
        With the reasons for what could not be had.
    """
    made: dict[str, Any] = {}
    reasons = []
    for name in names:
        try:
            if name == "limit":
                made["limit"] = limit(workspace)
                made["significance"] = significance(workspace)
            elif name == "impacts":
                made["impacts"] = impacts(workspace)
        except SpectrumError as error:  # the histograms and the fit are worth more
            reasons.append(f"no {name}: {error}")
    return Evaluation(**made, reasons=tuple(reasons))
