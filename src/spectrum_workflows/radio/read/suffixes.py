"""Names of sets that are one file."""

ONE_FILE = (".uvfits", ".uvf", ".fits", ".uvh5", ".h5", ".hdf5")
"""How they end, in small letters; every other set in a store is taken for a Zarr set."""
