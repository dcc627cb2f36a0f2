"""How Sphinx builds the site: `make docs`."""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import links
import pages
from sphinx.util import logging

from spectrum_workflows import __version__

project = "spectrum-workflows"
author = "The spectrum-workflows developers"
copyright = f"2026, {author}"  # noqa: A001
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["generated/workflows/**/.ipynb_checkpoints", "generated/as_they_are"]
root_doc = "index"
language = "en"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # pages.py has executed them, with a time limit
nb_ipywidgets_js: dict[str, Any] = {}  # the network is not needed to read the site
nb_render_markdown_format = "myst"

default_role = "literal"
autodoc_typehints = "none"  # the docstrings say types, units and shapes
autodoc_member_order = "bysource"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_use_ivar = True
nitpick_ignore_regex = [
    # Types of other packages: the inventories that would be looked into are on the network.
    ("py:.*", r"(?!spectrum_workflows\b).*"),
]

html_theme = "pydata_sphinx_theme"  # the one that xarray uses, and on which Dask's is built
html_title = f"spectrum-workflows {release}"
html_static_path = ["static"]
html_extra_path = ["generated/as_they_are"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_favicon = "static/favicon.png"
html_sidebars = {"index": []}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "header_links_before_dropdown": 6,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def write_pages(app: Any, _config: Any) -> None:
    """Write the pages that come from the code, and execute the notebooks."""
    pages.write(HERE / "generated", execute=not app.tags.has("unexecuted"))


def link_to_copies(_app: Any, _name: str, source: list[str]) -> None:
    """Let links to notebooks lead to the pages that were made of them."""
    source[0] = pages.linked_to_copies(source[0])


def check_links(app: Any, error: Exception | None) -> None:
    """Fail where a link inside the site leads nowhere; addresses elsewhere are not tried."""
    for link in links.broken(Path(app.outdir)) if error is None else ():
        logging.getLogger(__name__).warning("a link that leads nowhere: %s", link)
        app.statuscode = 1


def setup(app: Any) -> None:
    """Hook our steps into the build."""
    app.connect("config-inited", write_pages)
    app.connect("source-read", link_to_copies)
    app.connect("build-finished", check_links)
