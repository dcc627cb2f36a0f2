"""Radio imaging as the engine and the command line know it: the functions of the contract."""

from spectrum_workflows import shipped
from spectrum_workflows.domain import Converter, Domain, Inspector
from spectrum_workflows.radio import declarations, fields
from spectrum_workflows.radio.contents import contents, is_set
from spectrum_workflows.radio.convert import convert
from spectrum_workflows.radio.plan import costs, planning
from spectrum_workflows.radio.plan.forecast import COSTS
from spectrum_workflows.radio.plot import plot_progress
from spectrum_workflows.radio.read import inputs
from spectrum_workflows.radio.results import deviation
from spectrum_workflows.radio.spec import RadioSpec
from spectrum_workflows.radio.synthetic import is_synthetic, make
from spectrum_workflows.radio.workflow import run

DOMAIN = Domain(
    name="radio",
    spec=RadioSpec,
    inputs=inputs,
    plan=planning.plan,
    run=run,
    arrays=fields.arrays,
    summary=fields.summary,
    files=fields.files,
    pictures=fields.pictures,
    read=fields.read,
    deviation=deviation,
    axes=fields.axes,
    plot=fields.plot,
    plot_progress=plot_progress,
    shown=fields.shown,
    show=fields.show,
    explore=fields.explore,
    make=make,
    warnings=fields.warnings,
    dataset=fields.dataset,
    table=fields.table,
    load=fields.load,
    recipe=declarations.recipe,
    is_there=declarations.is_there,
    is_synthetic=is_synthetic,
    references=declarations.references,
    numbers=declarations.numbers,
    libraries=declarations.LIBRARIES,
    converter=Converter(
        ".ms",
        convert,
        recognises=declarations.is_convertible,
        target=".zarr",
        entries="visibilities",
        remarks=declarations.remarks,
    ),
    inspector=Inspector(("visibilities",), is_set, contents),
    costs=COSTS,
    calibrate=costs.calibrate,
    demo=shipped.folder("workflows") / "radio/vla_sim.toml",
)
