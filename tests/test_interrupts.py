"""Stop and Ctrl-C: heard wherever Python is; and what a stopped computation holds."""

import importlib
import signal
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import FrameType, SimpleNamespace

import pytest

from spectrum_workflows import interrupts
from spectrum_workflows.interrupts import Insisting, hearing_interrupts, letting_go

WAIT = 30  # seconds of what nobody should wait for


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Python's own, whatever a command that ran in this process has left."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Held:
    """Something on workers."""


def stopped(error: type[BaseException], references: list[weakref.ref[Held]]) -> None:
    held = Held()
    held.itself = held  # type: ignore[attr-defined]
    references.append(weakref.ref(held))
    try:
        raise KeyError("first")
    except KeyError as cause:
        raise error from cause
    finally:
        del error


def shortened(error: type[BaseException], references: list[weakref.ref[Held]]) -> None:
    """As Dask does: what it holds is in no frame of the traceback, but behind one."""

    def hold() -> None:
        held = Held()
        references.append(weakref.ref(held))
        interrupted()

    def interrupted() -> None:
        raise error

    try:
        hold()
    except BaseException as stopped:
        trace = stopped.__traceback__
        while trace.tb_next is not None:
            trace = trace.tb_next
        raise stopped.with_traceback(trace) from None


def test_what_a_shortened_traceback_hides_is_let_go_as_well() -> None:
    references: list[weakref.ref[Held]] = []
    with pytest.raises(KeyboardInterrupt) as caught, letting_go():
        shortened(KeyboardInterrupt, references)
    assert "hold" not in [entry.name for entry in caught.traceback]
    assert references[0]() is None


@pytest.mark.parametrize(("error", "kept"), [(KeyboardInterrupt, False), (RuntimeError, True)])
def test_what_was_held_is_let_go_when_it_is_stopped(
    error: type[BaseException], *, kept: bool
) -> None:
    """Of an error the names are there, for whoever looks into it with a debugger."""
    references: list[weakref.ref[Held]] = []
    with pytest.raises(error) as caught, letting_go():
        stopped(error, references)
    assert (references[0]() is not None) is kept
    assert [entry.name for entry in caught.traceback][-1] == "stopped"


def press() -> None:
    signal.raise_signal(signal.SIGINT)


class Pressed:
    """Ctrl-C comes while it goes."""

    def __del__(self) -> None:
        press()


def lose_something() -> None:
    Pressed()


def lose_a_weakly_referred_thing() -> None:
    """A set of weak references is being iterated over, so what goes is noted for later."""

    class Noting(list):  # type: ignore[type-arg]
        def append(self, item: object) -> None:
            press()

    thing = Held()
    things = weakref.WeakSet([thing])
    things._iterating = {1}  # type: ignore[attr-defined]
    things._pending_removals = Noting()  # type: ignore[attr-defined]
    del thing


@hearing_interrupts()
def lose_and_wait(lose: Callable[[], None]) -> None:
    lose()
    time.sleep(5)


def import_what_tries_everything() -> None:
    """A library that takes whatever is raised for a sign that something is not installed."""
    code = "try:\n    press()\nexcept:\n    pass"
    loader = SimpleNamespace(create_module=lambda _spec: None)
    loader.exec_module = lambda module: exec(code, vars(module) | {"press": press})
    finder = SimpleNamespace(find_spec=lambda name, *_: ModuleSpec(name, loader))
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module("tries_everything")
    finally:
        sys.meta_path.remove(finder)
        sys.modules.pop("tries_everything", None)


@pytest.mark.parametrize(
    "lose", [lose_something, lose_a_weakly_referred_thing, import_what_tries_everything]
)
def test_an_interrupt_that_python_would_only_note_is_heard(lose: Callable[[], None]) -> None:
    """Without, Python prints "Exception ignored" in red, and goes on."""
    with pytest.raises(KeyboardInterrupt):
        lose_and_wait(lose)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("name", "line", "deaf"),
    [
        ("mine", 7, False),
        ("mine", None, True),
        ("llvmlite.binding.executionengine", 7, True),
    ],
)
def test_callbacks_and_functions_on_no_line_are_waited_for(
    name: str, line: int | None, deaf: bool
) -> None:
    above = SimpleNamespace(
        f_code=SimpleNamespace(co_name="f"),
        f_globals={"__name__": name},
        f_lineno=line,
        f_back=None,
    )
    code = SimpleNamespace(co_name="g")
    frame = SimpleNamespace(f_code=code, f_globals={}, f_lineno=1, f_back=above)
    assert interrupts.is_deaf(frame) is deaf  # type: ignore[arg-type]


@pytest.fixture
def insisting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Insisting]:
    """A handler as the command line has it, in a hurry."""
    monkeypatch.setattr(interrupts, "REMINDED", 0.05)
    error = SystemExit(130)
    insisting = Insisting(error)

    def handle(_number: int, _frame: FrameType | None) -> None:
        if not insisting.is_answered():
            insisting.begin()
            raise error

    signal.signal(signal.SIGINT, handle)
    yield insisting
    insisting.end()


@pytest.mark.usefixtures("insisting")
def test_an_error_that_a_library_swallows_is_raised_again() -> None:
    begun = time.monotonic()
    with pytest.raises(SystemExit):
        swallow_and_wait()
    assert time.monotonic() - begun < WAIT


def swallow_and_wait() -> None:
    with suppress(BaseException):
        press()
    time.sleep(WAIT)


def test_what_is_closed_on_the_way_is_left_in_peace(insisting: Insisting) -> None:
    steps: list[str] = []
    with pytest.raises(SystemExit):
        press_and_close(steps)
    insisting.end()
    assert steps == ["one", "two"]


def press_and_close(steps: list[str]) -> None:
    try:
        press()
    finally:
        time.sleep(0.2)
        steps.append("one")
        with suppress(ValueError):
            raise ValueError
        time.sleep(0.2)
        steps.append("two")


def test_what_does_not_return_is_interrupted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its patience; an interrupt long after is put off anew."""
    monkeypatch.setattr(interrupts, "_interrupt_soon", lambda: None)
    never = -float("inf")
    monkeypatch.setattr(interrupts, "_postponed", interrupts._Postponed(never, never))
    clock = [100.0]
    monkeypatch.setattr(interrupts.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(interrupts, "is_deaf", lambda _: True)
    answers = []
    for after in (0.0, *[0.5] * 11, 60.0, 0.5):
        clock[0] += after
        answers.append(interrupts.postpone_if_deaf(None))
    assert answers == [*[True] * 11, False, True, True]


def test_any_other_interrupt_is_heard_at_once() -> None:
    steps = []

    @hearing_interrupts()
    def work() -> None:
        press()
        steps.append("it went on")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not steps
