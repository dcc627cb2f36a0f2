"""The identity of the code that decides a result: one digest over every module it depends on.

What counts
-----------
Import statements are followed from the modules that are asked for, wherever they stand in
the file, and every module counts that is not Python's own and not of a *released
distribution*: one that was installed from an index, and so is known by its name and version.
The following therefore count:

- files beside the analysis, or anywhere on Python's path;
- editable installs, and distributions installed from a folder, a file or a repository: their
  version need not change when their code does (``direct_url.json`` tells them);
- modules that somebody copied into ``site-packages``: no distribution owns them;
- the packages that are asked for by name, however they are installed: a science's own.

A package that imports itself by names it puts together counts as a whole, and so does one
that is imported with ``*``.  The packages above a module count, because they run first.
Imports for type checkers only (``TYPE_CHECKING``) and of what runs only where a file is a
program of its own do not.

A module counts by its syntax tree, without docstrings: comments, docstrings and formatting
change nothing.  Where code looks at its own text (``__doc__``, ``inspect.getsource``) that is
not so, and the text counts.  Data files that the code names, if it asks where it is
(``__file__``, ``importlib.resources``), count by their content; so do files named by a full
path (by size and time of change above `SMALL_BYTES`).

What cannot be seen from outside does not count: files whose path is put together at run time
elsewhere, the environment, the network.
"""

from spectrum_workflows.code_identity.content import SMALL_BYTES, content_of, digest_of_all, sha256
from spectrum_workflows.code_identity.data_files import entries, named_files, python_files
from spectrum_workflows.code_identity.dependencies import (
    Code,
    Module,
    code_of,
    confirm,
    science_code,
)
from spectrum_workflows.code_identity.source import (
    Source,
    called,
    looks_at_itself,
    parse,
    running,
    source_of,
)
from spectrum_workflows.code_identity.trees import tree_digest

__all__ = [
    "SMALL_BYTES",
    "Code",
    "Module",
    "Source",
    "called",
    "code_of",
    "confirm",
    "content_of",
    "digest_of_all",
    "entries",
    "looks_at_itself",
    "named_files",
    "parse",
    "python_files",
    "running",
    "science_code",
    "sha256",
    "source_of",
    "tree_digest",
]
