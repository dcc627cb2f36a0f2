"""The byte ledger of a run over several sites: what went from where to where, planned and fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Flow:
    """Bytes of one pair of sites.

    Attributes
    ----------
    source, target : str
        Of what is read: where the store lies, and which site reads.  Of values that are merged:
        the site that computed them, and the session.
    planned : int
        As the placement of subtrees has it, over all passes.
    measured : int
        As it was; 0 before a run.
    by_chance : int
        What would be expected if partitions were placed by chance, as the sites' size has it;
        of what is read, not of values.
    """

    source: str
    target: str
    planned: int
    measured: int = 0
    by_chance: int = 0

    @property
    def crosses(self) -> bool:
        """Whether it leaves a site."""
        return self.source != self.target


@dataclass(frozen=True)
class Traffic:
    """All that moved, or would.

    Attributes
    ----------
    flows : tuple of Flow
    unavoidable : int
        Bytes that this way of placing cannot avoid: of what no site holds, of what all partitions
        need, and a value for every subtree of this cut.  Another cut may have fewer subtrees, and
        read more from afar.
    method : str
        How the work is placed, and why, in words.
    subtrees : mapping of str to int
        Subtrees of the last pass over the partitions, by site.
    lost : mapping of str to str
        Sites that were lost, and why.
    """

    flows: tuple[Flow, ...]
    unavoidable: int = 0
    method: str = ""
    subtrees: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)

    def crossing(self, kind: str) -> int:
        """Bytes that leave a site: ``planned``, ``measured`` or ``by_chance``."""
        return sum(int(getattr(flow, kind)) for flow in self.flows if flow.crosses)

    @property
    def as_json(self) -> dict[str, Any]:
        """All of it for a record."""
        kinds = ("planned", "measured", "by_chance")
        return {
            "method": self.method,
            "subtrees": dict(self.subtrees),
            "lost": dict(self.lost),
            "bytes": [vars(flow) for flow in self.flows],
            "crossing": {kind: self.crossing(kind) for kind in kinds}
            | {"unavoidable": self.unavoidable},
        }


def read_back(table: Mapping[str, Any]) -> Traffic:
    """What `Traffic.as_json` gave."""
    return Traffic(
        tuple(Flow(**flow) for flow in table["bytes"]),
        unavoidable_of(table["crossing"]),
        table["method"],
        table["subtrees"],
        table["lost"],
    )


def unavoidable_of(crossing: Mapping[str, int]) -> int:
    """What a record says that placing cannot avoid.

    The first records of federated runs have ``minimum`` in its place: what crosses in any
    placement, which is the same or less.
    """
    return crossing["unavoidable"] if "unavoidable" in crossing else crossing["minimum"]
