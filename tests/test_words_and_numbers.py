"""Names of files, numbers for people, JSON for programs, and pages of keys."""

import io
import json
import math
import unicodedata
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from spectrum_workflows import display, keys
from spectrum_workflows.domain import plain_result
from spectrum_workflows.errors import DataError, DataNotFoundError, SpecError
from spectrum_workflows.jsontext import as_json
from spectrum_workflows.live import View, _time
from spectrum_workflows.naming import LONGEST, Name, file_names
from spectrum_workflows.specs import FrozenModel, parse, read_toml, spec_digest
from spectrum_workflows.stages import Forecast, Stage
from spectrum_workflows.varying import changed, value_of
from spectrum_workflows.watching import RunState

# Names of files

names = st.lists(st.text("aAéE\u0301.~-_/: ß\u0130", min_size=1, max_size=6), max_size=8)


@given(names)
@settings(max_examples=200)
def test_no_two_names_are_one_file(names: list[str]) -> None:
    """Not even where files differ neither by case nor by how an accent is written."""
    made = file_names(names)
    folded = {unicodedata.normalize("NFC", name.casefold()) for name in made}
    assert len(made) == len(folded) == len(names)
    assert file_names(made) == made, "what is safe stays"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("nul", "_nul"),
        ("COM1.txt", "_COM1.txt"),
        ("console", "console"),
        ("..", "_.."),
        ("-rf", "_-rf"),
        ("~me", "_~me"),
        ("a/b:c*d", "a_b_c_d"),
        ("ä+b=c,d@e~f-g", "ä+b=c,d@e~f-g"),
    ],
)
def test_what_has_a_meaning_somewhere_is_taken_out(name: str, safe: str) -> None:
    assert file_names([name]) == [safe]


def test_a_number_goes_before_the_ending() -> None:
    assert file_names(["a.png", "A.png", "a.png"]) == ["a.png", "A~2.png", "a~3.png"]
    assert file_names(["a", "a"]) == ["a", "a~2"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "not empty"),
        ("a b", "no space"),
        ("a/b", "no slash"),
        ("a\u200bb", "printable"),
        ("é" * (LONGEST // 2 + 1), f"has {LONGEST + 2} bytes; at most {LONGEST}"),
    ],
)
def test_names_that_nothing_can_have(name: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TypeAdapter(Name).validate_python(name)


# Numbers for people


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0.0 MB"),
        (1, "0.0 kB"),
        (2_200, "2.2 kB"),
        (99_999, "100.0 kB"),
        (100_000, "0.1 MB"),
        (9_940_000, "9.9 MB"),
        (1.5e10, "15,000 MB"),
    ],
)
def test_sizes(size: float, text: str) -> None:
    assert display.megabytes(size) == text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (91.1717, 0.0084, "91.1717 ± 0.0084"),
        (1234.5, 67.0, "1234 ± 67"),
        (0.5, 0.1, "0.50 ± 0.10"),
        (5.0, 0.0, "5 ± 0"),
        (math.nan, 1.0, "nan ± 1"),
        (5.0, math.inf, "5 ± inf"),
    ],
)
def test_a_value_is_shown_as_exactly_as_it_is_known(value: float, error: float, text: str) -> None:
    assert display.lines({"x": {"m": value, "m_error": error}}) == [("x", f"m {text}")]


def test_an_error_without_its_value_is_a_number_of_its_own() -> None:
    assert display.lines({"x": {"m_error": 0.5, "n": 2}}) == [("x", "m_error 0.5, n 2")]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("bytes_read", 2_500_000, "2.5 MB"),
        ("peak_bytes", 5_000, "5.0 kB"),
        ("cpu_seconds", 12.345, "12.3 s"),
        ("share_read", 0.256, "25.6%"),
        ("share_read", 3.0, "3.0 times"),
        ("events", 1_234_567, "1,234,567"),
        ("whole", True, "True"),
        ("mass", 0.1234567891, "0.123457"),
    ],
)
def test_a_number_has_the_unit_that_its_key_names(key: str, value: Any, text: str) -> None:
    assert display.lines({key: value}) == [(key, text)]


def test_tables_within_tables_get_names_with_dots() -> None:
    nested = {"a": {"n": 1, "b": {"c": {"x": 1}, "y": 2}}}
    assert display.lines(nested) == [("a", "n 1"), ("a.b", "y 2"), ("a.b.c", "x 1")]


def test_nothing_that_is_shown_is_html() -> None:
    bad = "<script>&"
    page = display.card(bad, [(bad, bad)], notes=[bad], webp=b"1")
    page += display.grid([bad], [[bad]])
    assert "<script>" not in page
    assert page.count("&lt;script&gt;&amp;") == 7


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ("https://h:1/status", True),
        ("/proxy/1/status", True),
        ("https://h/other", False),
        ("javascript:x/status", False),
    ],
)
def test_only_a_dashboard_is_a_link(value: str, link: bool) -> None:
    assert ("<a href" in display.card("t", [("dashboard", value)])) is link


