"""Partitions that lie at a site, and kernels whose sums show their order."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from distributed import Client, LocalCluster
from numpy.typing import NDArray

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError

SITES = (("/a", "a"), ("/b", "b"))


@contextmanager
def a_client() -> Iterator[Client]:
    options = {"threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with (
        LocalCluster(n_workers=1, **options) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@dataclass(frozen=True)
class Lying:
    """An item of 10 bytes at a site."""

    n: int
    site: str
    size: int = 10

    @property
    def where(self) -> str:
        return f"item {self.n}"

    @property
    def source(self) -> str:
        return f"/{self.site}/{self.n}"


def halves(count: int) -> list[Lying]:
    return [Lying(n, "a" if n < count // 2 else "b") for n in range(count)]


def striped(count: int) -> list[Lying]:
    return [Lying(n, "ab"[n % 2]) for n in range(count)]


def waves(item: Lying, scale: float = 1.0) -> NDArray[np.float64]:
    """Values whose sum depends on the order of summation."""
    storage.count(item.size, item.source)
    return scale * np.exp(np.sin(np.arange(7.0) + 1.7 * item.n) * 20)


def slow(item: Lying, folder: str) -> NDArray[np.float64]:
    """The same, with a trace of who computed it."""
    time.sleep(0.02)
    here = storage.current_stores().here
    with Path(folder, here).open("a") as file:
        file.write(f"{item.n}\n")
    return waves(item)


def add(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return a + b


def fails_at_three(item: Lying) -> NDArray[np.float64]:
    if item.n == 3:
        raise DataError("three is not a number we like", "item 3", "leave it out")
    return waves(item)
