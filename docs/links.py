"""Looks for links inside a built site that lead nowhere."""

from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class Page(NamedTuple):
    """What a page links to, and the anchors it has."""

    links: list[str]
    anchors: set[str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page([], set())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in {"href", "src"}:
                self.page.links.append(value)
            if value and (name == "id" or (name == "name" and tag == "a")):
                self.page.anchors.add(value)


def read(file: Path) -> Page:
    """Read one HTML file."""
    reader = _Reader()
    reader.feed(file.read_text())
    return reader.page


def broken(folder: Path) -> list[str]:
    """Give ``page: link`` for every link to a file or an anchor that is not in the folder.

    Links with a scheme or a host are not tried: the site is built without a network.
    """
    files = [f.resolve() for f in sorted(folder.rglob("*.html")) if "_static" not in f.parts]
    found = {file: read(file) for file in files}
    return [
        f"{file.relative_to(folder.resolve())}: {link}"
        for file, page in found.items()
        for link in dict.fromkeys(page.links)
        if not _leads_somewhere(link, file, found)
    ]


def _leads_somewhere(link: str, file: Path, found: dict[Path, Page]) -> bool:
    scheme, host, path, _, anchor = urlsplit(link)
    if scheme or host:
        return True
    target = (file.parent / unquote(path)).resolve() if path else file
    if target.is_dir():
        target /= "index.html"
    if target not in found:
        return target.is_file()
    return anchor in {"", "top"} or unquote(anchor) in found[target].anchors
