"""Declarations of a spec to the rest of the package, which does not know this science."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spectrum_workflows.hep.spec.eras import era_samples

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec

LIBRARIES = (
    "awkward",
    "boost-histogram",
    "correctionlib",
    "hist",
    "iminuit",
    "numba",
    "onnxruntime",
    "pyhf",
    "scipy",
    "uproot",
    "xgboost",
    "xgboost-cpu",
)
"""Distributions whose versions matter to a result."""


def references(spec: HepSpec) -> list[str]:
    """Files of all samples as the spec names them, entries of the catalogue among them."""
    return [file for sample in era_samples(spec).values() for file in sample.described.files]


def recipe(spec: HepSpec) -> dict[str, Any]:
    """The settings that decide the synthetic samples, besides the number of events."""
    return {
        "synthetic": spec.synthetic.model_dump(mode="json") if spec.synthetic else None,
        "samples": {
            name: [*sample.described.files, sample.described.generator, sample.described.data]
            for name, sample in era_samples(spec).items()
        },
    }


def user_code(spec: HepSpec) -> str:
    """Selection that a spec names and that is not part of this package."""
    return spec.user_code


OF_THE_RESULT = ("name", "energy", "luminosity", "synthetic", "uncorrelated")
OF_A_SAMPLE = ("files", "label", "cross_section", "luminosity")
"""Keys that are used when all partitions are merged, or of which a plan knows more."""


def numbers(spec: HepSpec) -> dict[str, Any]:
    """What of a spec decides the fills of its partitions."""
    table = spec.model_dump(mode="json", exclude={*OF_THE_RESULT})
    if spec.skim is not None:
        table["skim"].pop("columns")  # they are kept, and decide nothing
    eras = table["eras"].values()
    for sample in (s for whose in (table, *eras) for s in whose["samples"].values()):
        for key in OF_A_SAMPLE:
            sample.pop(key, None)
    for era in eras:
        for key in OF_THE_RESULT:
            era.pop(key, None)
    for histogram in table["histograms"].values():
        _without_labels(histogram)
    return table


def _without_labels(table: Any) -> None:
    if isinstance(table, dict):
        table.pop("label", None)
        table.pop("profile_label", None)
        for value in table.values():
            _without_labels(value)
    elif isinstance(table, list):
        for value in table:
            _without_labels(value)
