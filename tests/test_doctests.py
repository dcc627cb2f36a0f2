"""The examples in docstrings do what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import spectrum_workflows

SOURCE = Path(spectrum_workflows.__file__).parent
MODULES = sorted(
    ".".join(("spectrum_workflows", *path.relative_to(SOURCE).with_suffix("").parts))
    for path in SOURCE.rglob("*.py")
    if ">>> " in path.read_text() and "shipped" not in path.parts[:-1]
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    ran = doctest.testmod(importlib.import_module(name.removesuffix(".__init__")))
    assert ran.attempted
    assert not ran.failed
