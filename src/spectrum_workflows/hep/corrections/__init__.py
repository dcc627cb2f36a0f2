"""Corrections of correctionlib's JSON schema 2, compiled: trees of bins, categories and formulas.

`reading` gives the numbers of a file as the library reads them, `formula` and `tree` make tables
of them, `kernel` and `joint` evaluate tables, and `evaluation` is what others use.
"""
