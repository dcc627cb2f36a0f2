"""Headers and tables of UVFITS, from cards and tables in memory."""

import itertools

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.rows.rowfile import Band
from spectrum_workflows.radio.read.uvfits import groups, shifts, tables
from spectrum_workflows.radio.read.uvfits.header import Axis, Header, Parameter, parsed
from spectrum_workflows.radio.types import SPEED_OF_LIGHT

URL = "x.uvfits"
NAMES = ("UU---SIN", "VV---SIN", "WW---SIN", "DATE", "BASELINE")
AXES = (("COMPLEX", 3), ("STOKES", 2), ("FREQ", 4), ("IF", 1), ("RA", 1), ("DEC", 1))


def cards(names=NAMES, axes=AXES, **keys):
    """A primary header."""
    header = {"BITPIX": -32, "NAXIS": len(axes) + 1, "PCOUNT": len(names), "GCOUNT": 7}
    header |= {f"PTYPE{n}": name for n, name in enumerate(names, start=1)}
    for n, (name, length) in enumerate(axes, start=2):
        header |= {f"CTYPE{n}": name, f"NAXIS{n}": length, f"CRVAL{n}": 1.0, f"CDELT{n}": 1.0}
    header |= {"CRVAL3": -5.0, "CDELT3": -1.0, "CRVAL4": 1.4e9, "CDELT4": 1e6, "CRPIX4": 1.0}
    return header | keys


def refusal(function, *arguments):
    with pytest.raises(DataError) as caught:
        function(*arguments)
    assert caught.value.where == URL
    assert caught.value.remedy
    return caught.value.what


# The shape of a group


def test_a_header_knows_its_numbers_and_their_places():
    header = parsed(cards(), URL)
    assert (header.ngroup, header.nparameter, header.numbers) == (7, 5, 5 + 24)
    assert header.group_bytes == 4 * 29
    assert parsed(cards(BITPIX=-64), URL).group_bytes == 8 * 29
    assert header.types == (9, 12)  # XX and YY of a Measurement Set
    assert header.metre == SPEED_OF_LIGHT
    assert header.axis("IF").length == header.axis("FOCUS").length == 1


@pytest.mark.parametrize(
    ("first", "step", "count", "types"),
    [
        (-1, -1, 4, (5, 8, 6, 7)),
        (-5, -1, 4, (9, 12, 10, 11)),
        (1, 1, 4, (1, 2, 3, 4)),
        (7, 1, 1, (0,)),
    ],
)
def test_stokes_are_named_as_in_a_measurement_set(first, step, count, types):
    axes = (AXES[0], ("STOKES", count), *AXES[2:])
    assert parsed(cards(axes=axes, CRVAL3=first, CDELT3=step), URL).types == types


def test_values_of_an_axis_count_from_its_reference_pixel():
    assert Axis("FREQ", 4, 10.0, 3.0, 2.0).values.tolist() == [6, 8, 10, 12]
    assert Axis("FREQ", 2, 10.0, 0.5, -2.0).values.tolist() == [9, 7]


@pytest.mark.parametrize("second", ["DATE", "_DATE", "__DATE", "date"])
def test_numbers_of_one_name_add_up(second):
    """Also of the names that astropy makes of one name, which some programs then write."""
    names = (*NAMES[:3], "DATE", "BASELINE", second)
    header = parsed(cards(names, PSCAL4=2.0, PZERO4=100.0, PSCAL6=0.5), URL)
    numbers = np.array([[0, 0, 0, 3, 258, 1], [0, 0, 0, 4, 258, 0]], ">f4")
    date = header.parameters["DATE"]
    assert date.of(numbers).tolist() == [106.5, 108.0]
    assert date.of(numbers, without=100.0).tolist() == [6.5, 8.0]


def test_a_difference_of_large_numbers_keeps_its_digits():
    date = Parameter((0,), (1.0,), (2_460_000.5,))
    days = date.of(np.array([[2.0**-20]], ">f4"), without=2_400_000.5)
    assert days[0] == 60_000 + 2.0**-20


