"""All modules and data files that a result depends on."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from spectrum_workflows.code_identity import kept_sources, source, trees
from spectrum_workflows.code_identity.content import content_of, sha256
from spectrum_workflows.code_identity.data_files import named_files
from spectrum_workflows.code_identity.modules import file_of, is_released, modules_below
from spectrum_workflows.code_identity.source import (
    Source,
    content_at,
    looks_at_itself,
    parsed,
)
from spectrum_workflows.code_identity.state import OWN, State, is_ours, own_state
from spectrum_workflows.errors import OtherCodeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from importlib.machinery import ModuleSpec


@dataclass(frozen=True)
class Module:
    """A module that counts.

    Attributes
    ----------
    name : str
        As it is imported.
    content : str
        SHA-256 of its file.
    tree : str
        `tree_digest` of it; of what is not source, the content's.
    """

    name: str
    content: str
    tree: str


@dataclass(frozen=True)
class Code:
    """Modules and data files that decide a result.

    Attributes
    ----------
    modules : tuple of Module
        Sorted by name.
    data : tuple of (str, str)
        Name and SHA-256 of data files that they open.
    """

    modules: tuple[Module, ...] = ()
    data: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        return bool(self.modules or self.data)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all names, trees and data."""
        named = [(module.name, module.tree) for module in self.modules]
        return sha256(repr((named, self.data)).encode())


def code_of(*names: str, own: Collection[str] = (), whole: Collection[str] = ()) -> Code:
    """Some modules, and all that they depend on and that counts.

    Parameters
    ----------
    *names : str
        Modules; what is not there, or does not count, is left out.
    own : collection of str
        Modules whose package counts, however it is installed.
    whole : collection of str
        The same of which every module counts: a science's package.

    Raises
    ------
    SpecError
        A module has changed since this process imported it, or cannot be parsed.
    """
    question = _Question(names, tuple(own), tuple(whole))
    if not all(map(is_ours, question.all_names)):
        return _code_of(question)
    state = own_state()
    answer = _answered.get(question)
    if answer is None or answer.state != state:
        answer = _Answer(state, _code_of(question))
        if state.is_settled() and all(is_ours(module.name) for module in answer.code.modules):
            _answered[question] = answer
    return answer.code


@dataclass(frozen=True)
class _Question:
    names: tuple[str, ...]
    own: tuple[str, ...]
    whole: tuple[str, ...]

    @property
    def all_names(self) -> tuple[str, ...]:
        return (*self.names, *self.own, *self.whole)


@dataclass(frozen=True)
class _Answer:
    state: State
    code: Code


_answered: dict[_Question, _Answer] = {}
"""Code of our own modules, which is asked for in every plan and in every run."""


def _code_of(question: _Question) -> Code:
    names, own, whole = question.names, question.own, question.whole
    search = _ModuleSearch({name.partition(".")[0] for name in (*own, *whole)})
    for name in (*names, *own):
        search.follow(name)
    for name in whole:
        search.take_package(name)
    search.keep_own_sources()
    verbatim = any(looks_at_itself(source) for source in search.sources.values())
    modules = [
        Module(name, source.content, source.content if verbatim else source.tree)
        for name, source in sorted(search.sources.items())
    ]
    for module in modules:
        _refuse_if_changed(module.name, search.contents[module.name], search.paths[module.name])
    data = {
        str(path.relative_to(base) if base in path.parents else path): content_of(path)
        for path, base in search.data_files()
    }
    return Code(tuple(modules), tuple(sorted(data.items())))


def science_code(module: str) -> Code:
    """The code of a science: all of its own package, and what that depends on.

    Parameters
    ----------
    module : str
        Any module of it.  Its package is the top-level one; of ours, the one below.
    """
    steps = module.split(".")
    package = ".".join(steps[: 2 if steps[0] == OWN else 1])
    return code_of(whole=(package,))


@lru_cache(maxsize=32)
def confirm(code: Code) -> None:
    """Refuse code that is another one in this process; looked at once per process.

    Raises
    ------
    OtherCodeError
        A module is not here, has another tree here, or changed after it was imported.
    """
    for module in code.modules:
        path = file_of(module.name)
        content = content_at(module.name, path) if path is not None else None
        if path is None or content is None or not _is_same(module, content, path):
            remedy = "install the same one on both sides; restart what has imported an older one"
            where = str(path) if path else module.name
            raise OtherCodeError(f"{module.name} is another version here", where, remedy)
        _refuse_if_changed(module.name, content, path)


def _is_same(module: Module, content: bytes, path: Path) -> bool:
    """Whether it is the same file, or another that says the same: only then it is parsed."""
    return module.content == sha256(content) or module.tree == parsed(content, str(path)).tree


