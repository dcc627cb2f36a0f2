"""A HistFactory workspace as arrays, for a likelihood that is fast to evaluate and to minimise.

Model: Cranmer et al., HistFactory (2012, report OPEN-2012-016).  What a parameter is, where it
begins and how it is constrained is as in pyhf (doi:10.21105/joss.02823), with which the tests
compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from spectrum_workflows.errors import DataError
from spectrum_workflows.hep.fit.kernel import FLAT, GAUSSIAN, POISSON, WIDTH

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ALPHA, GAMMA, FACTOR = (-5.0, 5.0), (1e-10, 10.0), (0.0, 10.0)
"""Ranges of parameters that the workspace gives none."""


class Arrays(NamedTuple):
    """What the kernel takes: numba hands on a tuple of arrays.

    Templates stand one after the other, each of a sample in a channel.  Their table has a row
    more than there are, for the ends of the effects.  Every row of ``penalty`` is a combination of
    parameters that is held at 0 with a standard deviation of 1; there is none in a workspace.
    """

    templates: Integers
    content: Floats
    shapes: Integers
    shifts: Floats
    scale_of: Integers
    yields: Floats
    factor_of: Integers
    gamma_of: Integers
    parameters: Floats
    constraint: Integers
    penalty: Floats


@dataclass(frozen=True, eq=False)
class Model:
    """A model, its parameters, and what was observed.

    Attributes
    ----------
    arrays : Arrays
    names : tuple of str
        Parameters; those of single bins are numbered.
    sets : mapping of str to slice
        Where the parameters of one name stand.
    poi : int
        The parameter of interest.
    start : ndarray, shape (n_parameters,)
    fixed : ndarray of bool, shape (n_parameters,)
    centre : ndarray, shape (n_parameters,)
        Observed centres of the constraints; of one by Poisson's law the observed number.
    data : ndarray, shape (n_bins,)
    regions : mapping of str to slice
        Bins of every channel.
    templates : tuple of (region, sample)
    """

    arrays: Arrays
    names: tuple[str, ...]
    sets: Mapping[str, slice]
    poi: int
    start: Floats
    fixed: NDArray[np.bool_]
    centre: Floats
    data: Floats
    regions: Mapping[str, slice]
    templates: tuple[tuple[str, str], ...]

    @property
    def constrained(self) -> NDArray[np.bool_]:
        """Parameters with a constraint; shape (n_parameters,)."""
        return np.asarray(self.arrays.constraint != FLAT)

    def constant(self, data: Floats, centre: Floats) -> float:
        """What is added to the kernel's distance to be the negative logarithm of the likelihood."""
        arrays = self.arrays
        width = arrays.parameters[WIDTH, arrays.constraint == GAUSSIAN]
        normal = float(np.sum(np.log(width) + 0.5 * np.log(2 * np.pi)))
        counts = np.concatenate([data, centre[arrays.constraint == POISSON]])
        logs = np.log(counts, out=np.zeros_like(counts), where=counts > 0)
        return normal + float(np.sum(counts - counts * logs + gammaln(counts + 1)))


@dataclass
class _Parameters:
    """Parameters as they are met, with what the measurement says of them."""

    described: Mapping[str, Mapping[str, Any]]
    kinds: dict[str, str] = field(default_factory=dict)
    sets: dict[str, slice] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    columns: dict[str, list[float]] = field(
        default_factory=lambda: {
            name: [] for name in ("start", "low", "high", "constraint", "centre", "width", "fixed")
        }
    )

    def add(
        self,
        name: str,
        kind: str,
        *,
        bounds: tuple[float, float],
        constraint: int = FLAT,
        start: float = 1.0,
        centres: Sequence[float] = (1.0,),
        widths: Sequence[float] = (1.0,),
        fixed: Sequence[bool] = (False,),
    ) -> int:
        """Index of the first parameter of a name; they are added when it is met first."""
        if name in self.sets:
            if self.kinds[name] != kind:
                raise DataError(f"{name} is {self.kinds[name]} and {kind}", "workspace")
            return int(self.sets[name].start)
        n, said = len(widths), self.described.get(name, {})
        first = len(self.names)
        self.kinds[name], self.sets[name] = kind, slice(first, first + n)
        self.names += [name] if n == 1 else [f"{name}[{k}]" for k in range(n)]
        ranges = said.get("bounds") or [bounds] * n
        new: dict[str, Sequence[float]] = {
            "start": said.get("inits") or [start] * n,
            "low": [low for low, _ in ranges],
            "high": [high for _, high in ranges],
            "constraint": [constraint] * n,
            "centre": said.get("auxdata") or centres,
            "width": said.get("sigmas") or widths,
            "fixed": [said["fixed"]] * n if "fixed" in said else fixed,
        }
        for column, values in new.items():
            if len(values) != n:
                message = f"{len(values)} {column} for {n} parameters"
                raise DataError(message, f"workspace, {name}")
            self.columns[column] += values
        return first