@settings(max_examples=30)
@given(order=st.permutations(AXES[1:]), seed=st.integers(0, 9))
def test_data_stand_in_one_order_whatever_that_of_the_axes(order, seed):
    axes = tuple(Axis(name, length, 1.0, 1.0, 1.0) for name, length in (AXES[0], *order))
    header = Header(">f4", 3, {}, 2, axes, 1.0)
    expected = np.random.default_rng(seed).normal(size=(3, 1, 4, 2, 3)).astype(">f4")
    standard = ["IF", "FREQ", "STOKES", "COMPLEX"]
    names = [axis.name for axis in reversed(axes) if axis.name in standard]
    stored = expected.transpose(0, *(1 + standard.index(name) for name in names))
    numbers = np.hstack([np.zeros((3, 2), ">f4"), stored.reshape(3, -1)])
    np.testing.assert_array_equal(header.data_of(numbers), expected)


def test_data_without_an_axis_of_ifs_have_one_if():
    header = parsed(cards(axes=AXES[:3]), URL)
    assert header.data_of(np.zeros((2, header.numbers))).shape == (2, 1, 4, 2, 3)


@pytest.mark.parametrize(
    ("keys", "axes", "what"),
    [
        ({"BITPIX": 16}, AXES, "its numbers are integers (BITPIX 16)"),
        ({"BZERO": 3.0}, AXES, "its visibilities are scaled (BSCALE 1, BZERO 3.0)"),
        ({}, AXES[1:], "its data do not begin with real, imaginary part and weight"),
        ({}, (("COMPLEX", 1), *AXES[1:]), "its data do not begin with real, imaginary"),
        ({}, AXES[:1] + AXES[2:], "its data have no axis STOKES"),
        ({}, AXES[:2], "its data have no axis FREQ"),
        ({}, (*AXES, ("TIME", 5)), "its axis TIME has length 5"),
        ({}, (*AXES, ("", 5)), "its axis without a name has length 5"),
        ({}, (AXES[0], ("STOKES", 0), *AXES[2:]), "its axis STOKES has length 0"),
    ],
)
def test_what_is_no_visibility_is_refused(keys, axes, what):
    assert refusal(parsed, cards(axes=axes, **keys), URL).startswith(what)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("VV", "WW", "DATE", "BASELINE"), "its groups have no parameter UU"),
        (("UU", "UU-L", "VV", "WW", "DATE", "BASELINE"), "its groups have several parameters UU"),
        (("UU", "VV", "WW", "BASELINE"), "its groups have no parameter DATE"),
        (("UU", "VV", "WW", "DATE", "ANTENNA1"), "its groups have no parameter BASELINE"),
        (("UU---NCP", "VV---NCP", "WW---NCP", "DATE", "BASELINE"), "coordinates UU---NCP are not"),
        (("UU-L", "VV", "WW", "DATE", "BASELINE"), "coordinates UU, UU-L are not read"),
        (("UU-X", "VV-X", "WW-X", "DATE", "BASELINE"), "coordinates UU-X are not read"),
    ],
)
def test_parameters_that_are_missing_or_of_another_kind(names, what):
    assert what in refusal(parsed, cards(names), URL)


@pytest.mark.parametrize("ending", ["", "--", "---SIN", "-L", "-L-SIN"])
def test_coordinates_in_seconds_or_wavelengths_become_metres(ending):
    names = tuple(f"{twice}{ending}" for twice in ("UU", "VV", "WW"))
    header = parsed(cards((*names, "DATE", "ANTENNA1", "ANTENNA2")), URL)
    metre = SPEED_OF_LIGHT / (1.4e9 if "L" in ending else 1.0)
    assert header.metre == metre
    located = groups.Groups(URL, 0, header)
    assert located.uvw_of(np.array([[1.0, 2.0, 3.0, 0, 0, 0]])).tolist() == [
        [metre, 2 * metre, 3 * metre]
    ]


# Antennas of a group


def antennas(**columns):
    parameters = {name: Parameter((n,), (1.0,), (0.0,)) for n, name in enumerate(columns)}
    header = Header(">f4", 1, parameters, len(columns), (), 1.0)
    return [n.tolist() for n in groups._antennas(header, np.array([*columns.values()], float).T)]


@settings(max_examples=40)
@given(first=st.integers(1, 200), second=st.integers(1, 200), subarray=st.integers(0, 5))
def test_both_codes_of_baselines_hold_antennas_and_subarray(first, second, subarray):
    small = np.float32(256 * first + second + 0.01 * subarray)
    large = np.float64(65_536 + 2048 * first + second + 0.01 * subarray)
    if 256 * first + second < 65_536:
        assert antennas(BASELINE=[small]) == [[first], [second], [subarray]]
    assert antennas(BASELINE=[large]) == [[first], [second], [subarray]]


