"""Specs are parsed once, at the door, with errors a person can act on."""

import pickle
from pathlib import Path

import pytest
from pydantic import Field

from spectrum_workflows import errors, load_site, load_spec, shipped, storage
from spectrum_workflows.errors import SpecError, SpectrumError
from spectrum_workflows.specs import FrozenModel, closest, parse, read_toml, spec_digest


class Cut(FrozenModel):
    pt: float = Field(30.0, gt=0)


class Example(FrozenModel):
    name: str
    cut: Cut = Cut()
    samples: dict[str, Cut] = Field(default_factory=dict)
    folder: str = Field("", exclude=True)


def test_unknown_key_suggests_the_right_one() -> None:
    with pytest.raises(SpecError, match=r"x\.toml: unknown key 'nmae'.*did you mean name\?"):
        parse(Example, {"name": "a", "nmae": "b"}, where="x.toml")
    with pytest.raises(SpecError, match=r"unknown key 'samples\.tt\.ptt'.*did you mean pt\?"):
        parse(Example, {"name": "a", "samples": {"tt": {"ptt": 1.0}}}, where="x.toml")


@pytest.mark.parametrize("pt", [-1.0, 0.0, float("nan"), float("inf"), "thirty"])
def test_bad_numbers(pt: object) -> None:
    with pytest.raises(SpecError, match=r"cut\.pt: ") as caught:
        parse(Example, {"name": "a", "cut": {"pt": pt}}, where="x.toml")
    assert "\n" not in str(caught.value)


class PartSpec(FrozenModel):
    pt: float = Field(30.0, gt=0)


class Typed(FrozenModel):
    n: int = 1
    x: float = 1.0
    yes: bool = False
    either: bool | float | tuple[float, ...] = False
    word: str | int = ""
    several: tuple[PartSpec | str, ...] = ()
    table: dict[str, tuple[int, ...]] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"n": "3"}, "n: this is a number, not text (got '3'); write it without quotes"),
        ({"n": True}, "n: this is a number, not true or false (got True)"),
        ({"x": True}, "x: this is a number, not true or false"),
        ({"x": "1e3"}, "x: this is a number, not text"),
        ({"yes": "no"}, "yes: this is true or false, not text"),
        ({"yes": 1}, "yes: this is true or false, not a number"),
        ({"either": "T"}, "either: this is true or false, not text"),
        ({"either": [1.0, "2"]}, "either.1: this is a number, not text"),
        ({"several": ["a", {"pt": "5"}]}, "several.1.pt: this is a number, not text"),
        ({"table": {"a": [1], "b": [True]}}, "table.b.0: this is a number, not true or false"),
    ],
)
def test_nothing_becomes_what_it_is_not(table, said) -> None:
    parse(Typed, table, where="x.toml")  # text may stand for numbers in a profile
    with pytest.raises(SpecError) as caught:
        parse(Typed, table, where="x.toml", exact=True)
    assert str(caught.value).startswith(f"x.toml: {said}")
    with pytest.raises(SpecError, match="changed spec: "):
        parse(Typed, {}, where="x.toml").changed(**table)


def test_what_is_of_the_right_kind_stays() -> None:
    table = {"x": 3, "n": 2.0, "either": 2, "word": "3", "several": ["a", {"pt": 5}]}
    found = parse(Typed, table, where="x.toml", exact=True)
    assert (found.x, found.n, found.either, found.word) == (3.0, 2, 2.0, "3")
    assert found.changed(yes=True).several[1] == PartSpec(pt=5.0)


def test_in_a_list_of_texts_and_tables_the_table_s_own_key_is_named() -> None:
    with pytest.raises(SpecError, match=r"x\.toml: several\.0\.pt: Input should be greater"):
        parse(Typed, {"several": [{"pt": -1.0}]}, where="x.toml")


def test_missing_key() -> None:
    with pytest.raises(SpecError, match="missing key 'name'"):
        parse(Example, {}, where="x.toml")


def test_not_toml() -> None:
    for text in (b"a = ", b"\xff\xfe"):
        with pytest.raises(SpecError, match=r"x\.toml: not valid TOML"):
            read_toml(text, where="x.toml")


def test_changed_merges_validates_and_leaves_the_original() -> None:
    spec = parse(Example, {"name": "a", "samples": {"tt": {}}, "folder": "here"}, where="x")
    other = spec.changed(cut={"pt": 40.0}, samples={"wj": {"pt": 1.0}})
    assert (spec.cut.pt, other.cut.pt) == (30.0, 40.0)
    assert set(other.samples) == {"tt", "wj"}
    assert other.folder == "here"
    with pytest.raises(SpecError, match="unknown key 'cut.pz'"):
        spec.changed(cut={"pz": 1})
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "b"


def test_digest_is_of_the_question_not_of_its_place() -> None:
    a = parse(Example, {"name": "a", "folder": "here"}, where="x")
    b = parse(Example, {"name": "a", "folder": "there", "cut": {"pt": 30}}, where="y")
    assert spec_digest(a) == spec_digest(b)
    assert spec_digest(a) != spec_digest(a.changed(cut={"pt": 31}))


class Narrow(Cut):
    pt: float = 40.0
    """Least transverse momentum."""

    eta: float = Field(2.5, description="Largest rapidity.")
    """Not shown: the field says it."""

    tag: str = ""


def test_a_schema_says_what_keys_mean() -> None:
    keys = Narrow.model_json_schema()["properties"]
    assert {name: key.get("description") for name, key in keys.items()} == {
        "pt": "Least transverse momentum.",
        "eta": "Largest rapidity.",
        "tag": None,
    }
    spec: dict[str, object] = {"FrozenModel": FrozenModel, "__name__": "typed"}
    exec('class Typed(FrozenModel):\n    pt: float = 1.0\n    """Lost."""', spec)
    typed = spec["Typed"]
    assert isinstance(typed, type)
    assert issubclass(typed, FrozenModel)
    assert "description" not in typed.model_json_schema()["properties"]["pt"]


def test_closest() -> None:
    assert closest("Jet_ptt", ["Jet_pt", "Jet_eta"]).startswith("did you mean Jet_pt")
    assert "b" in closest("zzz", ["a", "b"])


def test_every_error_is_also_a_builtin_and_survives_pickling() -> None:
    kinds = [
        k for k in vars(errors).values() if isinstance(k, type) and k.__bases__[0] is SpectrumError
    ]
    assert len(kinds) >= 6
    for kind in kinds:
        assert any(b.__module__ == "builtins" for b in kind.__mro__[2:-3]), kind
        error = pickle.loads(pickle.dumps(kind("what", "where", "remedy")))
        assert type(error) is kind
        assert str(error) == "where: what; remedy"


def test_a_spec_is_read_with_the_options_of_the_site(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, seen = "s3://bucket/specs/dimuon.toml", []
    text = (shipped.folder("workflows") / "hep/dimuon.toml").read_bytes()

    def read(where: str) -> bytes:
        seen.append((where, dict(dict(storage.current_stores().options)["s3://bucket"])))
        return text

    monkeypatch.setattr(storage, "read_bytes", read)
    file = tmp_path / "mine.toml"
    file.write_text(
        'extends = "serial"\n[storage."s3://bucket"]\nendpoint_url = "http://127.0.0.1:9"\n'
    )
    monkeypatch.setenv("SPECTRUM_SITE", str(file))
    for site in (None, str(file), load_site(str(file))):
        assert load_spec(url, site=site).name == "dimuon"
    assert seen == [(url, {"endpoint_url": "http://127.0.0.1:9"})] * 3
