"""The documentation site, built with warnings as errors and read in a real browser."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parent))
from browsing import WIDTHS, browsing, is_wide, opened, serving

pytest.importorskip("sphinx", reason="the site's packages are not installed: make docs")

ROOT = Path(__file__).parents[2]
NEEDED = (
    *("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "environments", "examples"),
    "workflows",
    "tests/public_surface.txt",
)
LOOKED_AT = ("index", "start/hep", "guide/imaging", "engine/tree", "generated/api", "keys/radio")

pytestmark = [pytest.mark.xdist_group("docs"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; its notebooks are not executed, which `make docs` does."""
    root = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "docs", root / "docs", ignore=shutil.ignore_patterns("generated"))
    (root / "tests").mkdir()
    for name in NEEDED:
        (root / name).symlink_to(ROOT / name)
    options = ("--fail-on-warning", "--nitpicky", "--keep-going", "--quiet", "--tag", "unexecuted")
    command = [sys.executable, "-m", "sphinx", *options, root / "docs", root / "html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root / "html"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with serving(site) as served:
        yield served


@pytest.fixture(scope="module")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    with browsing(program("chromium")) as chromium:
        yield chromium


def test_every_page_opens_without_an_error_and_fits(
    site: Path, address: str, browser: Browser, tmp_path: Path
) -> None:
    """At the width of a desktop, and then made as narrow as a phone is."""
    page, wrong = opened(browser, max(WIDTHS))
    wide = []
    for file in sorted(site.rglob("*.html")):
        if "_static" in file.parts:
            continue
        name = str(file.relative_to(site))
        page.goto(address + name)
        title = name.removesuffix(".html")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if size := is_wide(page):
                wide.append(f"{name} at {width}: {size}")
            if title in LOOKED_AT:
                page.screenshot(path=tmp_path / f"{title.replace('/', '-')}-{width}.png")
        page.set_viewport_size({"width": max(WIDTHS), "height": 900})
    page.close()
    assert wrong == []
    assert wide == []
    assert len([*tmp_path.glob("*.png")]) == len(LOOKED_AT) * len(WIDTHS)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_search_finds(address: str, browser: Browser, width: int) -> None:
    page, wrong = opened(browser, width)
    page.goto(f"{address}search.html?q=fan_in")
    first = page.locator("#search-results li a").first
    first.wait_for(timeout=60_000)
    links = page.locator("#search-results li a").evaluate_all("all => all.map(a => a.href)")
    assert any("engine/tree.html" in link for link in links)
    first.click()
    page.locator("article").get_by_text("fan_in").first.wait_for(timeout=60_000)
    page.close()
    assert wrong == []


def test_the_other_pages_are_reached_on_a_phone(address: str, browser: Browser) -> None:
    page, wrong = opened(browser, 400)
    page.goto(f"{address}index.html")
    page.locator("button.primary-toggle").click()
    page.locator("dialog[open], .pst-primary-sidebar-modal").get_by_text("Engine").first.click()
    page.wait_for_url("**/engine/index.html", timeout=60_000)
    page.close()
    assert wrong == []
