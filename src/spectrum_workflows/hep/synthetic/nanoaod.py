"""Write generated events as ROOT files shaped as NanoAOD, or as PHYSLITE."""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Callable
from typing import Any, Literal

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from spectrum_workflows.errors import SpecError, SpectrumError
from spectrum_workflows.hep.io.atomic_write import atomic_write
from spectrum_workflows.hep.io.rootfile import open_tree
from spectrum_workflows.hep.spec.formats import Format
from spectrum_workflows.hep.spec.physlite import PHYSLITE
from spectrum_workflows.hep.synthetic import boosted, detector, full_detector
from spectrum_workflows.hep.synthetic.forms import NanoAODFile, PhysliteFile
from spectrum_workflows.hep.synthetic.processes import Hard
from spectrum_workflows.specs import closest

Detail = Literal["simple", "full"]
"""What files hold; see `generate`."""

NEGATIVE = 0.05
"""Share of events with weight -1, as next-to-leading-order generators have them."""

TRUTH = ("hadronFlavour", "genJetIdx")
"""Fields of jets that only simulation has."""

GENERATED = ("genWeight", "GenJet", "Pileup_nTrueInt", "LHEScaleWeight", "LHEPdfWeight", "PSWeight")
"""Columns and collections that only simulation has."""

_ANY = Format("any", ("Events", *PHYSLITE.trees))
"""Trees of all that is generated."""

_TYPES = {
    "charge": np.int32,
    "cutBased": np.int32,
    "jetId": np.int32,
    "genJetIdx": np.int32,
    "miniIsoId": np.uint8,
    "hadronFlavour": np.int32,
    "tightId": np.bool_,
}
"""Types of fields as in NanoAOD; all others are float32."""


