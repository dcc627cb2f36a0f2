"""A person at a real JupyterLab, in a real browser, whose workers are jobs of a real SLURM."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))
import workload

pytestmark = [
    pytest.mark.xdist_group("slurm"),
    pytest.mark.usefixtures("slurm_up"),
    pytest.mark.timeout(600),
]

BROWSER = (
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE = 480_000  # ms: other tests may have the cores
IDLE = "Python 3 (ipykernel) | Idle"
SMALL = {"hep/ttbar": 10_000, "hep/dimuon": 10_000}


@contextmanager
def lab(folder: Path, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """A JupyterLab server with a root folder of its own: its address and token."""
    token, command = secrets.token_hex(16), [sys.executable, "-m", "jupyter", "lab"]
    options = ("--no-browser", "--allow-root", "--ip=127.0.0.1", f"--notebook-dir={folder}")
    settings = os.environ | environment | {"JUPYTER_TOKEN": token}
    with (folder.parent / "lab.log").open("wb") as log:
        server = subprocess.Popen([*command, *options], env=settings, stdout=log, stderr=log)
        try:
            yield _address(server, Path(environment["JUPYTER_RUNTIME_DIR"])), token
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(timeout=60)
            server.kill()
            server.wait()


def _address(server: subprocess.Popen[bytes], runtime: Path) -> str:
    end = time.monotonic() + 120
    while time.monotonic() < end and server.poll() is None:
        for file in runtime.glob(f"jpserver-{server.pid}.json"):
            with suppress(ValueError):
                return str(json.loads(file.read_text())["url"])
        time.sleep(0.2)
    raise RuntimeError("JupyterLab did not start; see its log")


def cells_of(address: str, token: str, name: str) -> list[dict[str, Any]]:
    """The code cells of a notebook as the server has it on disk."""
    request = urllib.request.Request(
        f"{address}api/contents/{name}", headers={"Authorization": f"token {token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        content = json.load(answer)["content"]
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def run_all(page: Page) -> None:
    """Run every cell from the menu and wait for the last one."""
    page.get_by_text(IDLE).wait_for(timeout=PATIENCE)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    last = page.locator(".jp-CodeCell .jp-InputPrompt").last
    page.wait_for_function(
        "e => /\\[\\d+\\]/.test(e.textContent)", arg=last.element_handle(), timeout=PATIENCE
    )
    page.get_by_text(IDLE).wait_for(timeout=PATIENCE)
    page.keyboard.press("Control+s")


def test_the_quick_start_runs_from_the_browser(
    program: Callable[[str], str], tmp_path: Path
) -> None:
    """The notebook file as it is; `SPECTRUM_SITE` is set where JupyterLab is started."""
    chromium, folder = program("chromium"), tmp_path / "workflows"
    shutil.copytree(workload.ROOT / "workflows", folder)
    environment = {"SPECTRUM_SITE": "slurm", "HOME": str(tmp_path)}
    environment |= {f"JUPYTER_{n}_DIR": str(tmp_path / n) for n in ("RUNTIME", "CONFIG", "DATA")}
    for name, size in SMALL.items():
        command = [str(Path(sys.executable).with_name("spectrum")), "data", "make"]
        made = [*command, f"workflows/{name}.toml", "--size", str(size)]
        subprocess.run(made, env=os.environ | environment, cwd=workload.ROOT, check=True)
    with lab(folder, environment) as (address, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*BROWSER])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(f"{address}lab/tree/hep/quickstart.ipynb?token={token}")
        try:
            run_all(page)
        finally:
            page.screenshot(path=tmp_path / "lab.png")
        assert workload.queue() == []
        cells, end = [{"execution_count": None, "outputs": []}], time.monotonic() + 60
        while not cells[-1]["execution_count"] and time.monotonic() < end:  # until it is saved
            time.sleep(0.2)
            cells = cells_of(address, token, "hep/quickstart.ipynb")
        browser.close()
    kinds = [output["output_type"] for cell in cells for output in cell["outputs"]]
    assert "error" not in kinds
    assert all(cell["execution_count"] for cell in cells)
    text = "".join("".join(o.get("text", "")) for cell in cells for o in cell["outputs"])
    assert "digest:" in text
    assert any("image/png" in o.get("data", {}) for cell in cells for o in cell["outputs"])
