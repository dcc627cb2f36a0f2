"""Executes a notebook, unchanged, in a kernel of its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spectrum_workflows.errors import MissingExtraError

TIMEOUT = 3600  # seconds for one cell, waiting for a batch system included
NUDGE = 1.0  # seconds


def execute(
    document: Any, folder: Path, environment: Mapping[str, str], argv: Sequence[str] = ()
) -> None:
    """Execute a notebook; its outputs are put into the document.

    Parameters
    ----------
    document : nbformat.NotebookNode
    folder : Path
        Where the kernel starts.
    environment : mapping
        All of the kernel's.
    argv : sequence of str
        The command that starts it, where it is not this Python's.

    Raises
    ------
    MissingExtraError
        Notebooks cannot be executed here.
    nbclient.exceptions.CellExecutionError
        A cell raised an error.
    """
    try:
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager
        from nbclient import NotebookClient
        from nbclient.util import run_sync
    except ImportError:
        raise MissingExtraError(
            "notebooks cannot be executed", remedy="pip install 'spectrum-workflows[notebooks]'"
        ) from None
    where = {"metadata": {"path": str(folder.absolute())}}
    with TemporaryDirectory() as kernels:
        specs: Any = KernelSpecManager()
        if argv:
            _describe(argv, Path(kernels) / "other")
            specs.kernel_dirs = [kernels]
        name = "other" if argv else "python3"
        manager: Any = AsyncKernelManager(kernel_name=name, kernel_spec_manager=specs)
        client = NotebookClient(document, timeout=TIMEOUT, resources=where)
        client.km = manager  # given at once it would not be shut down
        run_sync(_executing)(client, dict(environment))


def _describe(argv: Sequence[str], folder: Path) -> None:
    """Tell Jupyter how a kernel is started."""
    folder.mkdir()
    text = json.dumps({"argv": [*argv], "display_name": folder.name, "language": "python"})
    (folder / "kernel.json").write_text(text)


async def _executing(client: Any, environment: dict[str, str]) -> None:
    nudging = asyncio.ensure_future(_nudge(client))
    try:
        await client.async_execute(env=environment, stderr=subprocess.DEVNULL)
    finally:
        nudging.cancel()


async def _nudge(client: Any) -> None:
    """Look again at the sockets: on a busy machine pyzmq misses a message now and then.

    Seen with pyzmq 27.3: the kernel has answered, and nbclient waits until its
    time-out.  Another poll lets the first one see what has come.
    """
    while True:
        await asyncio.sleep(NUDGE)
        for channel in ("shell_channel", "iopub_channel"):
            socket = getattr(getattr(client.kc, channel, None), "socket", None)
            if socket is not None and not socket.closed:
                await socket.poll(1)


def executed(
    notebook: str, content: bytes, environment: Mapping[str, str], argv: Sequence[str] = ()
) -> str:
    """Execute a notebook's bytes; what went wrong in one line, if anything did.

    ``argv`` starts its kernel, where that is not this Python's.

    Raises
    ------
    MissingExtraError
        Notebooks cannot be executed here.
    """
    settings = os.environ | environment | {"MPLBACKEND": "agg"}
    try:
        import nbformat

        document: Any = nbformat.reads(content.decode(), as_version=4)  # type: ignore[no-untyped-call]
        execute(document, Path(notebook).parent, settings, argv)
    except MissingExtraError:
        raise
    except Exception as error:  # of a cell; or not a notebook, a kernel that died, a time-out
        name, message = (
            getattr(error, "ename", type(error).__name__),
            getattr(error, "evalue", error),
        )
        return " ".join(f"{name}: {message}".split())
    return ""
