"""Values in force inside a block: for its code, and for the threads and coroutines it starts."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import nbformat
from distributed import Client
from nbclient import NotebookClient

from spectrum_workflows import storage
from spectrum_workflows.engine import each, merged
from spectrum_workflows.storage import Stores

RED, BLUE = (Stores(((prefix, (("colour", prefix),)),)) for prefix in ("red://", "blue://"))


def in_a_thread(function: Callable[[], object]) -> object:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_threads_and_coroutines_started_inside_have_them() -> None:
    async def elsewhere() -> Stores:
        return await asyncio.to_thread(storage.current_stores)

    with storage.using(RED):
        assert in_a_thread(storage.current_stores) == RED
        assert asyncio.run(elsewhere()) == RED
        with storage.using(BLUE):
            assert in_a_thread(storage.current_stores) == BLUE
            assert asyncio.run(elsewhere()) == BLUE
        assert in_a_thread(storage.current_stores) == RED
    assert in_a_thread(storage.current_stores) == storage.current_stores() == Stores()


def test_two_threads_do_not_see_each_others() -> None:
    """One that was started by neither sees none: it could only guess."""
    inside, seen = threading.Barrier(3, timeout=30), {}

    def compute(name: str, stores: Stores) -> None:
        with storage.using(stores):
            inside.wait()
            seen[name] = storage.current_stores()
            inside.wait()

    pairs = (("red", RED), ("blue", BLUE))
    threads = [threading.Thread(target=compute, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    inside.wait()
    seen["stranger"] = storage.current_stores()
    inside.wait()
    for thread in threads:
        thread.join()
    assert seen == {"red": RED, "blue": BLUE, "stranger": Stores()}


@dataclass(frozen=True)
class Item:
    size: int = 1
    where: str = "here"


def test_threads_of_a_task_on_a_worker_have_those_of_the_session(dask_client: Client) -> None:
    def ask(_item: Item) -> list[Stores]:
        from concurrent.futures import ThreadPoolExecutor

        from spectrum_workflows import storage

        with ThreadPoolExecutor(1) as pool:
            return [storage.current_stores(), pool.submit(storage.current_stores).result()]

    with storage.using(RED):
        found, _ = merged(each(ask, [Item(), Item()], client=dask_client), list.__add__)
    assert found == [RED] * 4


def test_threads_of_a_notebook_have_them() -> None:
    cells = [
        "from threading import Thread\nfrom spectrum_workflows import storage\n"
        "stores = storage.Stores(replicas=('https://here',))\nseen = []\n"
        "look = lambda: seen.append(storage.current_stores())",
        "with storage.using(stores):\n    thread = Thread(target=look)\n"
        "    thread.start()\n    thread.join()",
        "print(seen == [stores], storage.current_stores() == storage.Stores())",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python"}
    NotebookClient(notebook, timeout=120).execute()
    assert notebook.cells[-1].outputs[0].text.strip() == "True True"
