"""Partitions that do nothing, in a module that workers can import, as those of a science are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """A partition of nothing."""

    n: int
    size: int = 1

    @property
    def where(self) -> str:
        return f"item {self.n}"


def nothing(item: Item) -> int:
    return item.n


def add(a: int, b: int) -> int:
    return a + b
