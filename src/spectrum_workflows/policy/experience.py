"""What earlier runs of a question took on this processor: what later ones are foretold from."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from spectrum_workflows import __version__, record
from spectrum_workflows.domain import Domain, Plan

MOST = 400
"""Questions that are remembered; the ones that were asked last."""
FORMAT = 1


@dataclass(frozen=True)
class Experience:
    """What one run took.

    Attributes
    ----------
    size, partitions : int
        Of its plan.
    task_seconds, session_seconds : float
        CPU time of all its tasks, and of the session besides.
    seconds : float
        Wall time.
    workers : int
        When it began; 0 in one process.
    bytes_read, bytes_out : int
        What it read, and the size of its results; ``None`` where nothing was saved.
    start_seconds : float
        CPU time that every process takes once, where that is known apart from the others.
    at : float
        When it was, seconds since 1970.
    task_wall_seconds : float
        Wall time of all its tasks together, with what they waited for: bytes, or other load; 0
        where it is not known.
    """

    size: int
    partitions: int
    task_seconds: float
    session_seconds: float
    seconds: float
    workers: int
    bytes_read: int
    bytes_out: int | None = None
    start_seconds: float = 0.0
    at: float = 0.0
    task_wall_seconds: float = 0.0

    @property
    def task_seconds_waited(self) -> float:
        """Time of all tasks by the clock, at least that of their processors."""
        return max(self.task_seconds, self.task_wall_seconds)


def experience_file() -> Path:
    """File of what was remembered, in the user's folder of state."""
    return user_state_path("spectrum-workflows") / "experience.json"


def key(spec: Any, plan: Plan, science: Domain[Any, Any]) -> str:
    """Hash of what decides the cost of an entry: of the question without its input files."""
    asked = [FORMAT, __version__, science.name, science.numbers(spec), plan.code]
    text = json.dumps(asked, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def remember(question: str, where: str, experience: Experience) -> None:
    """Keep what a run took; nothing happens where that cannot be written.

    Parameters
    ----------
    question : str
        From `key`.
    where : str
        Kind of place.
    experience : Experience
    """
    kept = _kept()
    own = kept.setdefault(record.processor(), {})
    places = own.pop(question, {})
    own[question] = {**places, where: asdict(experience) | {"at": time.time()}}
    for oldest in list(own)[:-MOST]:
        del own[oldest]
    path = experience_file()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{time.monotonic_ns()}.part")
        part.write_text(json.dumps({"format": FORMAT, "of": kept}))
        part.replace(path)


def recall(question: str, where: str) -> Experience | None:
    """What a run of the question took here, best of all at a place of the same kind."""
    places = _kept().get(record.processor(), {}).get(question, {})
    for kind in (where, *places):
        if kind in places:
            with suppress(TypeError, ValueError, AttributeError):
                return _experience(places[kind])
    return None


def _experience(table: dict[str, Any]) -> Experience:
    """Numbers as they were written.

    Raises
    ------
    TypeError, ValueError
        They are none, or make no sense.
    """
    names = (one.name for one in fields(Experience) if table.get(one.name) is not None)
    values = {name: float(table[name]) for name in names}
    whole = ("size", "partitions", "workers", "bytes_read", "bytes_out")
    made = Experience(**{k: int(v) if k in whole else v for k, v in values.items()})  # type: ignore[arg-type]
    if made.size < 1 or made.partitions < 1 or min(values.values()) < 0:
        raise ValueError("not of a run")
    return made


def _kept() -> dict[str, dict[str, dict[str, Any]]]:
    """By processor, question and place; nothing where the file is absent or damaged."""
    try:
        table = json.loads(experience_file().read_bytes())
        if table["format"] != FORMAT:
            return {}
        return {
            processor: {question: dict(places) for question, places in questions.items()}
            for processor, questions in table["of"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
