"""Values that stay where they were made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from spectrum_workflows.engine.failures import as_merge_error
from spectrum_workflows.errors import SpectrumError

if TYPE_CHECKING:
    from distributed import Client

    from spectrum_workflows.domain import Metrics

R = TypeVar("R")


def _fetch(element: Any) -> Any:
    """A part that a worker holds; its error as one of ours."""
    try:
        return element.result()
    except SpectrumError:
        raise
    except Exception as error:
        raise as_merge_error(error) from error


@dataclass
class Persisted(Generic[R]):
    """Values on the workers that made them, or in this process without workers.

    Among the shared values of `each`, it gives every call the element with the
    call's own number.  ``close()`` lets the values go; use it with
    ``contextlib.closing``.

    Attributes
    ----------
    elements : tuple
        A `Part`, or a future of one, per value.
    client : distributed.Client or None
    metrics : Metrics
        What it took to make them, and which items failed.
    """

    elements: tuple[Any, ...]
    client: Client | None
    metrics: Metrics

    def __len__(self) -> int:
        return len(self.elements)

    def __iter__(self) -> Iterator[R]:
        """Bring the values here, one after the other."""
        for element in self.elements:
            yield (element if self.client is None else _fetch(element)).value

    def close(self) -> None:
        """Release the values, wherever they are, and whoever else still knows their names."""
        if self.client is not None:
            for element in self.elements:
                element.release()
        self.elements = ()
