"""The spec of a HEP run: the keys of its TOML file, with their checks."""

from spectrum_workflows.hep.spec.axes import HistogramSpec
from spectrum_workflows.hep.spec.run_spec import EventGenerationSpec, EventPartitionSpec, HepSpec
from spectrum_workflows.hep.spec.samples import SampleSpec
from spectrum_workflows.naming import Name

__all__ = [
    "EventGenerationSpec",
    "EventPartitionSpec",
    "HepSpec",
    "HistogramSpec",
    "Name",
    "SampleSpec",
]
