"""Mutation testing of the kernels and the engine: ``make mutants ROOM=radio/weights``.

mutmut changes one thing at a time in the code of a room and runs the tests that reach it.  It
works on a copy below ``build/mutants``, in which two things differ from the tree:

- what Numba compiles in the room is plain Python, because mutmut leaves decorated ones alone;
- the two workers of ``dask_client`` are threads of the test's own process, so that mutants
  are alive on them; tests that start or kill worker processes are left out.

What survives is printed; ``docs/mutants.md`` says what is thought of it.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

TREE = Path(__file__).parents[1]
WORK = TREE / "build" / "mutants"
COMPILED = re.compile(r"^@(?:(?:numba\.)?njit|compiled)\b.*\n", re.MULTILINE)
COPIED = ("src", "tests", "environments", "workflows")

THREADS = '''

@pytest.fixture(scope="session")
def dask_client() -> Iterator[Client]:
    """Two workers in this process."""
    options = {"threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as client:
        yield client
'''


@dataclass(frozen=True)
class Room:
    """Code to change, and tests that should notice.

    Attributes
    ----------
    code, tests : tuple of str
        Patterns below the package, and files or folders below ``tests``.
    without : str
        Words in names of tests that are left out (pytest's ``-k``).
    """

    code: tuple[str, ...]
    tests: tuple[str, ...]
    without: str = ""


PROCESSES = (
    "any_number or killed or kills or dies or deaths or takes_every or nothing_stays or forgets "
    "or same_time or at_once or hangs or comes_back or pause or edited_kernel or random "
    "or comes_along or on_workers or on_live or named or failure or freed_memory or spread"
)

ROOMS = {
    "radio/gridding": Room(("radio/gridding.py",), ("radio/test_gridding.py",)),
    "radio/weights": Room(("radio/weights.py",), ("radio/test_weights.py",)),
    "radio/deconvolution": Room(
        ("radio/deconvolution/[!mp]*", "radio/deconvolution/masks.py"),
        (
            "radio/test_clean.py",
            "radio/test_sidelobes.py",
            "radio/test_beam.py",
            "radio/test_scales.py",
            "radio/test_masks.py",
            "radio/test_components.py",
            "radio/test_convolution.py",
            "radio/test_major_cycle.py",
            "radio/test_minor_cycle.py",
            "radio/test_models.py",
            "radio/test_search.py",
        ),
    ),
    "radio/minor_cycle": Room(
        ("radio/deconvolution/minor_cycle.py", "radio/deconvolution/patches.py"),
        ("radio/test_minor_cycle.py", "radio/test_patches.py"),
    ),
    "radio/strips": Room(
        ("radio/strips/*",),
        (
            "radio/test_strips.py",
            "radio/test_strip_accuracy.py",
            "radio/test_strip_layout.py",
            "radio/test_strip_images.py",
            "radio/test_cutting.py",
        ),
    ),
    "hep/histogram": Room(
        ("hep/histogram.py",),
        (
            "hep/test_histogram.py",
            "hep/test_filling.py",
            "hep/test_axes.py",
            "hep/test_observables.py",
        ),
    ),
    "hep/selection": Room(
        ("hep/select/selection.py", "hep/select/finding.py", "hep/select/user_errors.py"),
        ("hep/test_selection.py", "hep/test_finding.py", "hep/test_code.py", "hep/test_cuts.py"),
        f"{PROCESSES} or second_process or njit or RecursionError",
    ),
    "hep/analyses": Room(
        ("hep/analyses/*",),
        (
            "hep/test_ttbar.py",
            "hep/test_jet_id.py",
            "hep/test_smearing.py",
            "hep/test_particles.py",
            "hep/test_adl.py",
            "hep/test_analyses.py",
        ),
        "generated or real_file or any_slice or empty_regions or give_no_mass",  # many events
    ),
    "engine": Room(
        ("engine/*",),
        (
            "engine/test_parts.py",
            "engine/test_memory.py",
            "engine/test_waiting.py",
            "engine/test_bundles.py",
            "engine/test_nearness.py",
            "engine/test_observer.py",
            "engine/test_run.py",
            "engine/test_map_reduce.py",
            "engine/test_threads.py",
            "reliability/test_entries.py",
        ),
        "memory_of_workers",  # of processes
    ),
}


def main() -> None:
    """Change the rooms that are named, one after the other, and print what survives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", choices=[*ROOMS, []], metavar="ROOM")
    parser.add_argument(
        "--digits", default="", help="only mutants whose number ends in one of these: a sample"
    )
    parser.add_argument("--children", type=int, default=2, help="processes at a time")
    asked = parser.parse_args()
    for name in asked.rooms or ROOMS:
        folder = staged(name)
        sample = [f"*__mutmut_*{digit}" for digit in asked.digits]
        mutmut(folder, "run", "--max-children", str(asked.children), *sample)
        report(name, folder)


def staged(name: str) -> Path:
    """A copy of the tree in which one room is to be changed."""
    room, folder = ROOMS[name], WORK / name.replace("/", "-")
    shutil.rmtree(folder, ignore_errors=True)
    for part in COPIED:
        ignore = shutil.ignore_patterns("__pycache__", "services")
        shutil.copytree(TREE / part, folder / part, ignore=ignore)
    package = folder / "src" / "spectrum_workflows"
    for pattern in room.code:
        for path in package.glob(pattern):
            path.write_text(COMPILED.sub("", path.read_text()))
    with (folder / "tests" / "conftest.py").open("a") as file:
        file.write(THREADS)
    code = [f"src/spectrum_workflows/{pattern}" for pattern in room.code]
    selection = [f"tests/{test}" for test in room.tests]
    options = ["-q", "-x", "-n0", "-p", "no:cacheprovider", "--timeout=120"]
    options += ["-k", f"not ({room.without})"] if room.without else []
    (folder / "pyproject.toml").write_text(
        f"""
[tool.mutmut]
source_paths = ["src"]
only_mutate = {json.dumps(code)}
pytest_add_cli_args_test_selection = {json.dumps(selection)}
pytest_add_cli_args = {json.dumps(options)}
use_git_change_detection = false
use_setproctitle = false
process_isolation = "forkserver"
timeout_constant = 60

[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
markers = ["cases: the shared cases"]
"""
    )
    return folder


def mutmut(folder: Path, *command: str) -> str:
    """Run mutmut in a folder; what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        (folder / "mutmut.txt").write_text(done.stdout + done.stderr)
    return done.stdout


def report(name: str, folder: Path) -> None:
    """How many mutants of a room are dead, and what the others change."""
    fates = [
        line.strip().split(": ")
        for line in mutmut(folder, "results", "--all", "true").splitlines()
        if "__mutmut_" in line and not line.endswith("not checked")
    ]
    counts: dict[str, int] = {}
    for _, fate in fates:
        counts[fate] = counts.get(fate, 0) + 1
    dead = counts.get("killed", 0) + counts.get("timeout", 0)
    print(f"{name}: {dead} of {len(fates)} killed, {counts}")
    if not fates:
        print(f"  mutmut changed nothing; see {folder / 'mutmut.txt'}")
    unreached = Counter(
        mutant.split("__mutmut_")[0] for mutant, fate in fates if fate == "no tests"
    )
    for function, count in unreached.items():
        print(
            f"  {function.removeprefix('spectrum_workflows.')}: no test reaches its {count} mutants"
        )
    for mutant, fate in fates:
        if fate in ("killed", "timeout", "no tests"):
            continue
        shown = mutmut(folder, "show", mutant).splitlines()
        lines = [line for line in shown if re.match(r"[-+] *[^-+ ]", line)]
        print(f"  {mutant.removeprefix('spectrum_workflows.')} ({fate})", *lines, sep="\n    ")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
