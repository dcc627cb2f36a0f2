"""Data that is made for a spec: once, never over somebody's own, and known by its note."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spectrum_workflows import datasets, domain, examples, load_site, storage
from spectrum_workflows.domain import Contents, Domain, Inspector, Plan
from spectrum_workflows.domain.converter import Converter
from spectrum_workflows.errors import DataError, DataNotFoundError, OutputError, SpecError
from spectrum_workflows.sites import Place
from spectrum_workflows.specs import FrozenModel


class Recipe(FrozenModel):
    seed: int = 1


class Question(FrozenModel):
    workflow: str = "made"
    name: str = "little"
    synthetic: Recipe = Recipe()


FILES = ("a.bin", "b.bin")


def make(spec: Question, data: str, /, *, size: int | None, report: Any) -> list[str]:
    urls = [storage.join(data, name) for name in FILES]
    for url in urls:
        storage.write_bytes(url, f"{spec.synthetic} {size}".encode())
    return urls


def science(**more: Any) -> Domain:
    return Domain(
        "made",
        Question,
        lambda spec, data: [storage.join(data, name) for name in FILES],
        lambda *_: Plan((), 0, 0),
        None,
        make=make,
        **more,
    )


@pytest.fixture(params=["here", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place whose data root is here, or in a store; the science is known there."""
    monkeypatch.setattr(domain, "get", lambda name: science())
    data = str(tmp_path) if request.param == "here" else f"memory://made{tmp_path}"
    return Place(load_site("serial"), data, str(tmp_path / "results"))


def content(place: Place) -> list[bytes]:
    return [storage.read_bytes(storage.join(place.data, name)) for name in FILES]


def test_what_was_made_is_kept(place: Place) -> None:
    made = examples.make_data(Question(), place, size=5)
    assert made == [storage.join(place.data, name) for name in FILES]
    storage.write_bytes(made[0], b"mine by now")
    assert examples.make_data(Question(), place) == made
    assert examples.make_data(Question(), place, size=5) == made
    assert content(place)[0] == b"mine by now"


@pytest.mark.parametrize(
    ("spec", "size"), [(Question(), 6), (Question(synthetic=Recipe(seed=2)), None)]
)
def test_another_recipe_is_asked_about(place: Place, spec: Question, size: int | None) -> None:
    examples.make_data(Question(), place, size=5)
    before = content(place)
    with pytest.raises(DataError, match="made otherwise, or is incomplete; --overwrite") as caught:
        examples.make_data(spec, place, size=size)
    assert caught.value.where.endswith("little.synthetic.json")
    assert content(place) == before
    examples.make_data(spec, place, size=size, overwrite=True)
    assert content(place) != before


def test_what_is_incomplete_is_made_again_on_request(place: Place) -> None:
    made = examples.make_data(Question(), place)
    storage.remove(made[1])
    with pytest.raises(DataError, match="incomplete"):
        examples.make_data(Question(), place)
    assert examples.make_data(Question(), place, overwrite=True) == made


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "note",
    [
        None,
        b"",
        b"[]",
        b"\xff",
        b'{"names": 5, "recipe": {}}',
        b'{"names": ["a.bin"]}',
        b'{"names": ["b.bin"], "recipe": {}}',
    ],
)
def test_what_was_not_made_here_stays(place: Place, note: bytes | None, overwrite: bool) -> None:
    """Nor is it known who made it where the note is damaged."""
    storage.write_bytes(storage.join(place.data, "a.bin"), b"somebody's")
    if note is not None:
        storage.write_bytes(storage.join(place.data, "little.synthetic.json"), note)
    with pytest.raises(DataError, match="not synthetic data of this spec, and stays") as caught:
        examples.make_data(Question(), place, overwrite=overwrite)
    assert caught.value.where == storage.join(place.data, "a.bin")
    assert storage.read_bytes(caught.value.where) == b"somebody's"


def test_the_note_says_names_and_recipe(place: Place) -> None:
    examples.make_data(Question(), place, size=5)
    note = json.loads(storage.read_bytes(storage.join(place.data, "little.synthetic.json")))
    assert note == {"recipe": {"size": 5, "synthetic": {"seed": 1}}, "names": [*FILES]}


