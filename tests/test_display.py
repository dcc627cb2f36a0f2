"""What objects print in a notebook: short, whole, and safe to show."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest
from IPython.lib.pretty import pretty

from spectrum_workflows import check, connect, display, load_site, load_spec, run
from spectrum_workflows.checking import Check
from spectrum_workflows.domain import Failure, Metrics, Plan
from spectrum_workflows.sites.dashboard import through_proxy

pytestmark = pytest.mark.xdist_group("display")  # what they share is made once

LIMIT = 20_000


class Balanced(HTMLParser):
    """Fails where a tag is closed that is not open."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def words_of(html):
    assert len(html) < LIMIT
    return " ".join(Balanced(html).words)


@dataclass(frozen=True)
class Piece:
    n: int
    size: int = 10
    where: str = "a file with a long name that nobody wants to read three thousand times"


def test_a_check_of_many_partitions_is_short():
    plan = Plan(tuple(Piece(n) for n in range(3000)), 10**9, 10**8, warnings=("mind <this>",) * 50)
    found = Check("many", plan)
    assert repr(found) == "<Check of many: <Plan of 3,000 partitions, 30,000 entries>>"
    words = words_of(found._repr_html_())
    assert "3,000" in words
    assert "1,000 MB" in words
    assert "mind <this>" in words
    assert "and 40 more" in words


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    from spectrum_workflows.examples import make_data

    folder = tmp_path_factory.mktemp("display")
    spec = load_spec("hep/dimuon")
    with connect(load_site("serial"), data=str(folder), results=str(folder)) as place:
        make_data(spec, place, size=2000)
        return place, spec, check(spec, place), run(spec, place)


def test_an_outcome_shows_numbers_picture_and_digest(outcome):
    *_, ran = outcome
    assert repr(ran) == f"<Outcome of dimuon (hep), digest {ran.digest[:12]}>"
    first, *numbers = str(ran).splitlines()  # what `print` shows
    assert first == repr(ran)
    assert any(re.match(r"  partitions +\d", line) for line in numbers)
    html = ran._repr_html_()
    words = words_of(html)
    assert ran.digest[:16] in words
    assert "fit.z" in words
    assert "data:image/webp;base64," in html


def test_a_partial_outcome_says_so(outcome):
    from dataclasses import replace

    *_, ran = outcome
    lost = Failure("some <file>", 1000, "gone", 3)
    partial = replace(ran, metrics=ran.metrics + Metrics(failures=(lost,)))
    assert "PARTIAL" in repr(partial)
    words = words_of(partial._repr_html_())
    assert "PARTIAL" in words
    assert "some <file>: gone" in words


def test_what_nobody_could_count_is_not_called_all_of_the_input(outcome):
    from dataclasses import replace

    *_, ran = outcome
    lost = Failure("gone_*.root", 0, "no file fits this pattern", 1)
    partial = replace(ran, plan=replace(ran.plan, failures=(lost,)))
    words = "100.0000% of what could be counted; nothing of 1 input of unknown size"
    assert words in repr(partial)
    assert words in words_of(partial._repr_html_())


def test_a_spec_shows_what_was_given(outcome):
    _, spec, *_ = outcome
    words = words_of(spec._repr_html_())
    assert "hep dimuon" in words
    assert "luminosity" in words
    many = spec.changed(samples={"zmumu": {"files": [f"file{n}.root" for n in range(10_000)]}})
    assert len(many._repr_html_()) < LIMIT
    assert len(pretty(many)) < 1_100


def test_a_place_shows_its_workers_and_no_secret(outcome):
    place, *_ = outcome
    assert repr(place) == "<Place, serial: this process, no workers>"
    assert place.dashboard == ""
    assert "no workers" in words_of(place._repr_html_())


def test_a_place_with_workers(outcome, tmp_path):
    with connect(load_site("laptop", changes={"workers.count": 1}), data=str(tmp_path)) as place:
        assert re.fullmatch(r"<Place, local: 1 worker of \d+\.\d GB together>", repr(place))
        html = place._repr_html_()
        assert f'<a href="{place.dashboard}"' in html
        assert "dashboard" in words_of(html)


@pytest.mark.parametrize(
    ("link", "prefix", "shown"),
    [
        ("http://127.0.0.1:8787/s/status", "/user/me/", "/user/me/proxy/8787/s/status"),
        ("http://127.0.0.1:8787/s/status", "", "http://127.0.0.1:8787/s/status"),
        ("/gateway/clusters/x/status", "/user/me/", "/gateway/clusters/x/status"),
    ],
)
def test_a_dashboard_behind_a_hub(link, prefix, shown):
    assert through_proxy(link, prefix) == shown


def test_numbers_are_read_as_they_are_meant():
    given = {"a": {"mass": 91.1717, "mass_error": 0.0084, "n": 3}, "bytes_read": 5_244_466}
    assert display.lines(given) == [("a", "mass 91.1717 ± 0.0084, n 3"), ("bytes_read", "5.2 MB")]
    assert display.lines({"x": {"v": 1.0, "v_error": float("nan")}}) == [("x", "v 1 ± nan")]
