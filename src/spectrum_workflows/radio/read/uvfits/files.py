"""UVFITS files by their URL."""

from __future__ import annotations

from spectrum_workflows import storage
from spectrum_workflows.errors import DataNotFoundError

SUFFIXES = (".uvfits", ".UVFITS", ".uvf", ".UVF", ".fits", ".FITS", "")
"""How the names of UVFITS files end; what they hold decides."""

CARD, RECORD = 80, 2880
LONGEST = 64
"""Records of a header among which END is looked for."""


def begins_as_uvfits(url: str) -> bool:
    """Whether a file begins as random groups do (FITS standard 4.0, section 6)."""
    try:
        cards = _beginning(url)
    except DataNotFoundError:
        return False
    keys = {card[:8].strip(): card[10:].partition(b"/")[0].strip() for card in cards}
    return keys.get(b"GROUPS") == b"T" and keys.get(b"NAXIS1") == b"0"


def _beginning(url: str) -> list[bytes]:
    """The cards of a FITS file's first header; none of another file."""
    cards: list[bytes] = []
    with storage.open_read(url) as file:
        for _ in range(LONGEST):
            record = file.read(RECORD)
            if not cards and not record.startswith(b"SIMPLE  ="):
                return []
            cards += [record[n : n + CARD] for n in range(0, len(record), CARD)]
            if len(record) < RECORD or any(card[:8] == b"END     " for card in cards):
                break
    return cards
