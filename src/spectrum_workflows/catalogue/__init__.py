"""Named data sets: where copies lie, which one is read, how they are recognised.

A spec writes ``catalogue:NAME`` in place of a file's or a data set's name.
"""

from spectrum_workflows.catalogue.data_set_names import is_data_set
from spectrum_workflows.catalogue.data_sets import DataSet, data_set, shared_roots
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
    "DataSet",
    "Located",
    "catalogue",
    "copies",
    "data_set",
    "entry",
    "every_entry",
    "fetch",
    "is_data_set",
    "located",
    "places",
    "plain_name",
    "published",
    "set_name",
    "shared_roots",
    "stems",
    "verify",
]
