import numpy as np
import pytest

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio import stokes

NCHAN = 3


def combined(data, flag=None, weight=None, *, either=False):
    data = np.asarray(data, np.complex64)
    flag = np.zeros(data.shape, bool) if flag is None else flag
    if weight is None:
        weight = np.ones((len(data), 1, data.shape[2]), np.float32)
    rows = np.arange(len(data))
    visibility = np.full(data.shape[:2], 9, np.complex64)
    weights = np.full(data.shape[:2], 9, np.float32)
    place = rows[::-1].copy()
    count = stokes.combine((data, flag, weight), rows, place, visibility, weights, either)
    return visibility[::-1], weights[::-1], count


def test_mean_of_both_hands_with_the_weight_of_a_mean():
    data = np.zeros((1, NCHAN, 2))
    data[..., 0], data[..., 1] = 1, 3
    weight = np.array([[[2.0, 6.0]]], np.float32)
    visibility, weights, count = combined(data, weight=weight)
    assert np.all(visibility == 2)
    np.testing.assert_allclose(weights, 4 / (1 / 2 + 1 / 6), rtol=1e-7)
    assert count == NCHAN


def test_a_single_hand_keeps_its_weight():
    visibility, weights, _ = combined(
        np.full((2, NCHAN, 1), 5 + 1j), weight=np.full((2, 1, 1), 3, np.float32)
    )
    assert np.all(visibility == 5 + 1j)
    assert np.all(weights == 3)


def test_weights_per_channel():
    weight = np.arange(1, 7, dtype=np.float32).reshape(1, 3, 2)
    _, weights, _ = combined(np.ones((1, 3, 2)), weight=weight)
    expected = 4 / (1 / weight[0, :, 0] + 1 / weight[0, :, 1])
    np.testing.assert_allclose(weights[0], expected, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, complex(0, np.nan), complex(0, -np.inf)])
def test_values_that_are_not_finite_weigh_nothing(bad):
    data = np.ones((1, NCHAN, 2), complex)
    data[0, 1, 1] = bad
    visibility, weights, count = combined(data)
    assert weights[0].tolist() == [2, 0, 2]
    assert visibility[0].tolist() == [1, 0, 1]
    assert count == NCHAN


def test_a_flag_on_either_hand_removes_both():
    flag = np.zeros((1, NCHAN, 2), bool)
    flag[0, 0, 0] = flag[0, 2, 1] = True
    _, weights, count = combined(np.ones((1, NCHAN, 2)), flag=flag)
    assert weights[0].tolist() == [0, 2, 0]
    assert count == 1


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_weights_that_are_no_weights(bad):
    weight = np.array([[[1.0, bad]]], np.float32)
    visibility, weights, _ = combined(np.ones((1, NCHAN, 2)), weight=weight)
    assert not weights.any()
    assert not visibility.any()


@pytest.mark.parametrize(
    ("types", "expected"),
    [([9, 12], (0, 1)), ([5, 6, 7, 8], (0, 3)), ([9, 10, 11, 12], (0, 3)), ([1], (0,))],
)
def test_which_correlations_make_stokes_i(types, expected):
    assert stokes.hands(types, "set") == expected


@pytest.mark.parametrize("types", [[9], [9, 10], [5, 12], [2, 3]])
def test_correlations_that_do_not_make_stokes_i(types):
    with pytest.raises(DataError, match="Stokes I needs"):
        stokes.hands(types, "set")


def test_either_hand_stands_for_i_where_the_other_is_missing():
    data = np.zeros((1, 4, 2))
    data[..., 0], data[..., 1] = 1, 3
    data[0, 2, 1] = np.nan
    flag = np.zeros(data.shape, bool)
    flag[0, 0, 0] = flag[0, 3] = True
    weight = np.array([[[2.0, 6.0]]], np.float32)
    visibility, weights, count = combined(data, flag, weight, either=True)
    np.testing.assert_array_equal(visibility, [[3, 2, 1, 0]])
    np.testing.assert_allclose(weights, [[6, 4 / (1 / 2 + 1 / 6), 2, 0]], rtol=1e-7)
    assert count == 3  # of the last no hand is left


def test_hands_that_are_asked_for():
    assert stokes.hands([9, 10, 11, 12], "set") == (0, 3)
    assert stokes.hands([9, 10, 11, 12], "set", "YY") == (3,)
    assert stokes.hands([9], "set", "either") == (0,)
    assert stokes.hands([5, 8], "set", "either") == (0, 1)
    with pytest.raises(DataError, match='there is XX; hands = "either" takes XX for Stokes I'):
        stokes.hands([9], "set")
    with pytest.raises(DataError, match="there is no RR, but XX, YY"):
        stokes.hands([9, 12], "set", "RR")
    with pytest.raises(DataError, match="there is XY"):
        stokes.hands([10], "set", "either")


@pytest.mark.parametrize("either", [False, True])
@pytest.mark.parametrize("nhand", [1, 2])
@pytest.mark.parametrize("scale", [1.0, 3e38, 1e-44])
def test_every_visibility_is_what_a_plain_loop_makes_of_it(nhand, either, scale):
    rng = np.random.default_rng(nhand)
    shape = (500, NCHAN, nhand)
    with np.errstate(over="ignore", invalid="ignore"):
        data = (rng.normal(size=(*shape, 2)) @ [1, 1j] * scale).astype(np.complex64)
    weight, flag = rng.uniform(0.5, 2, shape).astype("f4"), rng.random(shape) < 0.2
    for bad in (np.nan, np.inf, complex(0, -np.inf)):
        data[rng.random(shape) < 0.03] = bad
    for bad in (np.nan, np.inf, 0.0, -1.0):
        weight[rng.random(shape) < 0.03] = bad
    visibility, weights, count = combined(data, flag, weight, either=either)
    usable = ~flag & np.isfinite(data) & (weight > 0) & (weight < np.inf)
    enough = usable.any(axis=2) if either else usable.all(axis=2)
    assert count == np.count_nonzero(~flag.all(axis=2) if either else ~flag.any(axis=2))
    assert not visibility[~enough].any()
    assert not weights[~enough].any()
    for row, chan in np.argwhere(enough):
        hands = np.flatnonzero(usable[row, chan])
        values = data[row, chan, hands].astype(complex)
        with np.errstate(over="ignore", under="ignore"):
            expected = np.complex64(sum(values) / len(hands))
        inverse = sum(1.0 / float(w) for w in weight[row, chan, hands])
        assert visibility[row, chan] == expected
        assert weights[row, chan] == np.float32(len(hands) ** 2 / inverse)
