"""The layer rule of the design, read from the import statements of the source."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import entry_points
from pathlib import Path

import pytest

PACKAGE = "spectrum_workflows"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

ORDER = ("words", "pure", "edges", "engine", "workflow", "sites", "front")
"""Imports go from right to left, or stay within one layer."""

STRIPS = (
    "accuracy",
    "bandpass",
    "cost",
    "coverage",
    "cutting",
    "interpolation",
    "transform",
    "planner",
    "one_process",
)

IMAGES = ("beam", "gate", "imager", "noise", "preview", "self_check")
"""Of the rooms of imaging, those that submit no tasks."""

EXAMINED = (
    *("clocks", "energy", "folders", "memory", "node", "probing", "processors", "site", "software"),
    *("stores", "tokens"),
)
"""Of the rooms of the doctor, those that look at one subject each."""

LAYERS = {
    "words": (
        *(
            "ambient",
            "budget",
            "credentials",
            "display",
            "doctor",
            "errors",
            "findings",
            "interrupts",
            "domain.contents",
            "domain.converter",
            "domain.deviation",
            "domain.metrics",
            "domain.panel",
            "domain.piece",
            "domain.plan",
            "domain.product",
            "domain.products",
            "domain.timeline",
            "keys",
            "registration",
            "specs",
            "stages",
            "replicas",
            "traffic",
            "unattended.states",
            "violations",
            "*.types",
            "*.types.*",
            "*.spec",
            "*.spec.*",
        ),
        *("catalogue.data_set_names", "catalogue.entries", "jsontext", "meanings", "naming"),
        *("crates", "crates.circumstances", "crates.layout", "crates.media"),
        *("hep.declarations", "hep.io", "hep.plan", "hep.select"),
        *("blueprint", "blueprint.areas", "use_cases", "use_cases.sheet"),
        *("projection", "projection.quantity", "projection.targets"),
    ),
    "pure": (
        *(f"accounting{room}" for room in ("", ".accounts", ".energy", ".power", ".readings")),
        "compiled",
        *("hep.analyses", "hep.analyses.*", "hep.fit", "hep.fit.*"),
        *("hep.corrections", "hep.corrections.*", "hep.objects", "hep.objects.*"),
        *("hep.models", "hep.models.*", "hep.exact", "hep.exact.*"),
        *(
            "hep.binning",
            "hep.bootstrap",
            "hep.bootstrap.*",
            "hep.columns",
            "hep.completeness",
            "hep.cut_flow",
            "hep.filter_flow",
            "hep.envelopes",
            "hep.overlap",
            "hep.eras",
            "hep.formats",
            "hep.formats.*",
            "hep.histogram",
            "hep.luminosity",
            "hep.normalisation",
            "hep.profiles",
            "hep.review",
        ),
        *("hep.io.soundness", "hep.plan.duplicates", "hep.plan.partition"),
        *("projection.estimate", "projection.rates", "projection.text"),
        *("blueprint.page", "use_cases.page"),
        *("hep.select.combining", "hep.select.event_filters", "hep.select.observables"),
        *(
            "radio.deconvolution",
            "radio.deconvolution.*",
            "radio.beams",
            "radio.beams.*",
            "radio.gridding",
            "radio.sources",
            "radio.sources.*",
            "radio.stokes",
            "radio.weights",
        ),
        *("radio.imaging", *(f"radio.imaging.{room}" for room in IMAGES)),
        *("radio.plan", "radio.plan.chunks", "radio.plan.forecast", "radio.plan.memory"),
        *("radio.strips", "radio.strips.one_process", *(f"radio.strips.{room}" for room in STRIPS)),
    ),
    "edges": (
        *(
            "accounting.*",
            "storage",
            "storage.*",
            "code_identity",
            "code_identity.*",
            "crates.enclosing",
            "crates.hashing",
            "crates.software",
            "crates.toml",
            "catalogue",
            "catalogue.das",
            "catalogue.data_set_types",
            "catalogue.data_sets",
            "catalogue.finding",
            "catalogue.fetching",
            "catalogue.rucio",
            "catalogue.trusting",
            "catalogue.unpacking",
            "rendering",
            "shipped",
            "domain",
            "domain.contract",
            "domain.plain_result",
            "domain.registry",
            "radio.contents",
            "radio.declarations",
            "radio.fields",
            "hep.io.*",
            "hep.plan.*",
            "hep.select.*",
            "hep.results",
            "radio.results",
        ),
        *("*.convert", "*.convert.*", "*.plot", "*.plot.*", "*.read", "*.read.*"),
        *("*.synthetic", "*.synthetic.*", "*.write", "*.write.*"),
    ),
    "engine": (
        *("engine", "engine.*", "record", "record.*"),
        *("crates.describing", "crates.differences", "crates.members", "crates.reading"),
    ),
    "workflow": (
        *("hep", "hep.domain", "hep.plan.planning", "hep.plan.survey", "hep.library"),
        *("radio", "radio.domain", "radio.library", "radio.products"),
        *("*.planning", "*.workflow", "*.workflow.*"),
        *("radio.imaging.*_tasks", "radio.imaging.local", "radio.imaging.residual"),
        *("radio.imaging.strips", "radio.imaging.codecs", "radio.plan.costs"),
    ),
    "sites": (
        *("accounting.telling", "arithmetic", "sites", "sites.*"),
        *(f"doctor.{room}" for room in EXAMINED),
    ),
    "front": (
        "",
        "__main__",
        *("accounting.exposing", "exporting"),
        "datasets",
        "checking",
        "comparing",
        "federating",
        "crates.exporting",
        "crates.verifying",
        "doctor.diagnosis",
        "examples",
        "front",
        "ledgers",
        "resuming",
        "scaling",
        "acting",
        "charts",
        "live",
        "reporting",
        "showing",
        "varying",
        "watching",
        "cli",
        "cli.*",
        "progress",
        "testing",
        *("pilot", "policy", "policy.*"),
        *("unattended", "unattended.*"),
        *("blueprint.reading", "projection.projecting", "use_cases.reading"),
        "proof",
        "proof.*",
    ),
}
"""Every module of the package, by name or pattern; "" is the package's own ``__init__``."""

