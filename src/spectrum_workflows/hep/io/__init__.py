"""ROOT files: opened and read from any store, written, and converted."""
