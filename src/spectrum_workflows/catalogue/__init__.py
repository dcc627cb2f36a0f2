"""Named data sets: where copies lie, which one is read, how they are recognised.

A spec writes ``catalogue:NAME`` in place of a file's or a data set's name.
"""

from spectrum_workflows.catalogue.entries import PREFIX, Catalogue, CatalogueEntry, CatalogueFile
from spectrum_workflows.catalogue.fetching import fetch, verify
from spectrum_workflows.catalogue.finding import (
    Located,
    catalogue,
    copies,
    entry,
    every_entry,
    located,
    places,
    plain_name,
    published,
    set_name,
    stems,
)

__all__ = [
    "PREFIX",
    "Catalogue",
    "CatalogueEntry",
    "CatalogueFile",
    "Located",
    "catalogue",
    "copies",
    "entry",
    "every_entry",
    "fetch",
    "located",
    "places",
    "plain_name",
    "published",
    "set_name",
    "stems",
    "verify",
]