def test_no_file_gets_the_name_of_a_published_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples.catalogue, "published", lambda data: {"b": "theirs"})
    monkeypatch.setattr(examples.catalogue, "plain_name", lambda name: name.removesuffix(".bin"))
    with pytest.raises(DataError, match="the name of a published file, of catalogue:theirs"):
        examples.make_data(Question(), place)
    assert storage.files_below(place.data) == []


# Other forms of data, and what is in it


def converted(source: str, target: str, **options: Any) -> dict[str, Any]:
    return {"source": source, "target": target, **options}


def narrow(source: str, target: str, *, columns: Any, overwrite: bool, report: Any) -> Any:
    return converted(source, target, columns=columns)


@pytest.fixture
def sciences(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sciences: one converts and shows ``.one``, the other knows folders of its own."""

    def is_folder(url: str) -> bool:
        return url.endswith("-set")

    def plot() -> Any:
        from matplotlib.figure import Figure

        return Figure(figsize=(1, 1))

    one = Converter(".one", narrow)
    two = Converter(".two", narrow, recognises=is_folder)
    shown = Inspector(
        ("files of one",),
        lambda url: url.endswith(".one"),
        lambda url: Contents(url, (), {}, plot=plot),
    )
    known = [science(converter=one, inspector=shown), science(converter=two)]
    monkeypatch.setattr(domain, "installed", lambda: iter(known))


@pytest.mark.parametrize(
    ("source", "suffix"),
    [("x.one", ".one"), ("x.one/", ".one"), ("x.one:tree", ".one"), ("a-set", ".two")],
)
@pytest.mark.usefixtures("sciences")
def test_a_converter_is_found_by_ending_or_by_look(source: str, suffix: str) -> None:
    assert datasets.converter_of(source).suffix == suffix


@pytest.mark.usefixtures("sciences")
def test_what_nothing_converts_or_shows_is_said_with_what_is(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nothing converts such data; known: \.one, \.two"):
        datasets.converter_of("x.three")
    with pytest.raises(SpecError, match="no science shows such data; shown are files of one"):
        datasets.show_data("s3://b/x.three")
    with pytest.raises(DataNotFoundError, match="no such data; check the name"):
        datasets.show_data(str(tmp_path / "x.three"))


@pytest.mark.usefixtures("sciences")
def test_columns_are_converted_once_and_options_are_known() -> None:
    done = datasets.convert_data("x.one", "y", columns=["b", "a", "b"])
    assert done["columns"] == ["b", "a"]
    assert done["seconds"] >= 0
    with pytest.raises(SpecError, match=r"--chunk-size is no option for \.one; leave it out"):
        datasets.convert_data("x.one", "y", options={"chunk_size": 5})


@pytest.mark.usefixtures("sciences")
def test_a_plot_goes_where_a_picture_can(tmp_path: Path) -> None:
    contents = datasets.show_data("x.one")
    datasets.save_plot(contents, str(tmp_path / "x.png"))
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    for file in ("x.nothing", "none/x.png"):
        with pytest.raises(OutputError, match=r"cannot write the plot \(.*\); choose a name"):
            datasets.save_plot(contents, str(tmp_path / file))
    with pytest.raises(SpecError, match="there is no plot of such data; leave --plot out"):
        datasets.save_plot(replace(contents, plot=None), str(tmp_path / "x.png"))


def test_a_spec_without_columns_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    columns: Callable[[Any], list[str]] = lambda spec: ["x"]  # noqa: E731
    for converter in (None, Converter(".one", narrow)):
        monkeypatch.setattr(domain, "get", lambda name, c=converter: science(converter=c))
        with pytest.raises(SpecError, match="this spec names no columns; leave --spec out"):
            datasets.columns_of(Question())
    keeping = Converter(".one", narrow, to_keep=columns)
    monkeypatch.setattr(domain, "get", lambda name: science(converter=keeping))
    assert datasets.columns_of(Question()) == ["x"]
