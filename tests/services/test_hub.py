"""The dashboard behind a real JupyterLab, whose server is all that a hub's browser reaches."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent))
from test_jupyterlab import BROWSER, lab

pytestmark = [pytest.mark.xdist_group("hub"), pytest.mark.timeout(300)]

PREFIX = "/user/me/"
WORK = """
import sys
from spectrum_workflows import connect, load_site
if __name__ == "__main__":
    with connect(load_site("laptop", changes={"workers.count": 1})) as place:
        print(place.dashboard, flush=True)
        sys.stdin.readline()
"""


def test_the_dashboard_is_drawn_behind_the_notebook_server(
    program: Callable[[str], str], tmp_path: Path
) -> None:
    """Scripts, styles and the live connection all come through jupyter-server-proxy."""
    chromium, folder = program("chromium"), tmp_path / "work"
    folder.mkdir()
    environment = {"HOME": str(tmp_path), "JUPYTERHUB_SERVICE_PREFIX": PREFIX}
    environment |= {f"JUPYTER_{n}_DIR": str(tmp_path / n) for n in ("RUNTIME", "CONFIG", "DATA")}
    (tmp_path / "CONFIG").mkdir()
    settings = {"ServerApp": {"base_url": PREFIX}}
    (tmp_path / "CONFIG" / "jupyter_server_config.json").write_text(json.dumps(settings))
    (tmp_path / "work.py").write_text(WORK)
    work = subprocess.Popen(
        [sys.executable, tmp_path / "work.py"],
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        link = work.stdout.readline().strip()
        assert link.startswith(f"{PREFIX}proxy/")
        with lab(folder, environment) as (address, token), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=[*BROWSER])
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            wrong: list[str] = []
            page.on("response", lambda r: wrong.append(r.url) if r.status >= 400 else None)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(f"{address}lab?token={token}")
            wrong.clear()  # of JupyterLab itself
            page.goto(address.removesuffix(PREFIX) + link)
            try:
                page.locator(".bk-Figure").first.wait_for(timeout=60_000)
                page.get_by_text("Workers", exact=True).first.wait_for(timeout=10_000)
            finally:
                page.screenshot(path=tmp_path / "dashboard.png")
            browser.close()
        assert wrong == []
    finally:
        work.communicate("\n", timeout=60)
    assert work.returncode == 0
