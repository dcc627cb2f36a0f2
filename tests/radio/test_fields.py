"""Several fields of one run: an image each, as if each had been imaged alone."""

import io
import json

import casacore.tables as casa
import numpy as np
import pytest
from astropy.io import fits

from spectrum_workflows import domain
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.contents import contents
from spectrum_workflows.radio.spec import RadioSpec
from spectrum_workflows.record.digest import digest

from .conftest import spec_of

pytestmark = pytest.mark.xdist_group("radio fields")  # what they share is made once

FIELDS = [
    {
        "name": name,
        "right_ascension_deg": ra,
        "declination_deg": 45.0,
        "sources": [{"name": "a", "flux_jy": flux, "east_arcsec": 80.0, "north_arcsec": 0.0}],
    }
    for name, ra, flux in (("first", 180.0, 1.0), ("M 31/b", 181.0, 2.0), ("third", 182.0, 3.0))
]
SPEC = RadioSpec.model_validate(
    {
        "name": "fields",
        "data_set": "fields",
        "image": {"npix": 64, "cell_arcsec": 16.0, "epsilon": 1e-4},
        "clean": {"threshold": 0.1},
        "self_check": False,
        "synthetic": {
            "telescope": "vla-d",
            "channels": 4,
            "sefd_jy": 0.0,
            "visibilities": 9_000,
            "fields": FIELDS,
            "turns": 2,
        },
    }
)
FOLDERS = ("first", "M_31_b", "third")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fields")
    DOMAIN.make(SPEC, str(folder))
    return folder


def run(spec, root):
    return DOMAIN.run(spec, DOMAIN.plan(spec, str(root)))[0]


@pytest.fixture(scope="module")
def every(root):
    return run(SPEC.changed(field="all"), root)


def test_each_field_is_as_if_imaged_alone(every, root):
    assert every.folders == FOLDERS
    alone = run(SPEC.changed(field="M 31/b"), root)
    of_all = DOMAIN.arrays(every)
    assert {name.partition("/")[0] for name in of_all} == {*FOLDERS}
    for name, array in DOMAIN.arrays(alone).items():
        np.testing.assert_array_equal(of_all[f"M_31_b/{name}"], array)
    assert every["M_31_b"].observation.phase_centre == alone.observation.phase_centre
    peaks = [of_all[f"{folder}/image"].max() for folder in FOLDERS]
    assert peaks == pytest.approx([1.0, 2.0, 3.0], rel=1e-3)


def test_some_fields_by_name_and_number(every, root):
    some = run(SPEC.changed(field=["third", 0]), root)
    assert some.folders == ("first", "third")
    ours, theirs = DOMAIN.arrays(some), DOMAIN.arrays(every)
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])


def test_one_field_of_a_list_is_the_image_that_it_always_was(root):
    one, listed = (run(SPEC.changed(field=field), root) for field in ("third", ["third"]))
    assert digest(DOMAIN.arrays(one)) == digest(DOMAIN.arrays(listed))
    assert {*DOMAIN.arrays(listed)} >= {"image", "dirty"}


def test_the_plan_is_that_of_all_fields(root):
    plan = DOMAIN.plan(SPEC.changed(field="all"), str(root))
    alone = [DOMAIN.plan(SPEC.changed(field=n), str(root)) for n in range(3)]
    assert plan.size == sum(one.size for one in alone)
    assert plan.partitions == tuple(chunk for one in alone for chunk in one.partitions)
    assert len(plan.inputs) == 1
    assert [plan.parts_of(group) for group in plan.groups] == [one.partitions for one in alone]
    cell = {"cell_arcsec": 60.0}
    [line, *_] = DOMAIN.plan(SPEC.changed(field="all", image=cell), str(root)).warnings
    assert line.startswith("first: cell_arcsec = 60 undersamples")


