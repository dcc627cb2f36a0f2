"""What every benchmark says of itself: ratios, the bars they must reach, machine and date."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def machine() -> str:
    """The processor in words."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "?")
    return f"{model}, {os.cpu_count()} cores"


def finished(
    ratios: Mapping[str, float],
    bars: Mapping[str, float],
    *,
    at_most: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """The object to print; a bar is the least a ratio may be, or the most.

    The load is that of the last 15 minutes, with our own processes.
    """
    sign = -1 if at_most else 1
    held = all(name in ratios and sign * ratios[name] >= sign * bar for name, bar in bars.items())
    return {
        **more,
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "bars": dict(bars),
        "bars_are": "at most" if at_most else "at least",
        "holds": held,
        "machine": machine(),
        "load": round(os.getloadavg()[2], 1),
        "date": datetime.now(UTC).date().isoformat(),
    }


def show(found: Mapping[str, Any], *, as_json: bool) -> None:
    """One JSON object, or a table."""
    if as_json:
        print(json.dumps(found, indent=1))
        return
    print(f"{found['machine']}; {found['date']}")
    for name, ratio in found["ratios"].items():
        bar = found["bars"].get(name)
        words = f"{found['bars_are']} {bar:g}" if bar is not None else ""
        print(f"  {name:48}{ratio:>10.3f}  {words}")
    for name in sorted(found.keys() - {"ratios", "bars", "bars_are", "machine", "load", "date"}):
        print(f"{name}: {found[name]}")
