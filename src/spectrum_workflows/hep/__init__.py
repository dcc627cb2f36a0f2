"""High-energy physics: selections of collision events, as histograms."""

from __future__ import annotations

from spectrum_workflows.conversion import Converter
from spectrum_workflows.domain import Domain
from spectrum_workflows.hep import workflow
from spectrum_workflows.hep.columns import to_keep
from spectrum_workflows.hep.convert import convert
from spectrum_workflows.hep.spec import HepSpec

DOMAIN = Domain(
    name="hep",
    spec=HepSpec,
    inputs=workflow.inputs,
    plan=workflow.plan,
    run=workflow.run,
    arrays=workflow.arrays,
    summary=workflow.summary,
    files=workflow.files,
    pictures=workflow.pictures,
    read=workflow.read,
    deviation=workflow.deviation,
    plot=workflow.plot,
    make=workflow.make,
    warnings=workflow.warnings,
    converter=Converter(".root", convert, to_keep),
)