@dataclass
class _Effects:
    """Effects of one kind, template after template."""

    ends: list[int] = field(default_factory=lambda: [0])
    parameter: list[int] = field(default_factory=list)
    numbers: list[Any] = field(default_factory=list)

    def add(self, parameter: int, *numbers: Any) -> None:
        self.parameter.append(parameter)
        self.numbers.append(numbers)

    def close(self) -> None:
        """The template is complete."""
        self.ends.append(len(self.parameter))


def compiled(workspace: Mapping[str, Any]) -> Model:
    """The likelihood of a workspace, ready for the kernel.

    Parameters
    ----------
    workspace : mapping
        In the JSON schema of pyhf, with one measurement or more: the first is taken.

    Raises
    ------
    DataError
        It is not such a workspace, or has a modifier that is not known.
    """
    try:
        return _compiled(workspace)
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"not a workspace ({type(error).__name__}: {error})", "workspace"
        ) from error


def _compiled(workspace: Mapping[str, Any]) -> Model:
    config = workspace["measurements"][0]["config"]
    parameters = _Parameters({p["name"]: p for p in config.get("parameters", ())})
    observed = {o["name"]: o["data"] for o in workspace["observations"]}
    spread = _spread_of_simulation(workspace)
    effects = {kind: _Effects() for kind in ("shape", "scale", "factor", "gamma")}
    content, data = [], []
    begin, first, size, templates, regions = [], [], [], [], {}
    n_bins = n_contents = 0
    for channel in workspace["channels"]:
        region, bins = channel["name"], len(observed[channel["name"]])
        regions[region] = slice(n_bins, n_bins + bins)
        data += observed[region]
        for sample in channel["samples"]:
            where = f"workspace, sample {sample['name']}, region {region}"
            nominal = np.asarray(sample["data"], np.float64)
            if nominal.shape != (bins,):
                raise DataError(f"{nominal.size} bins where there are {bins} of data", where)
            templates.append((region, sample["name"]))
            first.append(n_bins)
            begin.append(n_contents)
            size.append(bins)
            content.append(nominal)
            n_contents += bins
            for modifier in sample["modifiers"]:
                _add(modifier, nominal, parameters, effects, spread, where)
            for one in effects.values():
                one.close()
        n_bins += bins
    return _model(
        config["poi"], parameters, effects, (first, begin, size, content), data, regions, templates
    )


def _add(
    modifier: Mapping[str, Any],
    nominal: Floats,
    parameters: _Parameters,
    effects: Mapping[str, _Effects],
    spread: Mapping[str, Floats],
    where: str,
) -> None:
    """One effect of a parameter on one template."""
    name, kind, values = modifier["name"], modifier["type"], modifier["data"]
    bins = len(nominal)
    if kind in {"normsys", "histosys"}:
        p = parameters.add(
            name, "a shift", bounds=ALPHA, constraint=GAUSSIAN, start=0.0, centres=(0.0,)
        )
        if kind == "normsys":
            effects["scale"].add(p, float(values["hi"]), float(values["lo"]))
        else:
            up, down = (np.asarray(values[side], np.float64) for side in ("hi_data", "lo_data"))
            effects["shape"].add(p, up - nominal, nominal - down)
    elif kind == "normfactor":
        effects["factor"].add(parameters.add(name, "a factor", bounds=FACTOR))
    elif kind == "lumi":
        said = parameters.described.get(name, {})
        if not said.get("sigmas"):
            raise DataError(f"the measurement says nothing of {name}", where, "give its sigmas")
        bounds = (0.0, 10.0)
        p = parameters.add(name, "a luminosity", bounds=bounds, constraint=GAUSSIAN)
        effects["factor"].add(p)
    elif kind == "staterror":
        sigma = spread[name]
        if len(sigma) != bins:
            raise DataError(f"{name} has {len(sigma)} bins, not {bins}", where)
        p = parameters.add(
            name,
            "a staterror",
            bounds=GAMMA,
            constraint=GAUSSIAN,
            centres=[1.0] * bins,
            widths=np.where(sigma > 0, sigma, 1.0).tolist(),
            fixed=(sigma == 0).tolist(),
        )
        effects["gamma"].add(p)
    elif kind == "shapesys":
        error = np.asarray(values, np.float64)
        known = (error > 0) & (nominal > 0)
        number = np.divide(nominal, error, out=np.ones(bins), where=known) ** 2
        p = parameters.add(
            name,
            f"a shapesys of {where}",
            bounds=GAMMA,
            constraint=POISSON,
            centres=number.tolist(),
            widths=number.tolist(),
            fixed=(~known).tolist(),
        )
        effects["gamma"].add(p)
    elif kind == "shapefactor":
        effects["gamma"].add(
            parameters.add(
                name,
                f"a shapefactor of {bins} bins",
                bounds=FACTOR,
                widths=[1.0] * bins,
                centres=[1.0] * bins,
                fixed=[False] * bins,
            )
        )
    else:
        raise DataError(f"a modifier of type {kind!r}, which is not known", where)


