"""The same software on both sides, compared before work starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spectrum_workflows.errors import SiteError

if TYPE_CHECKING:
    from distributed import Client

COMPARED = ("python", "dask", "distributed", "spectrum_workflows")


def check_agreement(client: Client) -> None:
    """Compare Python, Dask and this package here, on the scheduler and on the workers.

    Raises
    ------
    SiteError
        They differ, or one side lacks them.
    """
    try:
        found = client.get_versions(packages=["spectrum_workflows"])
    except OSError as error:
        raise SiteError(f"the workers did not say which software they have: {error}") from error
    compare_versions(found)


def compare_versions(found: Mapping[str, Any]) -> None:
    """Compare what `distributed.Client.get_versions` gave.

    Raises
    ------
    SiteError
        A version on the scheduler or on a worker is not the client's.
    """
    here = _versions(found["client"])
    others = {"the scheduler": found["scheduler"], **found["workers"]}
    for where, side in others.items():
        if not isinstance(side, Mapping):
            continue  # a worker that has left meanwhile
        there = _versions(side)
        wrong = [
            f"{name} {there[name] or 'is missing'} there and {here[name]} here"
            for name in COMPARED
            if there[name] != here[name]
        ]
        if wrong:
            who = where if where == "the scheduler" else f"the worker at {where}"
            raise SiteError(
                "; ".join(wrong), who, "install environments/requirements.lock on both sides"
            )


def _versions(side: Mapping[str, Any]) -> dict[str, str]:
    packages = side.get("packages", {})
    found = {name: str(packages.get(name) or "") for name in COMPARED}
    found["python"] = ".".join(found["python"].split(".")[:2])
    return found
