"""Sheets of use cases: a workflow under the eight headings of SPECTRUM's compendium."""
