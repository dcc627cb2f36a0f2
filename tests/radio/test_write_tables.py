"""Lists of sources and of components: what is written comes back, whatever words and numbers."""

import io
import logging
import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.plot import celestial
from spectrum_workflows.radio.types import ComponentList, Responsible, Source, sky_position
from spectrum_workflows.radio.write import bdsf, components, sources
from spectrum_workflows.radio.write.bdsf import _offset

from .test_write_fits_headers import FOUR, NPIX, plane_of, result_of

SOURCE = Source(1, 187.5, -30.0, 12.0, -8.0, 0.5, 0.6, 0.55, 50.0, 14.0, 9.0, -20.0)
NUMBERS = st.floats(-1e12, 1e12)


def listed(result):
    return sources.decode(sources.encode(result), "sources.ecsv")


@settings(max_examples=25)
@given(
    planted=st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=70),
    flux=st.none() | NUMBERS,
    beam=st.none() | st.floats(0, 1),
    east=NUMBERS,
)
def test_any_source_comes_back(planted, flux, beam, east):
    own = replace(SOURCE, planted=planted, planted_flux=flux, primary_beam=beam, east=east)
    assert listed(result_of(plane_of(sources=(own, SOURCE)))) == {0: (own, SOURCE)}


@pytest.mark.parametrize("name", ["--", "nan", "1", "a,b", '"', '""', "#", "x" * 200, "Σ α", "N/A"])
def test_names_that_look_like_something_else_come_back(name):
    own = replace(SOURCE, planted=name, planted_flux=1.0)
    assert listed(result_of(plane_of(sources=(own,)))) == {0: (own,)}


@pytest.mark.parametrize("name", [" P  1 ", "P\n1", "\tP\u20281\0", "P\ud8001"])
def test_names_are_written_in_one_line(name):
    own = replace(SOURCE, planted=name, planted_flux=1.0)
    assert listed(result_of(plane_of(sources=(own,)))) == {0: (replace(own, planted="P 1"),)}


def test_sources_are_listed_by_their_planes():
    two = replace(SOURCE, number=2, primary_beam=0.25)
    planes = (replace(FOUR[0], sources=(SOURCE, two)), replace(FOUR[1], sources=()))
    assert listed(result_of(*planes, replace(FOUR[2], sources=(two,)), FOUR[3])) == {
        0: (SOURCE, two),
        2: (two,),
    }


def test_a_list_tells_its_image_and_units():
    result = result_of(plane_of(sources=(SOURCE,)))
    table = Table.read(sources.encode(result).decode(), format="ascii.ecsv")
    assert table.meta == {"image": "small", "weighting": "briggs 0"}
    units = {str(table[n].unit) for n in ("ra", "east", "peak", "flux", "snr", "position_angle")}
    assert units == {"deg", "arcsec", "Jy / beam", "Jy", "None"}
    made = replace(result.observation, responsible=Responsible("simulated", "simulated"))
    generated = sources.encode(replace(result, observation=made)).decode()
    assert Table.read(generated, format="ascii.ecsv").meta["origin"] == "generated data"


def without(content, column):
    table = Table.read(content.decode(), format="ascii.ecsv")
    table.remove_column(column)
    table.write(text := io.StringIO(), format="ascii.ecsv")
    return text.getvalue().encode()


def test_other_tables_are_refused():
    result = result_of(plane_of(sources=(SOURCE,), components=LIST))
    for module, column in ((sources, "snr"), (components, "diameter")):
        whole = module.encode(result)
        for content in (b"", b"a b\n1 2\n", b"\xff\xfe", without(whole, column), whole[:300]):
            with pytest.raises(DataError, match="not a list of .* of this package") as caught:
                module.decode(content, "somewhere")
            assert (caught.value.where, caught.value.remedy) == (
                "somewhere",
                "run the workflow again",
            )


# Components

LIST = ComponentList(
    np.array([16, 0, 31]), np.array([16, 31, 0]), np.array([0.0, 40.0, 0.0]), np.ones(3)
)


def same(one, two):
    names = ("row", "column", "diameter", "flux")
    return all(np.array_equal(getattr(one, n), getattr(two, n)) for n in names)


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(st.integers(0, NPIX - 1), st.integers(0, NPIX - 1), st.floats(0, 1e4), NUMBERS),
        min_size=1,
        max_size=5,
    )
)
def test_any_components_come_back(rows):
    row, column, diameter, flux = (np.array(values) for values in zip(*rows, strict=True))
    own = ComponentList(row, column, diameter, flux)
    planes = (replace(FOUR[0], components=own), replace(FOUR[1], components=LIST), *FOUR[2:])
    back = components.decode(components.encode(result_of(*planes)), "x")
    assert sorted(back) == [0, 1]
    assert same(back[0], own)
    assert same(back[1], LIST)
    assert len(back[0]) == len(rows)


def test_a_component_stands_on_its_pixel_of_the_sky():
    result = result_of(plane_of(components=LIST))
    table = Table.read(components.encode(result).decode(), format="ascii.ecsv")
    ra, dec = celestial(result).wcs_pix2world(LIST.column, LIST.row, 0)
    np.testing.assert_allclose(table["ra"], ra, rtol=0, atol=1e-10)
    np.testing.assert_allclose(table["dec"], dec, rtol=0, atol=1e-10)


# Positions of the other finder


@settings(max_examples=30)
@given(
    east=st.floats(-0.3, 0.3),
    north=st.floats(-0.3, 0.3),
    ra=st.floats(0, 6.28),
    dec=st.floats(-1.57, 1.57),
)
def test_offsets_are_the_way_back_from_the_sky(east, north, ra, dec):
    sky = sky_position(np.array(east), np.array(north), (ra, dec))
    back = _offset(float(sky.right_ascension), float(sky.declination), (ra, dec))
    assert back == pytest.approx((east, north), abs=1e-7)


def test_whatever_the_other_finder_raises_is_told_with_a_way_out():
    with pytest.raises(DataError) as caught, bdsf._explained():
        raise RuntimeError("no islands")
    assert caught.value.what == "bdsf failed (RuntimeError: no islands)"
    assert caught.value.remedy == 'try finder = "photutils"'
    with pytest.raises(MemoryError), bdsf._explained():
        raise MemoryError


def test_the_other_finder_is_silenced_and_the_loggers_come_back(capsys):
    with bdsf._quiet():
        print("much")  # noqa: T201
        warnings.warn("deprecated", DeprecationWarning, stacklevel=1)
        assert not logging.getLogger("bdsf").isEnabledFor(logging.WARNING)
    assert capsys.readouterr().out == ""
    assert logging.getLogger("bdsf").isEnabledFor(logging.WARNING)
