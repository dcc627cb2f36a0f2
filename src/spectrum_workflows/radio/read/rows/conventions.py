"""What UVFITS and UVH5 have in common."""

STOKES = {1: 1, 2: 2, 3: 3, 4: 4, -1: 5, -2: 8, -3: 6, -4: 7, -5: 9, -6: 12, -7: 10, -8: 11}
"""Numbers of polarizations (AIPS memo 117), and those of a Measurement Set."""

JULIAN_ZERO = 2_400_000.5
"""Julian date at which modified Julian dates begin."""

DAY = 86_400.0
"""Seconds of a day."""

DAMAGED = "copy it again, whole; what is still unreadable then is damaged at its source"
"""The remedy for a file that cannot be read."""
