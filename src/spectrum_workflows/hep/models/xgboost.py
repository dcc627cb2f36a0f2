"""Boosted trees, computed by XGBoost on the processor, in one thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrum_workflows.errors import DataError, MissingExtraError
from spectrum_workflows.hep.models.batches import independent
from spectrum_workflows.hep.models.loaded import Loaded, Tensor

FEATURES = "features"
"""Name of the one tensor."""

ROWS = 2048
"""Of one call, which costs as much as several hundred rows."""


def load_xgboost(content: bytes, where: str) -> Loaded:
    """Load a booster as XGBoost saves it, in JSON or UBJSON.

    Its output is what it predicts, a probability for one that classifies; all trees count.

    Parameters
    ----------
    content : bytes
        Of the file.
    where : str
        What the model is called in errors.

    Raises
    ------
    MissingExtraError
        There is no XGBoost.
    DataError
        It is no such model, or its training was stopped early and all trees are still there.
    """
    try:
        import xgboost
    except ImportError as error:
        remedy = "pip install 'spectrum-workflows[xgboost]'"
        raise MissingExtraError("boosted trees need XGBoost", where, remedy) from error
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(content))
        booster.set_param({"nthread": 1, "device": "cpu"})
    except Exception as error:
        message = f"not a model of XGBoost ({_line(error)})"
        raise DataError(message, where, "save it by save_model as .json or .ubj") from error
    best, trees = booster.attr("best_iteration"), booster.num_boosted_rounds()
    if best is not None and int(best) + 1 < trees:
        message = f"its training was stopped early, at tree {best} of {trees - 1}"
        remedy = f"XGBoost's interfaces do not agree on what counts: save booster[:{int(best) + 1}]"
        raise DataError(message, where, remedy)
    width = booster.num_features()
    tensor = Tensor(FEATURES, np.dtype(np.float32), (width,))

    def compute(arrays: Any) -> Any:
        try:
            return booster.inplace_predict(arrays[0], validate_features=False)
        except Exception as error:
            remedy = "save it again, by a version of XGBoost that is not newer than this one"
            raise DataError(f"cannot be computed ({_line(error)})", where, remedy) from error

    features = tuple(booster.feature_names or ())
    return independent(Loaded((tensor,), compute, ROWS, features), where)


def _line(error: Exception) -> str:
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return next((line for line in lines if "rror" in line or len(lines) == 1), lines[0]).strip()
