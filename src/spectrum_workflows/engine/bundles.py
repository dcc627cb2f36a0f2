"""Groups of a shuffle's parts that are cut together, so that their pieces make few tasks."""

from __future__ import annotations


def take_groups(
    lying: dict[str, list[int]], size: int, *, last: bool
) -> dict[str, list[list[int]]]:
    """Take out parts that lie on one worker, as many as are cut together.

    Parameters
    ----------
    lying : dict of str to list of int
        Numbers of parts, by the address of the worker that has them; those in
        a group are taken out.
    size : int
        Parts in a group.
    last : bool
        Take out all.  Workers with less than half a group give theirs to groups
        without an address, for which parts have to travel whole; so there are
        at most ``1 + 2 * parts / size`` groups in all.

    Returns
    -------
    dict of str to list of list of int
        Groups by address; "" is wherever there is room.
    """
    groups: dict[str, list[list[int]]] = {}
    strays: list[int] = []
    for address, numbers in list(lying.items()):
        cut = _runs(numbers, size)
        rest = cut.pop() if cut and len(cut[-1]) < size else []
        if last and 2 * len(rest) >= size:
            cut.append(rest)
        elif last:
            strays += rest
        lying[address] = [] if last else rest
        if cut:
            groups[address] = cut
    if strays:
        groups.setdefault("", []).extend(_runs(strays, size))
    return groups


def _runs(numbers: list[int], size: int) -> list[list[int]]:
    return [numbers[k : k + size] for k in range(0, len(numbers), size)]