_imported: dict[str, tuple[ModuleSpec | None, bytes]] = {}
"""Import and content of loaded modules, as they were when they were first looked at."""


def _refuse_if_changed(name: str, content: bytes, path: Path) -> None:
    """Refuse a module whose file is no longer what this process imported, as far as it knows."""
    if name not in sys.modules:
        return
    spec = sys.modules[name].__spec__
    before, imported = _imported.setdefault(name, (spec, content))
    if before is not spec:  # imported anew
        _imported[name] = (spec, content)
    elif imported != content and _trees_differ(imported, content, path):
        remedy = "restart the session: what it has imported is not what is there now"
        raise OtherCodeError(f"{name} has changed since it was imported", str(path), remedy)


def _trees_differ(imported: bytes, content: bytes, path: Path) -> bool:
    return parsed(imported, str(path)).tree != parsed(content, str(path)).tree


class _ModuleSearch:
    """The modules found so far, following import statements."""

    def __init__(self, followed: set[str]) -> None:
        self.followed = followed
        self.known = kept_sources.recall(PARSER)
        self.sources: dict[str, Source] = {}
        self.paths: dict[str, Path] = {}
        self.contents: dict[str, bytes] = {}
        self.passed: set[str] = set()

    def follow(self, name: str) -> None:
        """Take a module, the packages above it, and all that they import."""
        todo = [name]
        while todo:
            for step in accumulate(todo.pop().split("."), "{}.{}".format):
                if step in self.sources or step in self.passed:
                    continue
                if self._take(step):
                    todo += _imported_by(step, self.sources[step], self.paths[step])
                    if _takes_all(step, self.sources[step], self.paths[step]):
                        todo += modules_below(step.partition(".")[0])
                else:
                    self.passed.add(step)

    def take_package(self, name: str) -> None:
        """Take every module of a package."""
        for module in modules_below(name):
            self.follow(module)

    def _take(self, name: str) -> bool:
        """Take one module if it is there and counts."""
        top = name.partition(".")[0]
        if name == OWN or top in sys.stdlib_module_names or top == "__main__":
            return False
        if top not in self.followed and top != OWN and is_released(top):
            return False
        path = file_of(name)
        if path is None:
            return False
        self.contents[name], self.paths[name] = content_at(name, path), path
        self.sources[name] = self._source_of(name, path)
        return True

    def _source_of(self, name: str, path: Path) -> Source:
        """The source of a module; of ours as it was parsed before, if it is the same."""
        content = self.contents[name]
        known = self.known.get(sha256(content)) if is_ours(name) else None
        return known or parsed(content, str(path))

    def keep_own_sources(self) -> None:
        """Let the next process find what this one has parsed of our own package."""
        own = {one.content: one for name, one in self.sources.items() if is_ours(name)}
        if own.keys() - self.known.keys():
            kept_sources.keep(own, PARSER)

    def data_files(self) -> Iterator[tuple[Path, Path]]:
        """Data files that the modules name, each with the folder that its package is in."""
        packages: dict[str, list[str]] = defaultdict(list)
        for name in self.sources:
            packages[name.partition(".")[0]].append(name)
        packages.pop(OWN, None)  # its data are modules
        for names in packages.values():
            base = self.paths[min(names, key=len)].parent.parent
            code = set(self.paths.values())
            files = named_files(
                [self.sources[name] for name in names],
                dict.fromkeys(self.paths[name].parent for name in names),
            )
            yield from ((path, base) for path in files if path not in code)


def _parser() -> str:
    texts = [Path(module.__file__ or "").read_bytes() for module in (source, trees, kept_sources)]
    return sha256(repr((texts, sys.version_info[:2])).encode())


PARSER = _parser()
"""Identity of the code that parses, here and in Python, as it was imported."""


def _imported_by(name: str, source: Source, path: Path) -> list[str]:
    """Full names of all that a module may import; some of them are no modules."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports = []
    for level, module, names in source.imports:
        base = module
        if level:
            above = package.split(".")[: len(package.split(".")) - level + 1]
            base = ".".join([*above, *([module] if module else [])])
        imports += [base, *(f"{base}.{one}" for one in names if one != "*")]
        if "*" in names and (start := file_of(base)) and start.name == "__init__.py":
            imports += modules_below(base)
    return [one for one in imports if one]


def _takes_all(name: str, source: Source, path: Path) -> bool:
    """Whether what a module imports of its own package is decided late."""
    lazy = path.name == "__init__.py" and "__getattr__" in source.names
    return name.partition(".")[0] != OWN and (source.by_name or lazy)
