"""Baselines of three kinds of array, and skies seen by them, for the tests of strips."""

import numpy as np

from spectrum_workflows.radio.deconvolution import components
from spectrum_workflows.radio.strips import transform
from spectrum_workflows.radio.strips.coverage import covered
from spectrum_workflows.radio.strips.cutting import cut, joined, unpacked
from spectrum_workflows.radio.strips.planner import layout
from spectrum_workflows.radio.synthetic import array
from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Geometry, Visibilities
from spectrum_workflows.radio.weights import density, robustness, weighted

LATITUDE = {"vla": 34.08, "meerkat": -30.71, "ska-low": -26.82}
FREQUENCY = {"vla": 1.4e9, "meerkat": 1.3e9, "ska-low": 1.4e8}


def stations(name):
    """VLA: C configuration. SKA-Low: half of 48 stations in a core, the rest on three arms."""
    if name != "ska-low":
        return array.telescope("vla-c" if name == "vla" else name)
    rng = np.random.default_rng(5)
    core = rng.normal(0.0, 250.0, (24, 2))
    radius = 400.0 * 1.6 ** np.repeat(np.arange(8), 3)
    angle = 0.45 * np.repeat(np.arange(8), 3) + np.tile([0, 2.1, 4.2], 8)
    arms = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ground = np.concatenate([core, arms])
    enu = np.column_stack([ground, np.zeros(len(ground))])
    return array.Telescope(name, np.radians(LATITUDE[name]), np.radians(116.7), 365.0, enu, 38.0)


def observed(name, declination, npix, *, briggs=False, seed=1):
    """Some sources near the edges of the field, without noise, and the cell that is right.

    The hour angles are those that the array can see at that declination.
    """
    telescope = stations(name)
    hours = np.radians(15 * np.linspace(-1.8, 2.2, 5))
    seen = array.elevation(telescope, hours, np.radians(declination)) > 0
    uvw = array.uvw(telescope, hours[seen], np.radians(declination)).reshape(-1, 3)
    frequency = FREQUENCY[name] * np.linspace(1.0, 1.15, 4)
    longest = np.hypot(uvw[:, 0], uvw[:, 1]).max() * frequency[-1] / SPEED_OF_LIGHT
    cell = min(1 / (3 * longest), 0.16 / npix)
    rng = np.random.default_rng(seed)
    vis = np.zeros((len(uvw), 4), complex)
    for west, north in rng.uniform(-0.48, 0.48, (4, 2)) * npix * cell:
        turns = uvw @ [west, north, np.sqrt(1 - west**2 - north**2) - 1]
        vis += rng.uniform(0.2, 1) * np.exp(
            2j * np.pi * turns[:, None] * frequency / SPEED_OF_LIGHT
        )
    weight = rng.uniform(0.5, 1.5, vis.shape).astype(np.float32)
    weight[rng.random(vis.shape) < 0.05] = 0
    data = Visibilities(uvw, frequency, vis.astype(np.complex64), weight, vis.size)
    if briggs:
        geometry = Geometry(npix, cell, 1e-4)
        grid = density(data, geometry)
        data = weighted(data, geometry, grid, robustness("briggs", 0.0, grid))
    return data, cell


def plan_of(data, geometry, count):
    """The layout for some data in ``count`` strips."""
    longest = np.hypot(data.uvw[:, 0], data.uvw[:, 1]).max()
    limit = longest * data.frequency.max() / SPEED_OF_LIGHT
    found = layout(covered(data.uvw, data.frequency, limit), geometry, count)
    assert found is not None
    return found


def strips_of(data, plan):
    """The strips' visibilities, ready for the gridder."""
    return [whole for part in cut(data, plan) for whole in unpacked(joined([part]))]


def prediction_of(model, data, plan):
    """The whole way back: of every strip, its visibilities and what is predicted for them."""
    found = []
    for own, strip in zip(strips_of(data, plan), plan.strips, strict=True):
        samples = transform.model_samples(components.of(model), strip, plan)
        [seen] = transform.visible(samples, [own], strip, plan)
        found.append((own, seen))
    return found