def test_files_stand_in_a_folder_for_each_and_come_back(every, tmp_path):
    for name, data in DOMAIN.files(every):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert json.loads((tmp_path / "fields.json").read_text()) == [*FOLDERS]
    for number, folder in enumerate(FOLDERS):
        header = fits.getheader(tmp_path / folder / "image.fits")
        assert header["CRVAL1"] == pytest.approx(FIELDS[number]["right_ascension_deg"])
        assert header["OBJECT"] == FIELDS[number]["name"]
    expected, found = DOMAIN.arrays(every), DOMAIN.read(str(tmp_path))
    assert found.keys() == expected.keys()
    told = DOMAIN.summary(every) | {"warnings": ["third: odd", "first: so so"]}
    again = DOMAIN.load(str(tmp_path), SPEC.changed(field="all"), json.loads(json.dumps(told)))
    for name, array in DOMAIN.arrays(again).items():
        np.testing.assert_array_equal(array, expected[name])
        np.testing.assert_array_equal(array, found[name])
    assert DOMAIN.warnings(again) == ("first: so so", "third: odd")
    assert again.folders == FOLDERS
    assert [own.observation.field for own in again.fields] == [0, 1, 2]
    sky = DOMAIN.axes(str(tmp_path))
    assert sky["third/CRVAL1"] == pytest.approx(182.0)
    (tmp_path / "fields.json").write_text('["../elsewhere"]')
    with pytest.raises(DataError, match="not a list of fields"):
        DOMAIN.read(str(tmp_path))


def test_numbers_and_phase_centres_of_all_fields(every):
    told = DOMAIN.summary(every)
    assert [*told["fields"]] == [*FOLDERS]
    second = told["fields"]["M_31_b"]
    assert (second["field"], second["name"]) == (1, "M 31/b")
    assert second["phase_centre_deg"] == pytest.approx([181.0, 45.0])
    assert second["image"]["peak"] == pytest.approx(2.0, rel=1e-3)
    assert told["origin"] == "generated data"
    assert [row["field"] for row in DOMAIN.table(every)] == [*FOLDERS]
    tree = DOMAIN.dataset(every)
    assert float(tree["third/SKY"].max()) == pytest.approx(3.0, rel=1e-3)


def test_pictures_of_all_fields(every):
    names = DOMAIN.shown(every)
    assert names[0] == "first/image"
    assert "third/psf" in names
    panels = [domain.Panel(name, every, name) for name in ("first/image", "third/residual")]
    figures = [DOMAIN.show(panels, region=None, common=False), DOMAIN.plot(every)]
    figures[0].savefig(io.BytesIO(), format="png")
    assert [axes.get_title() for axes in figures[1].axes[:3]] == [*FOLDERS]
    DOMAIN.explore(every, "M_31_b/dirty")
    assert [name for name, _ in DOMAIN.pictures(every)][:2] == ["fields.png", "first/image.png"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"field": ["first", "none"]}, r"field none is not in the set.*0 \(first\)"),
        ({"field": []}, "field is an empty list"),
        ({"field": "all", "clean": {"mask": "mask.fits"}}, "a mask is of one field"),
        ({}, r"holds several fields.*list"),
    ],
)
def test_what_cannot_be_chosen(root, changes, said):
    with pytest.raises(SpecError, match=said):
        DOMAIN.plan(SPEC.changed(**changes), str(root))


def of_the_field(change):
    """What `altered` takes: a change of the FIELD subtable."""

    def of_the_set(table):
        with casa.table(f"{table.name()}::FIELD", readonly=False, ack=False) as field:
            change(field)

    return of_the_set


def moving(rate):
    """A phase centre that moves to the north, in rad/s."""

    def change(field):
        centre = field.getcell("PHASE_DIR", 0)[0]
        field.putcell("NUM_POLY", 0, 1)
        field.putcell("PHASE_DIR", 0, np.array([centre, [0.0, rate]]))

    return of_the_field(change)


def test_a_polynomial_that_hardly_moves_is_taken_at_the_middle(altered):
    found = DOMAIN.plan(spec_of(), str(altered(moving(1e-10)))).observation
    middle = (found.times[-1] - found.times[0]) / 2
    assert found.phase_centre[1] - np.radians(45.0) == pytest.approx(1e-10 * middle, rel=1e-3)


def test_a_polynomial_that_moves_is_refused(altered):
    with pytest.raises(DataError, match=r"phase centre of field 0 moves by .*phaseshift"):
        DOMAIN.plan(spec_of(), str(altered(moving(1e-7))))


def test_an_ephemeris_is_refused_and_listed(altered):
    def change(field):
        field.addcols(casa.maketabdesc([casa.makescacoldesc("EPHEMERIS_ID", 0)]))

    root = altered(of_the_field(change))
    with pytest.raises(DataError, match=r"field 0 follows ephemeris 0: .*phaseshift"):
        DOMAIN.plan(spec_of(), str(root))
    [field] = contents(str(root / "small.ms")).json["fields"]
    assert "follows ephemeris 0" in field["fault"]