def test_antennas_of_their_own_need_no_code():
    assert antennas(ANTENNA1=[1, 300], ANTENNA2=[2, 301]) == [[1, 300], [2, 301], [0, 0]]
    assert antennas(ANTENNA1=[1], ANTENNA2=[2], SUBARRAY=[3]) == [[1], [2], [2]]
    assert antennas(ANTENNA1=[np.nan], ANTENNA2=[np.inf]) == [[-1], [-1], [0]]
    assert antennas(BASELINE=[np.nan])[0] == [-1]


@pytest.mark.parametrize(
    ("subarrays", "count", "refused"),
    [([0, 0], 1, False), ([1, 1], 1, False), ([1, 1], 2, True), ([0, 1], 1, True), ([0], 2, False)],
)
def test_subarrays_that_number_antennas_anew_are_refused(subarrays, count, refused):
    given_ = {"subarray": np.array(subarrays)}, {"AIPS AN tables": count}, URL
    if refused:
        assert "antenna tables" in refusal(groups._check_subarrays, *given_)
    else:
        groups._check_subarrays(*given_)


def test_a_group_without_date_or_with_impossible_coordinates_is_named():
    days, uvw = np.array([1.0, np.nan]), np.zeros((2, 3))
    assert refusal(groups._check_numbers, days, uvw, 10, URL) == "DATE is not a number in group 11"
    uvw[1, 2] = 2e10
    words = refusal(groups._check_numbers, np.ones(2), uvw, 10, URL)
    assert words == "UU, VV and WW of group 11 are larger than any baseline"
    uvw[1] = np.nan  # unknown, and only that
    groups._check_numbers(np.ones(2), uvw, 10, URL)


# Tables


def table_of(name, header=None, **columns):
    kinds = {"ANNAME": "8A", "SOURCE": "16A", "STABXYZ": "3D"}
    made = []
    for column, values in columns.items():
        array = np.array(values)
        width = array.shape[1] if array.ndim == 2 else 1
        kind = kinds.get(column, f"{width}{'J' if array.dtype.kind == 'i' else 'D'}")
        made.append(fits.Column(column.replace("_", " "), kind, array=array))
    table = fits.BinTableHDU.from_columns(made, name=name)
    table.header.update(header or {})
    return table


def antenna_table(header=None, **columns):
    own = {"ANNAME": ["A", "B"], "STABXYZ": [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]], "NOSTA": [5, 9]}
    return table_of("AIPS AN", header, **own | columns)


def test_antennas_have_numbers_names_and_diameters():
    known = tables.antennas_of(antenna_table(DIAMETER=[25.0, 0.0]), np.array([5, 9]), URL)
    [antennas_] = known.things
    assert (known.numbers, antennas_.name) == ((5, 9), ("A", "B"))
    assert antennas_.position.tolist() == [[1, 2, 3], [0, 1, 0]]
    np.testing.assert_array_equal(antennas_.diameter, [25, np.nan])
    assert known.places(np.array([9, 5, 9]), "antenna", URL).tolist() == [1, 0, 1]
    words = refusal(known.places, np.array([5, 6]), "antenna", URL)
    assert words == "antenna 6 is in no table (there are 5, 9)"


def test_antennas_of_one_name_are_told_by_number_and_of_one_number_refused():
    same = tables.antennas_of(antenna_table(ANNAME=["A", "A"]), np.array([5]), URL)
    assert same.things[0].name == ("A_5", "A_9")
    words = refusal(tables.antennas_of, antenna_table(NOSTA=[5, 5]), np.array([5]), URL)
    assert words == "its antenna table gives a number twice"


def test_without_a_table_antennas_are_those_that_occur():
    known = tables.antennas_of(None, np.array([3, 8]), URL)
    assert (known.numbers, known.things[0].name) == ((3, 8), ("antenna 3", "antenna 8"))
    assert np.isnan(known.things[0].position).all()


