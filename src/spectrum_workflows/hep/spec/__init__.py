"""What can stand in the TOML file of a HEP run."""

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
