"""Questions to workers, each with a limit: one that hangs must not keep the others' answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client

WITHIN = 15.0
"""Seconds for an answer."""
MARGIN = 5.0


def asked(client: Client, function: Callable[[], Any], *, within: float = WITHIN) -> dict[str, Any]:
    """Run a function on every worker, beside its tasks.

    Returns
    -------
    dict
        Address to answer, of those that answered in time and without an error.
    """

    async def one(address: str) -> Any:
        answers = await client.run(function, workers=[address], on_error="return")
        return answers.get(address, TimeoutError())

    try:
        workers = client.sync(client.scheduler.ncores, callback_timeout=within)
    except Exception:  # whatever a client says whose scheduler or loop has gone
        return {}
    return _gathered(client, one, workers, within)


def asked_one(
    client: Client, function: Callable[[], Any], address: str, *, within: float = WITHIN
) -> Any:
    """Run a function on one worker, beside its tasks.

    Returns
    -------
    object
        Its answer, or the error it ended with; ``None`` where none came in time.
    """

    async def one(at: str) -> Any:
        answers = await client.run(function, workers=[at], on_error="return")
        return (answers.get(at),)  # an error is an answer

    return _gathered(client, one, [address], within).get(address, (None,))[0]


def versions_of(
    client: Client, workers: Iterable[str], packages: tuple[str, ...], *, within: float = WITHIN
) -> dict[str, Any]:
    """Versions of software on some workers, as `distributed.Client.get_versions` gives them."""
    message = {"op": "versions", "packages": [*packages]}

    async def one(address: str) -> Any:
        answers = await client.scheduler.broadcast(
            msg=message, workers=[address], on_error="return"
        )
        return answers.get(address, TimeoutError())

    return _gathered(client, one, workers, within)


def _gathered(
    client: Client, one: Callable[[str], Any], workers: Iterable[str], within: float
) -> dict[str, Any]:
    addresses = [*workers]

    async def all_of_them() -> list[Any]:
        waiting = (asyncio.wait_for(one(address), within) for address in addresses)
        return await asyncio.gather(*waiting, return_exceptions=True)

    try:
        results = client.sync(all_of_them, callback_timeout=within + MARGIN)
    except (TimeoutError, OSError, RuntimeError):  # the scheduler, or its loop
        return {}
    answers = zip(addresses, results, strict=True)
    return {address: answer for address, answer in answers if not _failed(answer)}


def _failed(answer: Any) -> bool:
    return isinstance(answer, BaseException)
