"""ONNX models and boosted trees as values of a selection: the same bits however data is cut."""

import pickle
import sys
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
import xgboost
from onnx import helper

from spectrum_workflows import connect, load_site, load_spec, run
from spectrum_workflows.errors import DataError, MissingExtraError, PartitionError, SpecError
from spectrum_workflows.hep import DOMAIN, read_model
from spectrum_workflows.hep.models.batches import ROWS
from spectrum_workflows.hep.select.models import ModelFile, Models

sys.path.insert(0, str(Path(__file__).parent))

from trained_models import by_hand, layers, network, trees

N = 1_000


@pytest.fixture(scope="module")
def x() -> Any:
    return np.random.default_rng(5).normal(size=(N, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def dense() -> Any:
    return layers([4, 16, 8, 1])


def loaded(content: bytes, kind: str = "onnx", output: str = "") -> Any:
    name = f"m.{'onnx' if kind == 'onnx' else 'ubj'}"
    file = ModelFile("m", name, kind, output, str(hash(content)), content)
    return Models((file,)).loaded()["m"]


def test_a_network_gives_what_its_matrices_do(dense: Any, x: Any) -> None:
    content, matrices = dense
    values = loaded(content)(*x.T)
    assert (values.dtype, values.shape) == (np.float32, (N,))
    np.testing.assert_allclose(values, by_hand(matrices, x)[:, 0], rtol=2e-5)


def test_trees_give_what_xgboost_predicts(x: Any) -> None:
    booster = trees(x, x[:, 0] > 0)
    for form in ("ubj", "json"):
        model = loaded(bytes(booster.save_raw(form)), "xgboost")
        assert np.array_equal(model(*x.T), booster.predict(xgboost.DMatrix(x)))


SOFTMAX = [
    helper.make_node("MatMul", ["x", "w"], ["q"]),
    helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
    helper.make_node("MatMul", ["q", "t"], ["s"]),
    helper.make_node("Softmax", ["s"], ["a"], axis=2),
    helper.make_node("MatMul", ["a", "x"], ["y"]),
]
ATTENTION = network(
    SOFTMAX, {"w": np.random.default_rng(1).normal(size=(8, 8))}, {"x": [None, 10, 8]}, "y"
)


@pytest.mark.parametrize("cuts", [(1,), (3, 777), (ROWS,), (ROWS - 1, ROWS + 1, N - 1)])
def test_bits_do_not_depend_on_how_rows_are_cut(dense: Any, x: Any, cuts: Any) -> None:
    """Of softplus and of attention, onnxruntime's own do."""
    particles = np.random.default_rng(2).normal(size=(N, 10, 8)).astype(np.float32)
    booster = bytes(trees(x, x[:, 0] > 0).save_raw())
    asked = ((loaded(dense[0]), x), (loaded(ATTENTION), particles), (loaded(booster, "xgboost"), x))
    for model, rows in asked:
        whole = model(rows)
        assert np.array_equal(np.concatenate([model(p) for p in np.split(rows, cuts)]), whole)


def test_columns_may_be_of_objects_and_of_events(dense: Any, x: Any) -> None:
    model = loaded(dense[0])
    counts = np.array([2, 0, 3, 1] * (N // 6))
    total = int(counts.sum())
    pt, eta = (ak.unflatten(x[:total, k], counts) for k in (0, 1))
    per_event = x[: len(counts), 2]
    values = model(pt, eta, per_event, 0.5)
    assert ak.all(ak.num(values) == counts)
    flat = model(x[:total, 0], x[:total, 1], np.repeat(per_event, counts), np.full(total, 0.5))
    assert np.array_equal(ak.flatten(values), flat)


def test_of_no_events_there_are_no_values_with_their_shape(dense: Any) -> None:
    assert loaded(dense[0])(np.zeros((0, 4), np.float32)).shape == (0,)
    assert loaded(layers([4, 3])[0])(*[np.zeros(0)] * 4).shape == (0, 3)


def test_features_and_tensors_are_given_by_name(x: Any) -> None:
    names = ["pt", "eta", "phi", "mass"]
    model = loaded(bytes(trees(x, x[:, 0] > 0, names=names).save_raw()), "xgboost")
    assert model.inputs == tuple(names)
    columns = dict(zip(names, x.T, strict=True))
    assert np.array_equal(model(**dict(reversed(columns.items()))), model(*x.T))
    with pytest.raises(SpecError, match=r"models.m: no input 'et'; did you mean eta"):
        model(**{**columns, "et": x[:, 0]})
    with pytest.raises(SpecError, match="input 'mass' is not given; give all by name"):
        model(pt=x[:, 0], eta=x[:, 0], phi=x[:, 0])
    both = network(
        [helper.make_node("Add", ["a", "b"], ["y"])], {}, {"a": [None, 2], "b": [None, 2]}, "y"
    )
    pair = loaded(both)
    assert pair.inputs == ("a (rows, 2)", "b (rows, 2)")
    assert np.array_equal(pair(a=x[:, :2], b=x[:, 2:]), x[:, :2] + x[:, 2:])
    assert np.array_equal(pair(x[:, :2], x[:, 2:]), x[:, :2] + x[:, 2:])
    with pytest.raises(SpecError, match=r"takes a \(rows, 2\), b \(rows, 2\)"):
        pair(x[:, 0])
    with pytest.raises(SpecError, match="arrays of 2, 3 events.*give all of the same events"):
        pair(a=x[:2, :2], b=x[:3, 2:])


@pytest.mark.parametrize(
    ("columns", "kind", "says"),
    [
        ([np.zeros(3)] * 3, SpecError, "takes 4 columns, and was given 3"),
        ([], SpecError, "takes 4 columns, and was given 0"),
        ([1.0, 2.0, 3.0, 4.0], SpecError, "was given numbers; give arrays"),
        ([np.zeros((3, 5))], SpecError, r"takes x \(rows, 4\), and was given an array of shape"),
        ([np.full(3, np.nan)] * 4, DataError, "gives no number for 3 of 3 rows"),
        ([np.full(3, 1e300)] * 4, DataError, "a value is too large for float32"),
        ([ak.Array([1.0, None])] * 4, DataError, "no array of numbers .*; fill what is missing"),
        ([ak.Array(["a", "b"])] * 4, (SpecError, DataError), "models.m"),
        ([ak.Array([[[1.0]]])] * 4, SpecError, "lists of lists"),
    ],
)
def test_other_columns_are_refused(dense: Any, columns: Any, kind: Any, says: str) -> None:
    with pytest.raises(kind, match=says):
        loaded(dense[0])(*columns)


def test_a_model_whose_rows_depend_on_each_other_is_refused() -> None:
    mean = helper.make_node("ReduceMean", ["x", "ax"], ["m"])
    nodes = [mean, helper.make_node("Sub", ["x", "m"], ["y"])]
    shifted = network(nodes, {"ax": np.array([0])}, {"x": [None, 2]}, "y")
    ends = [helper.make_node("CumSum", ["x", "k"], ["y"])]
    added = network(ends, {"k": np.array(0)}, {"x": [None, 2]}, "y")
    for content in (shifted, added):
        with pytest.raises(DataError, match="of a row depends on other rows.*no dropout"):
            loaded(content)
    noise = [
        helper.make_node("RandomNormalLike", ["x"], ["r"]),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    with pytest.raises(DataError, match="is another when asked again"):
        loaded(network(noise, {}, {"x": [None, 2]}, "y"))


def test_what_is_no_model_is_refused_with_its_name(x: Any, dense: Any) -> None:
    with pytest.raises(DataError, match=r"models.m: not an ONNX model that onnxruntime takes"):
        loaded(b"no model")
    with pytest.raises(DataError, match="models.m: not a model of XGBoost"):
        loaded(b"{}", "xgboost")
    with pytest.raises(SpecError, match="it has the outputs y1, m0; name one of them"):
        loaded(layers([4, 3, 1], outputs=2)[0])
    with pytest.raises(SpecError, match=r"models.m.output: no output 'm1'; did you mean"):
        loaded(layers([4, 3, 1], outputs=2)[0], output="m1")
    assert loaded(layers([4, 3, 1], outputs=2)[0], output="m0")(*x.T).shape == (N, 3)


def test_trees_that_were_stopped_early_say_which_count(x: Any) -> None:
    booster = trees(x, x[:, 0] > 0)
    booster.set_attr(best_iteration="3")
    with pytest.raises(DataError, match=r"stopped early, at tree 3 of 9; .* save booster\[:4\]"):
        loaded(bytes(booster.save_raw()), "xgboost")
    kept = booster[:4]
    model = loaded(bytes(kept.save_raw()), "xgboost")
    expected = booster.predict(xgboost.DMatrix(x), iteration_range=(0, 4))
    assert np.array_equal(model(*x.T), expected)


@pytest.mark.parametrize(
    ("library", "kind", "says"),
    [
        (
            "onnxruntime",
            "onnx",
            r"m: ONNX models need onnxruntime; pip install '.*\[onnx\]'",
        ),
        (
            "xgboost",
            "xgboost",
            r"m: boosted trees need XGBoost; pip install '.*\[xgboost\]'",
        ),
    ],
)
def test_a_library_that_is_not_there_is_named(monkeypatch, library, kind, says) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=says) as caught:
        loaded(b"anything", kind)
    assert "\n" not in str(caught.value)


def test_a_model_is_read_outside_a_workflow(tmp_path: Path, dense: Any, x: Any) -> None:
    (tmp_path / "m.onnx").write_bytes(dense[0])
    model = read_model(tmp_path / "m.onnx")
    assert np.array_equal(model(*x.T), loaded(dense[0])(*x.T))
    with pytest.raises(SpecError, match=r"m.pkl does not end in .onnx, .json, .ubj"):
        read_model(tmp_path / "m.pkl")


# In a run

CODE = """
import awkward as ak
import numpy as np
from spectrum_workflows.hep import Observable


def select(events, *, models):
    score = models["top"](events.MET_pt / 50, events.MET_phi, ak.num(events.Jet_pt), 1.0)
    best = ak.max(models["jets"](pt=events.Jet_pt, eta=events.Jet_eta), axis=1, mask_identity=False)
    return {"score": np.asarray(score), "jet": np.where(np.isfinite(best), best, 0.0)}
"""

SPEC = """
workflow = "hep"
name = "scored"
select = "mine.py:select"
columns = ["Jet_pt", "Jet_eta", "MET_pt", "MET_phi"]
normalisation = "none"
partition = { max_events = 300 }
[models.top]
file = "top.onnx"
[models.jets]
file = "jets.json"
[samples.signal]
files = ["a.root"]
[histograms.score]
bins = 1000
start = 0.0
stop = 1.0
[histograms.jet]
bins = 1000
start = 0.0
stop = 1.0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, dense: Any) -> Path:
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(3)
    counts = rng.poisson(3, N)
    jets = {"pt": rng.exponential(60, counts.sum()), "eta": rng.normal(size=counts.sum())}
    missing = {"MET_pt": rng.exponential(40, N), "MET_phi": rng.uniform(-3, 3, N)}
    with uproot.recreate(folder / "a.root") as file:
        columns = {"Jet": ak.unflatten(ak.zip(jets), counts), **missing}
        file.mktree("Events", {k: v.type if k == "Jet" else v.dtype for k, v in columns.items()})
        file["Events"].extend(columns)
    (folder / "top.onnx").write_bytes(dense[0])
    columns = np.column_stack([jets["pt"], jets["eta"]])
    booster = trees(columns, columns[:, 0] > 60, names=["pt", "eta"])
    (folder / "jets.json").write_bytes(bytes(booster.save_raw("json")))
    (folder / "mine.py").write_text(CODE)
    (folder / "spec.toml").write_text(SPEC)
    return folder


def outcome_of(folder: Path, **changes: Any) -> Any:
    spec = load_spec(folder / "spec.toml").changed(**changes)
    results = str(folder / "results")
    with connect(load_site("serial"), data=str(folder), results=results) as place:
        return run(spec, place)


def test_the_digest_does_not_depend_on_partitions_and_the_record_names_the_models(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = outcome_of(folder)
    h = first.result.histograms["signal", "score"]
    assert h.sum().value == N
    other = outcome_of(folder, partition={"max_events": 77})
    assert first.digest == other.digest
    inputs = dict(first.plan.inputs)
    assert inputs["top.onnx"].startswith("sha256 ")
    assert inputs["jets.json"].startswith("sha256 ")
    (folder / "top.onnx").write_bytes(layers([4, 16, 8, 1], seed=2)[0])
    edited = outcome_of(folder)
    assert edited.plan.code != first.plan.code
    assert edited.digest != first.digest


def test_what_cannot_be_is_refused_by_the_plan(folder: Path) -> None:
    spec = load_spec(folder / "spec.toml")
    with pytest.raises(SpecError, match="m.pkl does not end"):
        spec.changed(models={"top": {"file": "m.pkl"}})
    (folder / "small.onnx").write_bytes(layers([3, 1])[0])
    small = {"top": {"file": "small.onnx"}, "jets": {"file": "jets.json"}}
    with pytest.raises(PartitionError, match="takes 3 columns, and was given 4") as caught:
        DOMAIN.plan(spec.changed(models=small), str(folder))
    assert "mine.py, line" in str(caught.value)
    (folder / "small.onnx").write_bytes(b"")
    with pytest.raises(DataError, match="models.top: not an ONNX model"):
        DOMAIN.plan(spec.changed(models=small), str(folder))


def test_models_travel_with_their_content_and_are_told_by_its_identity(dense: Any, x: Any) -> None:
    file = ModelFile("m", "m.onnx", "onnx", "", "abc", dense[0])
    there = pickle.loads(pickle.dumps(Models((file,))))
    assert there.files[0].content == dense[0]
    assert "content" not in repr(file)
    assert there.loaded()["m"].loaded is Models((file,)).loaded()["m"].loaded
