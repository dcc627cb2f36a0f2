"""Runs as RO-Crates: what a saved run says of itself, its export, and its verification.

Beside ``record.json`` every run has ``ro-crate-metadata.json``, a *Provenance Run Crate*, and a
folder ``workflow`` with all that is needed to ask the same question again: the spec as it was
resolved, the files beside it that it names, the software and the facts of the catalogue.
"""
