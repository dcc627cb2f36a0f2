"""Media types of what runs write, the same on every machine."""

from __future__ import annotations

from pathlib import PurePosixPath

TYPES = {
    ".csv": "text/csv",
    ".fits": "application/fits",
    ".html": "text/html",
    ".json": "application/json",
    ".npz": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".root": "application/x-root",
    ".svg": "image/svg+xml",
    ".toml": "application/toml",
    ".txt": "text/plain",
    ".zip": "application/zip",
}
UNKNOWN = "application/octet-stream"


def media_type(name: str) -> str:
    """The media type of a file, by the end of its name."""
    return TYPES.get(PurePosixPath(name).suffix.lower(), UNKNOWN)