@pytest.mark.parametrize("longitude", [0.0, 0.5, -2.0])
@pytest.mark.parametrize("hand", ["RIGHT", "LEFT"])
def test_relative_positions_are_turned_to_the_meridian_of_the_array(longitude, hand):
    """One metre outward, one east, one to the pole."""
    centre = 6e6 * np.array([np.cos(longitude), np.sin(longitude), 0.1])
    header = {f"ARRAY{axis}": value for axis, value in zip("XYZ", centre, strict=True)}
    sign = -1.0 if hand == "LEFT" else 1.0
    local = [[1.0, 0.0, 0.0], [0.0, sign, 0.0]]
    table = antenna_table(header | {"XYZHAND": hand}, STABXYZ=local)
    place = tables.antennas_of(table, np.array([5]), URL).things[0].position - centre
    outward = [np.cos(longitude), np.sin(longitude), 0]
    east = [-np.sin(longitude), np.cos(longitude), 0]
    np.testing.assert_allclose(place, [outward, east], atol=1e-8)


@pytest.mark.parametrize(
    ("header", "scale"),
    [
        ({}, "UTC"),
        ({"TIMSYS": "IAT"}, "TAI"),
        ({"TIMESYS": "tai"}, "TAI"),
        ({"TIMSYS": "GPS"}, "UTC"),
    ],
)
def test_the_scale_of_times_is_called_as_in_fits(header, scale):
    assert tables.time_scale(antenna_table(header)) == scale
    assert tables.time_scale(None) == "UTC"


def bands(table, axis=None, count=2, **primary):
    axes = (Axis("COMPLEX", 3, 1, 1, 1), Axis("STOKES", 1, -5.0, 1, -1))
    axes += (axis or Axis("FREQ", 3, 1e9, 2.0, 1e6), Axis("IF", count, 1, 1, 1))
    return tables.bands_of(table, primary, Header(">f4", 1, {}, 0, axes, 1.0), URL)


def frequency_table(offsets=((0.0, 5e7),), widths=((1e6, 2e6),), sides=((1, 1),)):
    columns = {"FRQSEL": [*range(1, 1 + len(offsets))], "IF_FREQ": offsets}
    return table_of("AIPS FQ", **columns, CH_WIDTH=widths, SIDEBAND=sides)


def test_every_if_has_its_offset_and_width():
    known = bands(frequency_table(), SPECSYS="lsrk")
    [[low, high]] = known.things
    assert low.frequency.tolist() == [0.999e9, 1e9, 1.001e9]
    assert high.frequency.tolist() == [1.048e9, 1.05e9, 1.052e9]
    assert (low.width[0], high.width[0]) == (1e6, 2e6)
    assert (low.name, high.name, high.number, high.setup) == ("IF1", "IF2", 1, 0)
    assert {band.frame for band in known.things[0]} == {"LSRK"}
    assert bands(frequency_table(), SPECSYS="SOURCE").things[0][0].frame == ""


@pytest.mark.parametrize(
    "table",
    [
        frequency_table(sides=((-1, 1),)),
        frequency_table(widths=((-1e6, 2e6),)),
        frequency_table(widths=((-1e6, 2e6),), sides=((-1, 1),)),
    ],
)
def test_the_lower_sideband_falls(table):
    [[low, high]] = bands(table).things
    assert low.frequency.tolist() == [1.001e9, 1e9, 0.999e9]
    assert low.width.tolist() == [1e6] * 3
    assert (np.diff(high.frequency) > 0).all()


def test_setups_number_their_bands_one_after_the_other():
    known = bands(frequency_table([(0.0, 1e7), (1e8, 2e8)], [(1e6,) * 2] * 2, [(1, 1)] * 2))
    assert known.numbers == (1, 2)
    numbers = [band.number for band in itertools.chain(*known.things)]
    assert numbers == [0, 1, 2, 3]
    assert [band.setup for band in known.things[1]] == [1, 1]


def test_a_width_in_single_precision_means_that_of_the_header():
    exact = 1_000_000.123
    table = frequency_table(widths=((float(np.float32(exact)), 2e6),))
    [[low, _]] = bands(table, Axis("FREQ", 2, 1e9, 1.0, exact)).things
    assert low.width[0] == exact


