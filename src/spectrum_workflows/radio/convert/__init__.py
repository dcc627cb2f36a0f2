"""Measurement Sets to Zarr in the MSv4 schema, for file systems and object stores.

xradio has a converter too; it cannot be resumed and writes all channels of a time
into one chunk unless told otherwise, and it brings a second casacore into the
process.  What both write is the same schema, which a test compares.
"""

from spectrum_workflows.radio.convert.converting import convert

__all__ = ["convert"]
