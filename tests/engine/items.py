"""Small partitions and kernels for the engine's tests."""

import os
import resource
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, StoreError


@dataclass(frozen=True)
class Item:
    n: int
    size: int = 10

    @property
    def where(self) -> str:
        return f"item {self.n}"


def items(count: int) -> list[Item]:
    return [Item(n) for n in range(count)]


def waves(item: Item, scale: float = 1.0) -> NDArray[np.float64]:
    """Values whose sum depends on the order of summation."""
    return scale * np.exp(np.sin(np.arange(7.0) + 1.7 * item.n) * 20)


def add(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return a + b


def refuses(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    del a, b
    raise DataError("the same twice", "item 1")


def fails_at_three(item: Item) -> int:
    if item.n == 3:
        raise DataError("three is not a number we like", "item 3", "leave it out")
    return 1


def divides(item: Item) -> float:
    return 1 / (item.n - 3)


def dies_at_three(item: Item) -> int:
    """Take every worker down; not before its nanny knows it, or it is never replaced."""
    if item.n == 3:
        time.sleep(2)
        os._exit(1)
    return 1


def dies_once(item: Item, marker: str) -> NDArray[np.float64]:
    """Take the worker down the first time partition 5 is computed."""
    if item.n == 5 and not Path(marker).exists():
        Path(marker).touch()
        os._exit(1)
    return waves(item)


def flaky(item: Item, folder: str) -> int:
    """Fail twice with an error that may pass, then work."""
    tries = len(list(Path(folder).glob(f"{item.n}-*")))
    if tries < 2:
        Path(folder, f"{item.n}-{tries}").touch()
        raise TimeoutError("the store did not answer")
    return 1


def store_is_away(item: Item, folder: str) -> int:
    """Give up once on a store, then find it there."""
    try:
        Path(folder, str(item.n)).touch(exist_ok=False)
    except FileExistsError:
        return 1
    raise StoreError("did not answer", "s3://b/x")


def meets(item: Item, folder: str) -> bool:
    """Wait until two processes are in this function; ``False`` if that never happens."""
    Path(folder, str(os.getpid())).touch()
    deadline = time.monotonic() + 30
    while len(list(Path(folder).iterdir())) < 2:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def pauses(item: Item, factor: float) -> int:
    time.sleep(0.01 * factor)
    return 1


def pieces(item: Item, count: int) -> list[NDArray[np.float64]]:
    """A piece for each of ``count`` values."""
    return [waves(item, 1.0 + k) for k in range(count)]


def dies_in_pieces(item: Item, marker: str, count: int) -> list[NDArray[np.float64]]:
    """Take the worker down the first time partition 5 is computed."""
    dies_once(item, marker)
    return pieces(item, count)


def dies_in_pieces_at_three(item: Item, count: int) -> list[NDArray[np.float64]]:
    dies_at_three(item)
    return pieces(item, count)


def pieces_but_three(item: Item, count: int) -> list[NDArray[np.float64]]:
    fails_at_three(item)
    return pieces(item, count)


def labelled(number: int, values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The values in their order, and the number of what they make."""
    return np.concatenate([np.array([float(number)]), *values])


def joins_badly(number: int, values: list[NDArray[np.float64]]) -> float:
    return 1 / (number - 1)


def scaled(item: Item, own: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """What is computed from an item and the kept value of the same number."""
    return factor * own[:7] + item.n


def scaled_pieces(item: Item, own: NDArray[np.float64], count: int) -> list[NDArray[np.float64]]:
    return [own[k :: count + 1] for k in range(count)]


def faults(_item: Item, nbytes: int, times: int) -> int:
    """Page faults of this process while memory comes and goes; numpy asks for huge pages."""
    _ = b"1" * nbytes
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        _ = b"1" * nbytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def hangs_at_three(item: Item, seconds: float) -> int:
    if item.n == 3:
        time.sleep(seconds)
    return 1


def hangs_once(item: Item, marker: str) -> NDArray[np.float64]:
    """Never return the first time partition 5 is computed."""
    if item.n == 5 and not Path(marker).exists():
        Path(marker).touch()
        time.sleep(1000)
    return waves(item)


def hangs_in_pieces(item: Item, marker: str, count: int) -> list[NDArray[np.float64]]:
    hangs_once(item, marker)
    return pieces(item, count)


def hangs_always_in_pieces(item: Item, count: int) -> list[NDArray[np.float64]]:
    hangs_at_three(item, 1000.0)
    return pieces(item, count)


def hoards(item: Item, nbytes: int) -> int:
    """Keep memory that no worker can let go of."""
    HOARD.append(np.ones(nbytes // 8))
    return 1


def slow_with(item: Item, model: NDArray[np.float64]) -> NDArray[np.float64]:
    time.sleep(0.2)
    return waves(item, float(model[0]))


def slow_pieces_with(
    item: Item, model: NDArray[np.float64], count: int
) -> list[NDArray[np.float64]]:
    return [slow_with(item, model)] * count


def summed(_number: int, values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.sum(values, axis=0)


HOARD: list[NDArray[np.float64]] = []


@dataclass(frozen=True)
class Numbers:
    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def where(self) -> str:
        return f"numbers {self.start} to {self.stop}"

    def halves(self):
        middle = (self.start + self.stop) // 2
        return (replace(self, stop=middle), replace(self, start=middle)) if self.size > 1 else ()


def raises_within(part: Numbers, bad: int) -> int:
    if part.start <= bad < part.stop:
        raise ValueError("no such jet")
    return part.size


def refuses_within(part: Numbers, bad: int, kind: type) -> int:
    if part.start <= bad < part.stop:
        raise kind("not good", part.where, "mend it")
    return part.size


def dies_within(part: Numbers, bad: int) -> int:
    os.write(1, b"p")  # what is printed is no answer
    if part.start <= bad < part.stop:
        os._exit(11)
    return part.size


def sleeps(part: Numbers) -> int:
    time.sleep(60)
    return part.size


def writes_within(part: Numbers, bad: int, folder: str) -> int:
    storage.write_bytes(f"{folder}/{part.start}", b"x")
    return raises_within(part, bad)