PURE = {
    *("numpy", "awkward", "hist", "boost_histogram", "scipy", "numba", "ducc0", "astropy.wcs"),
    *("correctionlib", "katbeam", "onnxruntime", "photutils", "pyhf", "xgboost"),
}
EDGES = {
    *("XRootD", "aiohttp", "astropy", "bdsf", "casacore", "cloudpickle", "fsspec", "h5py"),
    *("PIL", "bokeh", "matplotlib", "mplhep", "numcodecs", "platformdirs", "pyarrow", "pydantic"),
    *("rucio", "uproot", "xarray", "xxhash", "zarr"),
}
DASK = {"dask", "distributed"}
MAY_TOUCH = {
    "words": {"numpy", "pydantic"},
    "pure": PURE,
    "edges": PURE | EDGES,
    "engine": DASK | {"cloudpickle", "numpy", "threadpoolctl", "rich"},
    "workflow": PURE | EDGES | DASK,
    "sites": DASK
    | {"bokeh", "cryptography", "dask_gateway", "dask_jobqueue", "platformdirs", "pydantic", "rich"}
    | {"packaging", "tornado"},
    "front": {"*"},
}
"""Third-party libraries a layer may import, also inside functions."""

OUTSIDE_WORLD = {
    *("asyncio", "concurrent", "datetime", "ftplib", "getpass", "glob", "http", "io", "locale"),
    *("multiprocessing", "os", "pathlib", "pickle", "platform", "random", "secrets", "shutil"),
    *("socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib", "uuid"),
}
"""Standard modules that a pure kernel does not import: files, network, clock, chance."""


GLOBAL_STATE = re.compile(r"(np|numpy)\.random\.[a-z_]+(?<!default_rng)")
"""NumPy's legacy functions such as ``np.random.normal``: they draw from a hidden state."""


@dataclass(frozen=True)
class Import:
    """One imported module, and where."""

    importer: str
    line: int
    name: str
    for_types: bool

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


SCIENCES = sorted(
    point.module.split(".")[1]
    for point in entry_points(group="spectrum_workflows.domains")
    if point.module.startswith(f"{PACKAGE}.")
)
"""Rooms of the package's own sciences, as their entry points say."""


