"""The reports of real runs in a real browser, at the width of a desktop and of a phone."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from browsing import WIDTHS, browsing, is_wide, opened, serving
from playwright.sync_api import Browser

from spectrum_workflows import load_site, load_spec, make_data, run, save
from spectrum_workflows.reporting import write_report
from spectrum_workflows.sites import Place

SIZES = {"hep/dimuon": 4000, "radio/vla_sim": 60_000}
SMALLER = {
    "hep/dimuon": {"partition": {"max_events": 1000}},
    "radio/vla_sim": {"image": {"npix": 256}, "clean": {"max_major": 2}},
}
LARGEST = 3_000_000

pytestmark = [pytest.mark.xdist_group("docs"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of both sciences, each with its report."""
    root = tmp_path_factory.mktemp("reports")
    place = Place(load_site("serial"), str(root / "data"), str(root / "results"))
    for name, size in SIZES.items():
        spec = load_spec(name).changed(**SMALLER[name])
        make_data(spec, place, size=size)
        write_report(save(run(spec, place, watch=False), place))
    return root / "results"


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with serving(folder) as served:
        yield served


@pytest.fixture(scope="module")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    with browsing(program("chromium")) as chromium:
        yield chromium


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("science", ["dimuon", "vla_sim"])
def test_a_report_asks_for_nothing_and_fits(
    folder: Path, address: str, browser: Browser, science: str, width: int, tmp_path: Path
) -> None:
    [file] = folder.glob(f"{science}-*/report.html")
    assert file.stat().st_size < LARGEST
    page, wrong = opened(browser, width)
    page.goto(f"{address}{file.relative_to(folder)}")
    drawn = page.evaluate("[...document.images].map(i => [i.alt, i.naturalWidth, i.currentSrc])")
    titles = page.evaluate("[...document.querySelectorAll('h2')].map(h => h.textContent)")
    page.screenshot(path=tmp_path / f"{science}-{width}.png", full_page=True)
    assert wrong == []
    assert is_wide(page) == ""
    page.close()
    assert all(pixels > 0 for _, pixels, _ in drawn)
    assert {"Partitions in time", "Throughput", "Forecast and fact", "Where it ran"} <= {*titles}
    [timeline] = [source for alt, _, source in drawn if " on 1 worker, within" in alt]
    widths = page_widths(file.read_text())
    assert timeline == widths[width < 640]


def page_widths(page: str) -> tuple[str, str]:
    """The timeline for a desktop and for a phone, as it stands in a page."""
    timeline = page[page.index("Partitions in time") :]
    narrow = timeline.split('srcset="', 1)[1].split('"', 1)[0]
    wide = timeline.split(' src="', 1)[1].split('"', 1)[0]
    return wide, narrow
