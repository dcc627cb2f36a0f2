"""Names below the data roots of several sites that compute together: each has some of the data."""

from __future__ import annotations

from contextlib import suppress

from spectrum_workflows.errors import AccessError, StoreError
from spectrum_workflows.storage import urls
from spectrum_workflows.storage.options import current_stores
from spectrum_workflows.storage.reading import exists


def join(root: str, name: str) -> str:
    """A name resolved against a root; URLs and absolute paths stay as they are.

    Where several sites compute together and the root stands for theirs, it is the first of
    them that has something of that name.
    """
    own = urls.join(root, name)
    roots = data_roots(root)
    if len(roots) == 1 or own == urls.absolute(name):
        return own
    return next((url for url in (urls.join(r, name) for r in roots) if _is_there(url)), own)


def below(root: str, name: str) -> str:
    """The URL of data below a data root, whose names may be those of a catalogue.

    As `join`, but a name that begins with a slash belongs to an XRootD server
    where the root is one: ``/store/...``, as DAS prints it, below
    ``root://HOST`` is ``root://HOST//store/...``.
    """
    roots = data_roots(root)
    own = [urls.below(r, name) for r in roots]
    return own[0] if len(roots) == 1 else next(filter(_is_there, own), own[0])


def data_roots(root: str) -> tuple[str, ...]:
    """The root, or those of all sites that compute together if it stands for them."""
    roots = current_stores().roots
    return roots if len(roots) > 1 and root == roots[0] else (root,)


def _is_there(url: str) -> bool:
    with suppress(AccessError, StoreError):  # another site may have it
        return exists(url)
    return False