def modules() -> dict[str, Path]:
    """Dotted name below the package -> file."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def layers_of(module: str) -> list[str]:
    """Layers whose list names a module, or else has a pattern that fits it."""
    exact = [layer for layer, names in LAYERS.items() if module in names]
    return exact or [
        layer for layer, names in LAYERS.items() if any(fnmatchcase(module, n) for n in names)
    ]


def layer_of(module: str) -> str:
    """The layer of a module; fails for one that has no place in the table."""
    fits = layers_of(module)
    assert fits, f"{module or '__init__'} has no layer: add it to LAYERS in tests/test_layers.py"
    assert len(fits) == 1, f"{module} fits several layers {fits}: name it in one of them"
    return fits[0]


def imports(module: str, source: str) -> Iterator[Import]:
    """Every import of a module's source, wherever in the file it stands."""
    tree = ast.parse(source)
    guarded = {
        id(inner)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for inner in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in names_in(module, node):
                yield Import(module, node.lineno, name, id(node) in guarded)


def names_in(module: str, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The modules that one statement imports, by their full names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert node.level == 0, f"{module}, line {node.lineno}: import by the full name"
    for alias in node.names:
        full = f"{node.module}.{alias.name}"
        yield full if full.removeprefix(f"{PACKAGE}.") in MODULES else str(node.module)


def violations(module: str, source: str) -> list[str]:
    """What a module imports against the rule, in words."""
    layer, found = layer_of(module), []
    for imported in imports(module, source):
        if imported.top == PACKAGE:
            wrong = _wrong_inside(module, layer, imported.name[len(PACKAGE) + 1 :])
        elif imported.for_types:
            wrong = ""  # never executed: a word for the type checker
        else:
            wrong = _wrong_outside(layer, imported.name)
        if wrong:
            found.append(f"{module or '__init__'}, line {imported.line}: {wrong}")
    return found


def _wrong_inside(module: str, layer: str, target: str) -> str:
    theirs = layer_of(target)
    domains = {module.partition(".")[0], target.partition(".")[0]}
    own = domains & {*SCIENCES}
    if len(own) > 1:
        return f"{module} imports the other science, {target}"
    if layer == "sites" and own:
        return f"a site imports a science, {target}"
    if layer in ("engine", "sites", "front") and own:
        return f"the core imports a science, {target}; domains come by entry point"
    if ORDER.index(theirs) > ORDER.index(layer):
        return f"{layer} imports {target} of the higher layer {theirs}"
    return ""


def _wrong_outside(layer: str, name: str) -> str:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        touches = layer == "pure" and top in OUTSIDE_WORLD
        return f"a pure kernel imports {name}" if touches else ""
    allowed = MAY_TOUCH[layer]
    if "*" in allowed or any(name == a or name.startswith(f"{a}.") for a in allowed):
        return ""
    return f"{layer} imports {name}, which is not among {sorted(allowed)}"


def circle(sources: dict[str, str]) -> list[str]:
    """Modules that import each other in a circle, be it as late as inside a function; or none."""
    inside = {
        module: {
            imported.name[len(PACKAGE) + 1 :]
            for imported in imports(module, source)
            if imported.top == PACKAGE and not imported.for_types
        }
        for module, source in sources.items()
    }
    try:
        TopologicalSorter(inside).prepare()
    except CycleError as error:
        return [module or "__init__" for module in error.args[1]]
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle({module: path.read_text() for module, path in MODULES.items()}) == []


def test_a_circle_is_seen_even_if_it_is_closed_inside_a_function() -> None:
    sources = {
        "storage": "from spectrum_workflows import errors",
        "errors": "def explain():\n    from spectrum_workflows.storage import read",
    }
    assert sorted({*circle(sources)}) == ["errors", "storage"]
    sources["errors"] = "if TYPE_CHECKING:\n    from spectrum_workflows.storage import read"
    assert circle(sources) == []


def test_the_source_is_found() -> None:
    assert {"", "errors", "engine.tree", "storage"} <= MODULES.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_go_down(module: str) -> None:
    assert violations(module, MODULES[module].read_text()) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("errors", "from spectrum_workflows import storage"),
        ("radio.types", "import spectrum_workflows.engine"),
        ("hep.fit", "import time"),
        ("hep.fit", "def f():\n    from matplotlib import pyplot"),
        ("radio.gridding", "from astropy.io import fits"),
        ("radio.gridding", "from spectrum_workflows.hep.fit import fit"),
        ("radio.read", "import distributed"),
        ("radio.read", "from spectrum_workflows.radio import DOMAIN"),
        ("hep.workflow", "from spectrum_workflows import sites"),
        ("sites", "from spectrum_workflows.radio import types"),
        ("front", "from spectrum_workflows.hep import DOMAIN"),
        ("engine", "from spectrum_workflows.hep.types import Partition"),
        ("storage", "import requests"),
        ("specs", "if TYPE_CHECKING:\n    from spectrum_workflows.sites import Place"),
    ],
)
def test_the_rule_sees_a_violation(module: str, source: str) -> None:
    assert len(violations(module, source)) == 1


