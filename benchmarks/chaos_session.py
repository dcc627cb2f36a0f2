"""One session of the chaos benchmark: it runs a spec at a place, and says how it gets on.

    python benchmarks/chaos_session.py JSON

prints a line of JSON when the workers are there (their process ids), one when the first
partition is done, and the digest at the end.  ``settings`` changes keys of the site's profile.
"""

import json
import os
import sys
from typing import Any

COMPUTING = ("select", "weights", "image", "strips")
"""Stages in which the first partitions are computed, after the input was looked at."""


def tell(**words: Any) -> None:
    """One line for whoever watches."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Connect, run, save nothing."""
    from spectrum_workflows import SpectrumError, connect, load_site, load_spec, run

    asked = json.loads(sys.argv[1])
    moved = False

    def watch(state: Any) -> None:
        nonlocal moved
        if state.done and not moved and state.stage in COMPUTING:
            moved = True
            tell(moves=state.stage)

    try:
        site = load_site(asked["site"], changes=asked["settings"])
        with connect(site, data=asked["data"], results=asked["results"]) as place:
            workers = asked["settings"].get("workers.count", 0)
            if place.client is not None:
                place.client.wait_for_workers(workers, timeout=60)
                tell(workers=sorted(place.client.run(os.getpid, nanny=False).values()))
            outcome = run(load_spec(asked["spec"]), place, watch=watch)
            resumed = [outcome.metrics.resumed, len(outcome.metrics.passes_resumed)]
            tell(digest=outcome.digest, resumed=resumed, warnings=list(outcome.warnings))
    except SpectrumError as error:
        tell(error=f"{type(error).__name__}: {' '.join(str(error).split())}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