def generate(
    process: str,
    n: int,
    rng: np.random.Generator,
    *,
    first: int = 0,
    detail: Detail = "simple",
    data: bool = False,
) -> dict[str, ak.Array]:
    """Generate events as columns and collections named as in NanoAOD.

    Parameters
    ----------
    process : str
        One that `boosted.process_of` knows.
    n : int
        Number of events.
    rng : numpy.random.Generator
        The only source of randomness.
    first : int
        Event number of the first, counted from 0.
    detail : str
        ``"simple"``, or ``"full"`` for what `full_detector.measure` adds.
    data : bool
        With all detail: measured as data are, not as simulation.

    Returns
    -------
    dict
        ``Electron``, ``Muon`` and ``Jet``: shape (n, var), records;
        ``MET_pt``, ``MET_phi``, ``run``, ``luminosityBlock``, ``event``,
        ``genWeight``: shape (n,).  With all detail other columns.

    Raises
    ------
    SpecError
        There is no such process.
    """
    try:
        hard = boosted.process_of(process)(n, rng)
    except KeyError:
        remedy = closest(process, boosted.names())
        raise SpecError(f"no generator {process!r}", remedy=remedy) from None
    if detail == "full":
        conditions = full_detector.DATA if data else full_detector.SIMULATION
        measured = full_detector.measure(hard, rng, conditions)
        columns = {name: _column(value) for name, value in measured.items()}
    else:
        columns = _simple(hard, rng)
    number = np.arange(first, first + n)
    return {
        **columns,
        "run": ak.Array(np.ones(n, np.uint32)),
        "luminosityBlock": ak.Array((1 + number // 1000).astype(np.uint32)),
        "event": ak.Array((1 + number).astype(np.uint64)),
        "genWeight": ak.Array(np.where(rng.random(n) < NEGATIVE, -1, 1).astype(np.float32)),
    }


def _simple(hard: Hard, rng: np.random.Generator) -> dict[str, ak.Array]:
    met_pt, met_phi = detector.missing_momentum(hard, rng)
    return {
        "Electron": _records(detector.electrons(hard, rng)),
        "Muon": _records(detector.muons(hard, rng)),
        "Jet": _records(detector.jets(hard, rng)),
        "MET_pt": ak.Array(met_pt.astype(np.float32)),
        "MET_phi": ak.Array(met_phi.astype(np.float32)),
    }


def _column(value: detector.Collection | NDArray[Any]) -> ak.Array:
    """A collection, a number per event, or a list per event."""
    if isinstance(value, detector.Collection):
        return _records(value)
    return ak.Array(value) if value.ndim == 1 else ak.from_regular(ak.Array(value))


def write_sample(
    url: str,
    process: str,
    *,
    events: int,
    seed: int,
    stream: str = "",
    data: bool = False,
    detail: Detail = "simple",
    cluster_events: int = 25_000,
    physlite: str = "",
    precision: int | None = None,
    first: int = 0,
    done: Callable[[int], None] | None = None,
) -> None:
    """Write one file of generated events with their sum of weights, all of it or nothing.

    The events depend on process, seed, stream, number of events, cluster size and precision
    alone, and not on the form that they are written in; the identity (UUID) of the file on
    both.

    Parameters
    ----------
    url : str
        Where to write.
    process : str
        One that `boosted.process_of` knows.
    events, seed, cluster_events : int
        How many, which, and how many per cluster.
    stream : str
        Another name gives events that are independent of all others.
    data : bool
        Leave out what only simulation knows: generator weights and flavours.
    physlite : str
        Name of the tree where the file has the form of ATLAS' DAOD_PHYSLITE: ``EventData`` is
        an RNTuple, any other a TTree.  NanoAOD if empty.
    precision : int, optional
        Significant bits of numbers with a fraction, as NanoAOD rounds its own.
    detail : str
        ``"simple"``, or ``"full"``; see `generate`.
    first : int
        Events before these in other files of the sample: numbers of events go on from there.
    done : callable, optional
        ``done(n)`` whenever n events in all are written.

    Raises
    ------
    OutputError
        The place cannot be written to.
    SpecError
        There is no such process.
    """
    recipe = f"{process} seed {seed} events {events} clusters {cluster_events}"
    recipe += f" stream {stream}" * bool(stream) + " data" * data
    recipe += f" precision {precision}" * bool(precision) + f" physlite {physlite}" * bool(physlite)
    recipe += f" detail {detail}" * (detail != "simple") + f" first {first}" * bool(first)
    identity = uuid.uuid5(uuid.NAMESPACE_OID, recipe)
    root = np.random.SeedSequence([zlib.crc32(process.encode()), seed, *_words(stream)])
    starts = range(0, events, cluster_events)
    with (
        atomic_write(url) as path,
        uproot.recreate(path, compression=uproot.ZSTD(3), uuid_function=lambda: identity) as file,
    ):
        form = PhysliteFile(file, physlite) if physlite else NanoAODFile(file)
        weights = np.empty(0)
        for start, child in zip(starts, root.spawn(len(starts)), strict=True):
            n = min(cluster_events, events - start)
            rng = np.random.default_rng(child)
            chunk = generate(process, n, rng, first=first + start, detail=detail, data=data)
            weights = np.append(weights, ak.to_numpy(chunk["genWeight"]))
            if data:
                chunk = _without_truth(chunk)
            if precision:
                chunk = {name: rounded(column, precision) for name, column in chunk.items()}
            form.extend(chunk)
            if done:
                done(start + n)
        form.finish(None if data else weights)


def rounded(column: ak.Array, precision: int) -> ak.Array:
    """A column with the closest numbers of some significant bits; whole ones as they are."""

    def near(values: NDArray[Any]) -> NDArray[Any]:
        if values.dtype.kind != "f":
            return values
        mantissa, exponent = np.frexp(values)
        rounded: NDArray[Any] = np.ldexp(np.rint(mantissa * 2**precision) / 2**precision, exponent)
        return rounded.astype(values.dtype)

    made: ak.Array = ak.transform(
        lambda layout, **_: (
            ak.contents.NumpyArray(near(np.asarray(layout.data))) if layout.is_numpy else None
        ),
        column,
    )
    return made


def is_synthetic(url: str) -> bool:
    """Whether a file holds events that were generated here, under whatever name."""
    try:
        return url.endswith(".root") and open_tree(url, "Events", _ANY).synthetic
    except SpectrumError:  # something else, or nothing
        return False


def _words(stream: str) -> list[int]:
    """A name as numbers for a seed; none for no name."""
    return [int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8])] if stream else []


def _without_truth(events: dict[str, ak.Array]) -> dict[str, ak.Array]:
    """The columns that data has, too."""
    out = {name: column for name, column in events.items() if name not in GENERATED}
    jets = out["Jet"]
    return {**out, "Jet": jets[[name for name in jets.fields if name not in TRUTH]]}


def _records(collection: detector.Collection) -> ak.Array:
    fields: dict[str, np.ndarray[Any, Any]] = {
        name: values.astype(_TYPES.get(name, np.float32))
        for name, values in collection.columns.items()
    }
    return ak.unflatten(ak.zip(fields), collection.counts)
