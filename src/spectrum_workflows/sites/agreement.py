"""The same software on both sides, compared before work starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.asking import WITHIN, versions_of

if TYPE_CHECKING:
    from distributed import Client

COMPARED = ("python", "dask", "distributed", "spectrum_workflows")


def check_agreement(client: Client, workers: Iterable[str]) -> frozenset[str]:
    """Compare Python, Dask and this package here, on the scheduler and on some workers.

    Returns
    -------
    frozenset of str
        The workers that answered; one that hangs does not.

    Raises
    ------
    SiteError
        They differ, or one side lacks them.
    """
    from distributed.versions import get_versions

    packages = ["spectrum_workflows"]
    try:
        scheduler = client.sync(
            client.scheduler.versions, packages=packages, callback_timeout=WITHIN
        )
    except (OSError, TimeoutError) as error:
        reason = str(error) or f"no answer within {WITHIN:g} s"
        raise ConnectionError(
            f"the scheduler did not say which software it has: {reason}"
        ) from error
    answers = versions_of(client, workers, (*packages,))
    compare_versions(
        {"client": get_versions(packages=packages), "scheduler": scheduler, "workers": answers}
    )
    return frozenset(address for address, side in answers.items() if isinstance(side, Mapping))


def compare_versions(versions: Mapping[str, Any]) -> None:
    """Compare what `distributed.Client.get_versions` gave.

    Raises
    ------
    SiteError
        A version on the scheduler or on a worker is not the client's.
    """
    here = _versions(versions["client"])
    others = {"the scheduler": versions["scheduler"], **versions["workers"]}
    for where, side in others.items():
        if not isinstance(side, Mapping):
            continue  # a worker that has left meanwhile
        versions = _versions(side)
        wrong = [
            f"{name} {versions[name] or 'is missing'} there and {here[name]} here"
            for name in COMPARED
            if versions[name] != here[name]
        ]
        if wrong:
            who = where if where == "the scheduler" else f"the worker at {where}"
            raise SiteError(
                "; ".join(wrong), who, "install environments/requirements.lock on both sides"
            )


def _versions(side: Mapping[str, Any]) -> dict[str, str]:
    packages = side.get("packages", {})
    versions = {name: str(packages.get(name) or "") for name in COMPARED}
    versions["python"] = ".".join(versions["python"].split(".")[:2])
    return versions