def test_of_many_rows_the_rest_is_counted() -> None:
    page = display.grid(("n", "m"), [(str(n), "x") for n in range(display.MOST_ROWS + 1_234)])
    assert page.count("<tr>") == display.MOST_ROWS + 2
    assert "<td colspan=2>… and 1,234 more" in page


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (9.95, "10 s"), (205, "3:25"), (3_599.6, "1:00:00")],
)
def test_durations(seconds: float, text: str) -> None:
    assert _time(seconds) == text


def state(stage: str, done: int, **more: Any) -> RunState:
    given = {"stage": stage, "done": done, "total": 10, "seconds": 1.0, "stage_seconds": 1.0}
    return RunState(**given | more)


def test_a_view_that_ends_says_how_and_what_its_last_line_was() -> None:
    view = View("title")
    assert view.bundle()["text/plain"].startswith("title: running")
    view(state("read", 3, snapshot=SimpleNamespace(line="peak 2 Jy"), failures=2))
    assert "peak 2 Jy" in view.bundle()["text/html"]
    assert "read: 3 of 10" in view.bundle()["text/html"]
    assert "2 partitions failed" in view.bundle()["text/html"]
    view.end("stopped")
    assert "title: stopped" in view.bundle()["text/plain"]
    assert "read: 3 of 10" not in view.bundle()["text/html"]
    assert "peak 2 Jy" in view.bundle()["text/html"]


# JSON for programs

numbers = st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=5))
values = st.recursive(
    numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def expected(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: expected(v) for k, v in value.items()}
    if isinstance(value, list):
        return [expected(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(values)
@settings(max_examples=80)
def test_whatever_it_is_any_reader_takes_it(value: Any) -> None:
    def refused(constant: str) -> None:
        raise AssertionError(constant)

    assert json.loads(as_json(value), parse_constant=refused) == expected(value)


def test_what_python_has_besides_becomes_json() -> None:
    value = {
        1: np.float32(0.5),
        "a": np.arange(2),
        "s": {"b", "a"},
        "n": np.array([np.nan, 1.0]),
        "p": ("x", b"y"),
        "u": "\ud800",
    }
    assert json.loads(as_json(value)) == {
        "1": 0.5,
        "a": [0, 1],
        "s": ["a", "b"],
        "n": [None, 1.0],
        "p": ["x", "b'y'"],
        "u": "?",
    }


def test_numbers_that_are_none_are_spelled_so_that_python_reads_them() -> None:
    value = [math.nan, math.inf, -math.inf]
    spelled = json.loads(as_json(value, spelled=True))
    assert spelled == ["NaN", "Infinity", "-Infinity"]
    np.testing.assert_array_equal([float(text) for text in spelled], value)
    assert as_json(["é"], ascii_only=False) == '[\n "é"\n]'


# Keys


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "whole number ≥ 1, ≤ 9"),
        ({"type": "number", "exclusiveMinimum": 0}, "number > 0"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text"),
        ({"anyOf": [{"type": "string"}, {"type": "boolean"}]}, "text or true or false"),
        ({"enum": ["a", "b"]}, '`"a"` or `"b"`'),
        ({"const": 5}, "`5`"),
        ({"$ref": "#/$defs/Axis"}, "`Axis`"),
        ({"type": "array", "items": {"type": "number"}}, "list of number"),
        (
            {"type": "array", "prefixItems": [{"type": "number"}, {"type": "string"}]},
            "list of number or text",
        ),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "table of whole number"),
        ({"type": "object", "patternProperties": {"x": {"type": "string"}}}, "table of text"),
        ({"type": "object"}, "table"),
        ({}, "anything"),
    ],
)
def test_types_in_toml_s_words(key: dict[str, Any], words: str) -> None:
    assert keys._type(key) == words


def test_a_page_of_keys_is_a_table_per_model() -> None:
    schema = {
        "description": "A ``thing``\nof two lines.",
        "properties": {
            "a": {"type": "string", "description": "One | two."},
            "b": {"type": "integer", "default": 3},
            "c": {"type": "object", "default": {}},
        },
        "required": ["a"],
        "$defs": {
            "Inner": {"properties": {"d": {"type": "boolean", "default": False}}},
            "Kind": {"enum": ["x"]},
        },
    }
    page = keys.reference(schema, title="Things")
    assert "# Things\n\nA `thing` of two lines.\n" in page
    assert "| `a` | text | required | One \\| two. |" in page
    assert "| `b` | whole number | `3` |  |" in page
    assert "| `c` | table |  |  |" in page
    assert "## `Inner`" in page
    assert "| `d` | true or false | `false` |  |" in page
    assert "Kind" not in page