def test_ifs_need_their_frequencies():
    assert refusal(bands, None) == "it has 2 IFs and no table AIPS FQ of their frequencies"
    words = refusal(bands, frequency_table(), None, 3)
    assert words == "its table AIPS FQ has 2 IFs, its data 3"
    [[one]] = bands(None, Axis("FREQ", 1, 1e9, 1.0, 0.0), 1).things
    assert (one.frequency.tolist(), np.isnan(one.width).all()) == ([1e9], True)


HEADER = parsed(cards((*NAMES, "SOURCE"), CRVAL6=30.0, CRVAL7=-45.0), URL)


@pytest.mark.parametrize(
    ("primary", "frame", "fault"),
    [
        ({}, "ICRS", ""),
        ({"EPOCH": 2000.0}, "FK5", ""),
        ({"EQUINOX": 2000.0, "RADESYS": "FK5"}, "FK5", ""),
        ({"RADESYS": "icrs", "EPOCH": 2015.5}, "ICRS", ""),
        ({"EPOCH": 1950.0}, "", "phase centre in epoch 1950, not J2000 or ICRS"),
        ({"RADESYS": "FK5", "EPOCH": 1975.0}, "", "phase centre of epoch 1975, not 2000"),
        ({"RADESYS": "FK4"}, "", "phase centre in FK4, not J2000 or ICRS"),
    ],
    ids=str,
)
def test_the_one_source_of_a_header_has_a_frame_or_a_fault(primary, frame, fault):
    [field] = tables.fields_of(None, {"OBJECT": "3C 84\0 ", **primary}, HEADER).things
    assert (field.name, field.frame, field.fault) == ("3C 84", frame, fault)
    assert np.degrees(field.centre).tolist() == pytest.approx([30, -45])


def test_a_phase_centre_may_stand_beside_the_axes():
    header = parsed(cards(axes=AXES[:4]), URL)
    [field] = tables.fields_of(None, {"OBSRA": 10.0, "OBSDEC": 20.0}, header).things
    assert np.degrees(field.centre) == pytest.approx((10, 20))
    [nowhere] = tables.fields_of(None, {}, header).things
    assert np.isnan(nowhere.centre).all()


def sources(**columns):
    own = {"SOURCE": ["A", "B"], "RAEPO": [10.0, 20.0], "DECEPO": [1.0, 2.0]}
    own |= {"EPOCH": [2000.0, 1950.0], "FREQOFF": [[0.0, 0.0], [0.0, 0.0]]}
    return table_of("AIPS SU", None, **{"ID._NO.": [4, 7]}, **own | columns)


def test_every_source_has_its_own_epoch_and_offset():
    known = tables.fields_of(sources(), {}, HEADER)
    one, two = known.things
    assert (known.numbers, one.name, two.name) == ((4, 7), "A", "B")
    assert (one.frame, one.fault) == ("FK5", "")
    assert two.fault == "phase centre in epoch 1950, not J2000 or ICRS"
    assert shifts.offsets(sources(FREQOFF=[[0.0, 1e3], [5.0, 0.0]]), 2, 2).tolist() == [
        [0.0, 1e3],
        [5.0, 0.0],
    ]
    assert shifts.offsets(sources(FREQOFF=[7.0, 8.0]), 2, 3)[1].tolist() == [8.0] * 3
    assert shifts.offsets(None, 1, 2).tolist() == [[0.0, 0.0]]
    with pytest.raises(ValueError, match="broadcast"):
        shifts.offsets(sources(), 2, 3)


def test_setups_are_told_apart_by_the_offsets_of_their_sources():
    def band(setup):
        types, frequency = (9, 12), np.array([1e9, 2e9]) * (1 + setup)
        return Band(setup, setup, "IF1", types, frequency, np.ones(2), "TOPOCENT")

    setups = shifts.Setups(((band(0),), (band(1),)), np.array([0, 0, 1, 1, 0], np.int32))
    field = np.array([0, 1, 1, 0, 2], np.int32)
    assert setups.shifted(field, np.zeros((3, 1))) is setups
    shifted = setups.shifted(field, np.array([[0.0], [100.0], [0.0]]))
    assert shifted.of_row.tolist() == [0, 1, 3, 2, 0]
    bands = [own for [own] in shifted.bands]
    assert [own.number for own in bands] == [own.setup for own in bands] == [0, 1, 2, 3]
    assert [own.frequency[0] for own in bands] == [1e9, 1e9 + 100, 2e9, 2e9 + 100]