def test_the_rule_allows_the_way_down() -> None:
    source = "import os\nimport fsspec\nfrom spectrum_workflows import errors, specs"
    assert violations("storage", source) == []
    assert violations("specs", "if TYPE_CHECKING:\n    import numpy.typing, hist") == []


def test_a_new_module_needs_a_place() -> None:
    with pytest.raises(AssertionError, match="has no layer"):
        layer_of("helpers")


@pytest.mark.parametrize("module", [m for m in MODULES if layers_of(m) == ["pure"]])
def test_a_pure_kernel_opens_no_file_and_draws_no_unseeded_number(module: str) -> None:
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"open", "print", "input"}, f"line {node.lineno}: {called}()"
            unseeded = called.endswith("default_rng") and not (node.args or node.keywords)
            legacy = GLOBAL_STATE.fullmatch(called) is not None
            drawn = "an unseeded" if unseeded else "a global-state" if legacy else ""
            assert not drawn, f"line {node.lineno}: {drawn} random number, {called}()"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith((*SCIENCES, "engine"))])
def test_no_branch_asks_for_the_site(module: str) -> None:
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.If | ast.IfExp | ast.Match):
            asked = node.subject if isinstance(node, ast.Match) else node.test
            words = {n.id for n in ast.walk(asked) if isinstance(n, ast.Name)}
            words |= {n.attr for n in ast.walk(asked) if isinstance(n, ast.Attribute)}
            assert "site" not in words, f"{module}, line {node.lineno}: a branch on the site"


def test_hep_and_radio_are_alike() -> None:
    """The two sciences have the rooms that a third one would look for."""
    assert SCIENCES == ["hep", "radio"]
    for domain in SCIENCES:
        rooms = {
            f"{domain}.{room}"
            for room in ("spec", "types", "plot", "results", "synthetic", "workflow")
        }
        assert rooms <= MODULES.keys()


SCIENCE_FILES = {".py", ".toml", ".ipynb"}
SOURCES = {"catalogue.toml", "targets.toml"}
"""Files that say where public data and published figures are from."""
PLACES = re.compile(
    r"(?i)slurm|sbatch|squeue|gateway|jobqueue|kubernetes|LocalCluster|\blaptop\b|\bhtcondor\b|"
    r"\b((?<!\x22)(?<!brilcalc )lumi|leonardo|"
    r"juwels|jureca|marenostrum|lxplus|coffea-casa|perlmutter|(?<!root\.)cern|desy|nersc)\b"
)


@pytest.mark.parametrize("folder", ["workflows", *(f"src/{PACKAGE}/{d}" for d in SCIENCES)])
def test_the_sciences_name_no_site_scheduler_or_facility(folder: str) -> None:
    found = (SOURCE.parents[1] / folder).rglob("*")
    files = [p for p in found if p.suffix in SCIENCE_FILES and p.name not in SOURCES]
    assert len(files) >= 4
    named = [f"{p}: {m[0]}" for p in files for m in PLACES.finditer(p.read_text())]
    assert named == []


def test_the_engine_names_no_site_scheduler_or_facility() -> None:
    for path in (SOURCE / "engine").glob("*.py"):
        assert PLACES.findall(path.read_text()) == []
