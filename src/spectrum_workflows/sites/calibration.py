"""Cost of work on this machine, measured once and kept in the user's cache folder."""

from __future__ import annotations

import json
from pathlib import Path

from platformdirs import user_cache_path

from spectrum_workflows.errors import OutputError
from spectrum_workflows.record import processor


def calibration_file() -> Path:
    """File of the costs, per processor model: a cache may be on a shared file system."""
    return user_cache_path("spectrum-workflows") / "calibration.json"


def save_costs(science: str, costs: dict[str, float]) -> Path:
    """Keep CPU seconds per unit of each kind of work of one science.

    Raises
    ------
    OutputError
        The cache folder cannot be written.
    """
    path, kept = calibration_file(), _kept()
    kept.setdefault(processor(), {})[science] = costs
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(kept, indent=1))
        part.replace(path)
    except OSError as error:
        remedy = "set XDG_CACHE_HOME to a folder of yours"
        raise OutputError(f"cannot keep the costs ({error.strerror})", str(path), remedy) from error
    return path


def costs_of(science: str) -> dict[str, float]:
    """Costs measured for a science on this processor; empty where nothing was."""
    return _kept().get(processor(), {}).get(science, {})


def _kept() -> dict[str, dict[str, dict[str, float]]]:
    """Costs by processor and science; nothing where the file is absent or damaged."""
    try:
        of_processors = json.loads(calibration_file().read_bytes())
        return {
            model: {
                science: {kind: float(seconds) for kind, seconds in costs.items()}
                for science, costs in sciences.items()
            }
            for model, sciences in of_processors.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