def _spread_of_simulation(workspace: Mapping[str, Any]) -> dict[str, Floats]:
    """Relative errors of the simulation, by name: of all samples with such a modifier together."""
    sums: dict[str, tuple[str, Floats, Floats]] = {}
    for channel in workspace["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["type"] != "staterror":
                    continue
                name, region = modifier["name"], channel["name"]
                errors = np.asarray(modifier["data"], np.float64)
                before = sums.get(name, (region, np.zeros(len(errors)), np.zeros(len(errors))))
                if before[0] != region:
                    message = f"{name} stands in the regions {before[0]} and {region}"
                    raise DataError(message, "workspace", "give each region a name of its own")
                nominal = np.asarray(sample["data"], np.float64)
                sums[name] = (region, before[1] + nominal, before[2] + errors**2)
    return {
        name: np.divide(np.sqrt(squares), total, out=np.zeros(len(total)), where=total > 0)
        for name, (_, total, squares) in sums.items()
    }


def _model(
    poi: str,
    parameters: _Parameters,
    effects: Mapping[str, _Effects],
    layout: tuple[list[int], list[int], list[int], list[Floats]],
    data: list[float],
    regions: Mapping[str, slice],
    templates: list[tuple[str, str]],
) -> Model:
    if poi not in parameters.sets:
        raise DataError(f"no sample has the parameter of interest, {poi!r}", "workspace")
    first, begin, size, content = layout
    shape, scale, factor, gamma = (effects[k] for k in ("shape", "scale", "factor", "gamma"))
    lengths = [len(up) for up, _ in shape.numbers]
    columns = {name: np.asarray(values, np.float64) for name, values in parameters.columns.items()}
    hi, lo = (np.array([n[side] for n in scale.numbers], np.float64) for side in (0, 1))
    if (hi <= 0).any() or (lo <= 0).any():
        raise DataError("a yield that is varied to zero or below", "workspace")
    ends = [one.ends for one in (shape, scale, factor, gamma)]
    arrays = Arrays(
        templates=np.array([[*first, 0], [*begin, 0], [*size, 0], *ends], np.int64).T.copy(),
        content=_joined(content),
        shapes=_integers([shape.parameter, np.cumsum([0, *lengths])[:-1]]).T.copy(),
        shifts=np.array([_joined([n[side] for n in shape.numbers]) for side in (0, 1)]),
        scale_of=_integers(scale.parameter),
        yields=np.column_stack([hi, lo, _terms(hi, lo)]),
        factor_of=_integers(factor.parameter),
        gamma_of=_integers(gamma.parameter),
        parameters=np.array([columns["low"], columns["high"], columns["width"]]),
        constraint=_integers(columns["constraint"]),
        penalty=np.zeros((0, len(parameters.names))),
    )
    return Model(
        arrays,
        tuple(parameters.names),
        parameters.sets,
        int(parameters.sets[poi].start),
        columns["start"],
        columns["fixed"].astype(bool),
        columns["centre"],
        np.asarray(data, np.float64),
        regions,
        tuple(templates),
    )


def _integers(values: Any) -> Integers:
    return np.asarray(values, np.int64)


def _joined(parts: list[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0)


def _terms(hi: Floats, lo: Floats) -> Floats:
    """Coefficients of the polynomial between the exponentials of code 4; shape (n, 6).

    It meets their values and their first two derivatives at one standard deviation, up and down.
    """
    powers = np.arange(1, 7)
    signs = np.array([1.0, -1.0])[:, None]
    rows = np.concatenate(
        [
            signs**powers,
            powers * signs ** (powers - 1),
            powers * (powers - 1) * signs ** (powers - 2.0),
        ]
    )
    up, down = np.log(hi), np.log(lo)
    wanted = np.array([hi - 1, lo - 1, hi * up, -lo * down, hi * up**2, lo * down**2])
    return np.ascontiguousarray(np.linalg.solve(rows, wanted.reshape(6, -1)).T)
