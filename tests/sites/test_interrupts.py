"""What a stopped computation holds, though its traceback is kept."""

import gc
import weakref

import pytest

from spectrum_workflows.sites.interrupts import letting_go


class Held:
    """Something on workers."""


def stopped(error: type[BaseException], references: list[weakref.ref[Held]]) -> None:
    held = Held()
    references.append(weakref.ref(held))
    try:
        raise KeyError("first")
    except KeyError as cause:
        raise error from cause
    finally:
        del error


@pytest.mark.parametrize(("error", "kept"), [(KeyboardInterrupt, False), (RuntimeError, True)])
def test_what_was_held_is_let_go_when_it_is_stopped(
    error: type[BaseException], *, kept: bool
) -> None:
    """Of an error the names are there, for whoever looks into it with a debugger."""
    references: list[weakref.ref[Held]] = []
    with pytest.raises(error) as caught, letting_go():
        stopped(error, references)
    gc.collect()
    assert (references[0]() is not None) is kept
    assert [entry.name for entry in caught.traceback][-1] == "stopped"
