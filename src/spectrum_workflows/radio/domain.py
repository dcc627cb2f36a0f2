"""Radio imaging as the engine and the command line know it: the functions of the contract."""

from spectrum_workflows import shipped
from spectrum_workflows.domain import Converter, Domain, Inspector
from spectrum_workflows.radio import declarations
from spectrum_workflows.radio.contents import contents, is_set
from spectrum_workflows.radio.convert import convert
from spectrum_workflows.radio.plan import costs, planning
from spectrum_workflows.radio.plan.forecast import COSTS
from spectrum_workflows.radio.plot import explore, plot, plot_progress, show, shown
from spectrum_workflows.radio.read import inputs
from spectrum_workflows.radio.results import (
    arrays,
    axes,
    deviation,
    files,
    pictures,
    read,
    summary,
    table,
    warnings,
)
from spectrum_workflows.radio.spec import RadioSpec
from spectrum_workflows.radio.synthetic import is_synthetic, make
from spectrum_workflows.radio.workflow import run
from spectrum_workflows.radio.write.dataset import dataset_of
from spectrum_workflows.radio.write.reading_back import load

DOMAIN = Domain(
    name="radio",
    spec=RadioSpec,
    inputs=inputs,
    plan=planning.plan,
    run=run,
    arrays=arrays,
    summary=summary,
    files=files,
    pictures=pictures,
    read=read,
    deviation=deviation,
    axes=axes,
    plot=plot,
    plot_progress=plot_progress,
    shown=shown,
    show=show,
    explore=explore,
    make=make,
    warnings=warnings,
    dataset=dataset_of,
    table=table,
    load=load,
    recipe=declarations.recipe,
    is_there=declarations.is_there,
    is_synthetic=is_synthetic,
    references=declarations.references,
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
