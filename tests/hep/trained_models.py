"""Small trained models that tests write: networks as ONNX, boosted trees with a seed."""

from itertools import pairwise
from typing import Any

import numpy as np
import xgboost
from onnx import TensorProto, helper, numpy_helper

Floats = np.ndarray[Any, np.dtype[np.float64]]


def network(
    nodes: list[Any], weights: dict[str, Any], inputs: dict[str, Any], *outputs: str
) -> bytes:
    """An ONNX model of these nodes."""
    given = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in inputs.items()
    ]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    kept = [
        numpy_helper.from_array(w.astype(np.float32) if w.dtype.kind == "f" else w, name)
        for name, w in weights.items()
    ]
    graph = helper.make_graph(nodes, "model", given, made, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return model.SerializeToString()


def layers(sizes: list[int], *, seed: int = 1, outputs: int = 1) -> tuple[bytes, list[Floats]]:
    """A dense network with softplus and a sigmoid at its end, and its matrices."""
    rng = np.random.default_rng(seed)
    matrices = [rng.normal(0, 0.5, pair) for pair in pairwise(sizes)]
    nodes, at = [], "x"
    for k in range(len(matrices)):
        nodes.append(helper.make_node("MatMul", [at, f"w{k}"], [f"m{k}"]))
        last = k == len(matrices) - 1
        nodes.append(helper.make_node("Sigmoid" if last else "Softplus", [f"m{k}"], [f"y{k}"]))
        at = f"y{k}"
    weights = {f"w{k}": m for k, m in enumerate(matrices)}
    named = [at, "m0"][:outputs]
    return network(nodes, weights, {"x": [None, sizes[0]]}, *named), matrices


def by_hand(matrices: list[Floats], x: Floats) -> Floats:
    """The same by NumPy."""
    for matrix in matrices[:-1]:
        x = np.log1p(np.exp(x @ matrix))
    return np.asarray(1 / (1 + np.exp(-(x @ matrices[-1]))))


def trees(
    x: Floats, y: Floats, *, names: list[str] | None = None, rounds: int = 10, depth: int = 3
) -> xgboost.Booster:
    """A classifier, trained with a seed."""
    data = xgboost.DMatrix(x, y, feature_names=names, nthread=1)
    given = {"objective": "binary:logistic", "max_depth": depth, "seed": 1, "nthread": 1}
    return xgboost.train(given, data, num_boost_round=rounds)
