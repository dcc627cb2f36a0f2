"""A real browser that notes whatever goes wrong on a page."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
WIDTHS = (1280, 400)
LEFT = "net::ERR_ABORTED"  # the page was left before this was there


@contextmanager
def browsing(chromium: str) -> Iterator[Browser]:
    """A browser for the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
        yield browser
        browser.close()


class Quiet(SimpleHTTPRequestHandler):
    """A file server that logs nothing."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of the files of a folder, for the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def opened(browser: Browser, width: int) -> tuple[Page, list[str]]:
    """A page, and what goes wrong on it: console errors, failed or outside requests."""
    page, wrong = browser.new_page(viewport={"width": width, "height": 900}), []
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda r: None if r.failure == LEFT else wrong.append(r.url))
    page.on("request", lambda r: None if _is_inside(r.url) else wrong.append(r.url))
    return page, wrong


def is_wide(page: Page) -> str:
    """Its width, if it is wider than the window."""
    needed, there = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    return f"{needed} pixels wide" if needed > there else ""


def _is_inside(url: str) -> bool:
    return "//127.0.0.1:" in url or url.startswith("data:")
