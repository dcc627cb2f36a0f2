"""Radio interferometric imaging: visibilities to a deconvolved image.

For a pipeline of one's own there are functions of visibilities and images in memory, which
need no spec, file or site: `open`, `visibilities`, `imaging_weights`, `dirty_image`, `psf`,
`predict`, `clean`, `fit_beam`, `restore`, and `image`, which is all of them in turn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spectrum_workflows.radio.domain import DOMAIN
    from spectrum_workflows.radio.library import (
        clean,
        dirty_image,
        fit_beam,
        image,
        imaging_weights,
        predict,
        psf,
        restore,
    )
    from spectrum_workflows.radio.read.dataset import visibilities
    from spectrum_workflows.radio.read.opening import open  # noqa: A004
    from spectrum_workflows.radio.types import Beam

_HOME = {
    "DOMAIN": "domain",
    "Beam": "types",
    "clean": "library",
    "dirty_image": "library",
    "fit_beam": "library",
    "image": "library",
    "imaging_weights": "library",
    "open": "read.opening",
    "predict": "library",
    "psf": "library",
    "restore": "library",
    "visibilities": "read.dataset",
}

__all__ = [
    "DOMAIN",
    "Beam",
    "clean",
    "dirty_image",
    "fit_beam",
    "image",
    "imaging_weights",
    "open",
    "predict",
    "psf",
    "restore",
    "visibilities",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that this import stays light."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
