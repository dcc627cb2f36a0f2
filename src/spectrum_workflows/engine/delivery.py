"""The exchange on Dask: pieces travel once, and the values they make stay."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import cloudpickle
import dask
from distributed import Future, as_completed

from spectrum_workflows.domain import Tally
from spectrum_workflows.engine.exchanging import joined_part, kept, piece
from spectrum_workflows.engine.kept import Kept
from spectrum_workflows.engine.lookout import Lookout
from spectrum_workflows.engine.parts import Part, Parts, as_merge_error, as_spectrum_error
from spectrum_workflows.engine.submission import MERGE_PRIORITY
from spectrum_workflows.engine.tasks import columns, held, loaded, task_of
from spectrum_workflows.errors import SiteError

if TYPE_CHECKING:
    from distributed import Client

P = TypeVar("P")
R = TypeVar("R")


def exchanged_on_workers(
    parts: Parts[Sequence[P]],
    join: Callable[[int, list[P]], R],
    count: int,
    done: Callable[[int], None],
) -> Kept[R]:
    """Submit parts, pieces and joins at once; let parts go as soon as they are in pieces.

    The scheduler keeps the recipe of every value as long as the value is kept,
    and makes it again if its worker dies.
    """
    client = parts.client
    assert client is not None
    nonce = f"0x{secrets.token_hex(3)}"

    def key(kind: str, number: int) -> str:
        return f"{parts.label}-{kind}-{nonce}-{number:05d}"

    numbers = list(range(len(parts.items)))
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "16 GiB"}):
        shared = held(client, parts, partial(key, "shared"))
        made = client.map(
            task_of(parts),
            parts.items,
            *columns(shared, numbers),
            key=[key("part", n) for n in numbers],
        )
        values = _joined(client, made, join, count, key)
        keys = [key("tally", k) for k in range(count)]
        tallies = client.map(_tally, values, key=keys, priority=MERGE_PRIORITY)
    names = {future.key: n for n, future in enumerate(made)}
    events = as_completed(made, loop=client.loop)
    del made
    try:
        with Lookout(client, nonce) as lookout:
            for finished in range(1, len(numbers) + 1):
                key_of, error = _next(lookout, events)
                if error is not None:
                    item = parts.items[names[key_of]]
                    raise as_spectrum_error(lookout.explained(key_of, error, item.where), item)
                done(finished)
            return kept(values, client, _gathered(lookout, values, tallies))
    except BaseException:
        sent = [value for value in shared if isinstance(value, Future)]
        client.cancel([*tallies, *values, *events.futures, *sent], force=True)
        events.clear()
        raise


def _place(addresses: Sequence[str], number: int) -> dict[str, Any]:
    """A worker for the value of a number: the same one as long as the workers stay.

    Workers are dealt to forth and back, which evens out costs that rise or fall with the number.
    """
    if not addresses:
        return {}
    turn, at = divmod(number, len(addresses))
    chosen = addresses[-1 - at if turn % 2 else at]
    return {"workers": chosen, "allow_other_workers": True}


def _next(lookout: Lookout, events: as_completed) -> tuple[str, BaseException | None]:
    """The key of a part that is done, and its error; the part itself is let go."""
    future = lookout.next(events)
    if future.status == "cancelled":
        raise SiteError("the scheduler dropped the run's tasks", remedy="is it still running?")
    return future.key, future.exception() if future.status == "error" else None


def _joined(
    client: Client,
    made: list[Future],
    join: Callable[[int, list[P]], R],
    count: int,
    key: Callable[[str, int], str],
) -> list[Future]:
    """Pieces of every part, and the values they make, spread evenly over the workers.

    A value may be made elsewhere if its worker has gone; values of the same
    number meet on the same worker, as long as the workers stay.
    """
    pairs = list(product(range(len(made)), range(count)))
    pieces = client.map(
        piece,
        [made[n] for n, _ in pairs],
        [k for _, k in pairs],
        key=[key("piece", n * count + k) for n, k in pairs],
        priority=MERGE_PRIORITY,
    )
    task = partial(_join, cloudpickle.dumps(join))
    priority, addresses = MERGE_PRIORITY, sorted(client.nthreads())
    return [
        client.submit(
            task,
            k,
            pieces[k::count],
            key=key("value", k),
            priority=priority,
            **_place(addresses, k),
        )
        for k in range(count)
    ]


def _join(by_value: bytes, number: int, pieces: list[Part[Any]]) -> Part[Any]:
    return joined_part(loaded(by_value), number, pieces)


def _tally(part: Part[Any]) -> Tally:
    return part.tally


def _gathered(lookout: Lookout, values: list[Future], tallies: list[Future]) -> list[Tally]:
    """Wait for the values; bring their costs here, not themselves."""
    lookout.wait(values)
    for value in values:
        if value.status == "error":
            raise as_merge_error(value.exception())
        if value.status == "cancelled":
            raise SiteError("the scheduler dropped the run's tasks", remedy="is it still running?")
    lookout.wait(tallies)
    found: list[Tally] = lookout.client.gather(tallies)
    return found