class Inner(FrozenModel):
    depth: int = 1
    names: tuple[str, ...] = ()


class Outer(FrozenModel):
    inner: Inner = Inner()
    tables: dict[str, Inner] = Field(default_factory=dict)
    title: str = "t"


def test_a_key_with_dots_is_found_and_changed() -> None:
    spec = Outer(tables={"a": Inner(depth=5)})
    assert value_of(spec, "inner.depth") == 1
    assert value_of(spec, "tables.a.depth") == 5
    assert value_of(spec, "tables.b.depth") is None
    assert value_of(spec, "none.at.all") is None
    assert value_of(changed(spec, "tables.a.depth", 7), "tables.a.depth") == 7
    assert value_of(spec, "tables.a.depth") == 5
    with pytest.raises(SpecError, match="unknown key 'inner.dept'; did you mean depth"):
        changed(spec, "inner.dept", 7)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"inner": {"depth": "x"}}, r"inner\.depth: .*integer.* \(got 'x'\)"),
        ({"tables": {"a": {"dep": 1}}}, "unknown key 'tables.a.dep'; did you mean depth"),
        ({"titel": 1}, "unknown key 'titel'; did you mean title"),
        ({"titel": 1, "inner": {"x": 1}}, r"\(and 1 more\)"),
    ],
)
def test_an_error_of_a_spec_names_the_key_and_the_remedy(table: Any, says: str) -> None:
    with pytest.raises(SpecError, match=says) as caught:
        parse(Outer, table, where="mine.toml")
    assert caught.value.where == "mine.toml"


@pytest.mark.parametrize("text", [b"a = ", b"\xff", b"a = 1\na = 2", b"x" * 1000])
def test_what_is_no_toml_is_said_briefly(text: bytes) -> None:
    with pytest.raises(SpecError, match=r"^f: not valid TOML: ") as caught:
        read_toml(text, where="f")
    assert len(str(caught.value)) < 400


def test_the_digest_of_a_spec_is_that_of_what_it_asks() -> None:
    assert spec_digest(Outer()) == spec_digest(Outer(title="t"))
    assert spec_digest(Outer()) != spec_digest(Outer(title="u"))
    order = [Outer(tables={k: Inner() for k in names}) for names in ("ab", "ba")]
    assert spec_digest(order[0]) == spec_digest(order[1])


# Stages


def test_two_passes_of_a_stage_take_the_sum_and_the_larger_memory() -> None:
    total = Stage("read", 2, 1.5, 10, 70) + Stage("read", 3, 0.5, 5, 50)
    assert total == Stage("read", 5, 2.0, 15, 70)


def test_a_forecast_is_work_times_costs() -> None:
    forecast = Forecast("grid", 4, (("visibilities", 1e6), ("pixels", 100.0)), 5, 6)
    stage = forecast.on({"visibilities": 2e-6, "pixels": 0.01, "other": 9.0})
    assert stage == Stage("grid", 4, pytest.approx(3.0), 5, 6)
    with pytest.raises(KeyError):
        forecast.on({"visibilities": 1.0})


# Results of a science that says nothing else


def test_a_saved_result_that_is_another_file_is_named(tmp_path: Any) -> None:
    with pytest.raises(DataNotFoundError, match=r"arrays\.npz"):
        plain_result.read(str(tmp_path))
    whole, one = io.BytesIO(), io.BytesIO()
    np.savez(whole, x=np.arange(50.0))
    np.save(one, np.arange(5.0))
    spoilt = whole.getvalue().replace(np.float64(7).tobytes(), np.float64(8).tobytes())
    cut = whole.getvalue()[:300]
    for content in (b"", b"not arrays", b"PK\x03\x04 broken", one.getvalue(), spoilt, cut):
        (tmp_path / plain_result.FILE).write_bytes(content)
        with pytest.raises(DataError, match="not a file of arrays") as caught:
            plain_result.read(str(tmp_path))
        assert caught.value.where.endswith(plain_result.FILE)


def test_arrays_of_objects_are_not_unpacked(tmp_path: Any) -> None:
    np.savez(tmp_path / plain_result.FILE, x=np.array([{}], object))
    with pytest.raises(DataError, match="not a file of arrays"):
        plain_result.read(str(tmp_path))


def test_every_array_of_one_or_two_axes_is_drawn() -> None:
    arrays = {
        "line": np.arange(5.0),
        "map": np.ones((3, 4)),
        "one": np.ones(1),
        "c": np.ones((2,) * 3),
    }
    figure = plain_result.plot(lambda _: arrays, None)
    assert [axes.get_title() for axes in figure.axes] == ["line", "map"]
    assert len(figure.axes[0].lines) == 1
    assert figure.axes[1].images[0].get_array().shape == (3, 4)
