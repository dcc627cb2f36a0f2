"""What a science makes of a saved result besides the run: its commands, on the run's folder."""

from __future__ import annotations

import inspect
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from spectrum_workflows import domain, storage
from spectrum_workflows.errors import OutputError, SpecError
from spectrum_workflows.front import load
from spectrum_workflows.jsontext import as_json
from spectrum_workflows.sites import Site, connect

if TYPE_CHECKING:
    from distributed import Client

    from spectrum_workflows.domain import Product
    from spectrum_workflows.record import Outcome


@dataclass(frozen=True)
class Acted:
    """A product, and where it was saved.

    Attributes
    ----------
    product : Product
        What was made.
    folder : str
        URL of the folder it was saved to.
    files : tuple of str
        Names of what was saved.
    """

    product: Product
    folder: str
    files: tuple[str, ...]


def act(
    science: str,
    action: str,
    run: str,
    *,
    site: Site,
    workers: bool = False,
    options: Mapping[str, Any] | None = None,
    out: str | None = None,
) -> Acted:
    """Do with a saved result what its science offers, and save what comes of it.

    Parameters
    ----------
    science, action : str
        Which of the actions of which science.
    run : str
        Folder of a saved run.
    site : Site
        How stores are reached, and where to compute.
    workers : bool
        Whether the action is computed by the site's workers.
    options : mapping, optional
        The action's own.
    out : str, optional
        Folder to save to; by default one of the action's name in the run's own.

    Returns
    -------
    Acted

    Raises
    ------
    SpecError
        The run is of another science, or the action has no such option.
    SpectrumError
        The run cannot be read, the result is none that the action can use, or the folder
        cannot be written to.
    """
    outcome = load(run, site=site)
    function = domain.get(science).actions[action]
    if outcome.spec.workflow != science:
        message = f"a {outcome.spec.workflow} run has no {action}"
        raise SpecError(message, run, f"give the folder of a {science} run")
    for name in options or {}:
        if name not in inspect.signature(function).parameters:
            raise SpecError(f"--{name.replace('_', '-')} is no option of {action}", run)
    if workers:
        with connect(site) as place:
            product = _made(function, outcome, place.client, options or {})
    else:
        product = _made(function, outcome, None, options or {})
    folder = out or storage.join(run, action)
    with storage.using(site.stores):
        return Acted(product, folder, _saved(product, action, folder, outcome))


def _made(
    function: Any, outcome: Outcome, client: Client | None, options: Mapping[str, Any]
) -> Product:
    with threadpool_limits(1):
        product: Product = function(outcome.result, client=client, **options)
    return product


def _saved(product: Product, action: str, folder: str, outcome: Outcome) -> tuple[str, ...]:
    """Write numbers, files and pictures; pictures last, and never at the numbers' expense."""
    about = {"run": outcome.spec.name, "digest": outcome.digest}
    files = {f"{action}.json": as_json({**about, **product.contents.json}).encode()}
    names = []
    for name, content in {**files, **product.files}.items():
        storage.write_bytes(storage.join(folder, name), content)
        names.append(name)
    for name, draw in product.pictures.items():
        buffer = io.BytesIO()
        try:
            draw().savefig(buffer, format="png", dpi=120, metadata={"Software": None})
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise OutputError(f"{name} could not be drawn ({said})", folder) from error
        storage.write_bytes(storage.join(folder, name), buffer.getvalue())
        names.append(name)
    return tuple(names)
