"""`pytest tests/reliability` does every kind of fault.

With it come the tests of other folders that `faults.toml` names.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.args[:] = completed(config.args, config.invocation_params.dir)


def completed(asked: Sequence[str], folder: Path) -> list[str]:
    """What pytest was asked for; the tests of all faults where that is this folder alone."""
    if [(folder / words).resolve() for words in asked] != [HERE]:
        return [*asked]
    kinds = tomllib.loads((HERE / "faults.toml").read_text()).values()
    named = dict.fromkeys(name for kind in kinds for tests in kind.values() for name in tests)
    others = [name for name in named if not name.startswith(f"{HERE.name}/")]
    return [*asked, *(str(HERE.parent / name) for name in others)]
