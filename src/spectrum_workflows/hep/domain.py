"""Event processing as the engine and the command line know it: the functions of the contract."""

from spectrum_workflows import shipped
from spectrum_workflows.domain import Converter, Domain
from spectrum_workflows.hep import declarations, results, synthetic, workflow
from spectrum_workflows.hep.columns import to_keep
from spectrum_workflows.hep.io.convert import convert
from spectrum_workflows.hep.io.rootfile import close_all
from spectrum_workflows.hep.plan.files import inputs
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.workflow import skims, statistics, unfolding_report

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
    plot_progress=results.plot_progress,
    shown=results.shown,
    show=results.show,
    explore=results.explore,
    make=synthetic.make,
    warnings=results.warnings,
    dataset=results.dataset,
    table=results.table,
    load=results.load,
    recipe=declarations.recipe,
    is_synthetic=synthetic.is_synthetic,
    references=declarations.references,
    numbers=declarations.numbers,
    reusable=skims.describe,
    user_code=declarations.user_code,
    linear=True,
    release=close_all,
    libraries=declarations.LIBRARIES,
    converter=Converter(".root", convert, to_keep, target=".root", entries="events"),
    actions={
        "limit": statistics.find_limit,
        "scan": statistics.scan,
        "impacts": statistics.rank,
        "goodness": statistics.describe_goodness,
        "toys": statistics.describe_toys,
        "unfold": unfolding_report.describe_unfolding,
        "export": statistics.export,
    },
    demo=shipped.folder("workflows") / "hep/quickstart.toml",
)
