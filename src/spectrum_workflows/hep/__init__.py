"""High-energy physics: selections of collision events, as histograms."""

from __future__ import annotations

from spectrum_workflows.conversion import Converter
from spectrum_workflows.domain import Domain
from spectrum_workflows.hep import results, synthetic, workflow
from spectrum_workflows.hep.columns import to_keep
from spectrum_workflows.hep.io.convert import convert
from spectrum_workflows.hep.plan.files import inputs
from spectrum_workflows.hep.spec import HepSpec

DOMAIN = Domain(
    name="hep",
    spec=HepSpec,
    inputs=inputs,
    plan=workflow.plan,
    run=workflow.run,
    arrays=results.arrays,
    summary=results.summary,
    files=results.files,
    pictures=results.pictures,
    read=results.read,
    deviation=results.deviation,
    plot=results.plot,
    make=synthetic.make,
    warnings=results.warnings,
    converter=Converter(".root", convert, to_keep),
)
