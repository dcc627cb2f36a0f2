"""Lists of particles as flat arrays, and their momenta, by hand."""

import math

import awkward as ak
import numpy as np
import pytest

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.analyses import particles
from spectrum_workflows.hep.analyses.jagged import flat


def test_lists_that_begin_anywhere_are_read() -> None:
    events = ak.zip({"x": [[9.0], [1.0, 2.0], [], [3.0]]}, depth_limit=1)
    offsets, items = flat(events[1:], {"x": np.float64})
    assert (offsets.tolist(), offsets.dtype) == ([0, 2, 2, 3], np.int64)
    assert items.tolist() == [1.0, 2.0, 3.0]
    chosen = flat(events[[3, 1]], {"x": np.float32})
    assert [array.tolist() for array in chosen] == [[0, 1, 3], [3.0, 1.0, 2.0]]
    assert chosen[1].dtype == np.float32


def test_a_column_that_has_its_type_is_not_copied() -> None:
    events = ak.zip({"x": ak.Array([[1.0], [2.0]])}, depth_limit=1)
    _, items = flat(events, {"x": np.float64})
    assert np.shares_memory(items, ak.to_numpy(ak.flatten(events.x)))


def test_lists_that_differ_are_named() -> None:
    events = ak.zip(
        {"a": [[1.0, 2.0], []], "b": [[1.0, 2.0], []], "c": [[1.0], [2.0]]}, depth_limit=1
    )
    with pytest.raises(DataError) as refused:
        flat(events, dict.fromkeys("abc", np.float64))
    assert refused.value.what == "lists of a and c differ in length"
    assert refused.value.remedy == "copy the file again, or check which collection they belong to"


def test_the_largest_pt_leads_and_the_closest_value_is_nearest() -> None:
    jets = ak.Array([[{"pt": 1.0}, {"pt": 3.0}], [{"pt": 2.0}]])
    assert particles.leading(jets).pt.tolist() == [3.0, 2.0]
    values = ak.Array([[1.0, 5.0, 9.0], [7.0]])
    assert particles.nearest(values, 6.0).tolist() == [[1], [0]]


def test_particles_have_double_precision() -> None:
    events = ak.Array({"Jet_pt": ak.values_astype(ak.Array([[1.5]]), np.float32)})
    pt = particles.collection(events, "Jet", "pt").pt
    assert ak.to_numpy(ak.flatten(pt)).dtype == np.float64


def test_momenta_of_two_particles_are_summed_by_component() -> None:
    one = particles.momentum(ak.Array([{"pt": 3.0, "eta": 0.5, "phi": 0.25, "mass": 2.0}]))
    pz = 3.0 * math.sinh(0.5)
    assert one.px.tolist() == pytest.approx([3.0 * math.cos(0.25)])
    assert one.py.tolist() == pytest.approx([3.0 * math.sin(0.25)])
    assert one.pz.tolist() == pytest.approx([pz])
    assert one.E.tolist() == pytest.approx([math.hypot(3.0, pz, 2.0)])
    both = particles.total(one, one)
    assert both.E.tolist() == pytest.approx([2 * math.hypot(3.0, pz, 2.0)])
    assert particles.transverse(both).tolist() == pytest.approx([6.0])
    assert particles.mass(both).tolist() == pytest.approx([4.0])
