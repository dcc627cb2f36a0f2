"""The map: SPECTRUM's capability areas and phases, and what of them runs here."""
