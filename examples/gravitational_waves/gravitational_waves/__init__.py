"""Gravitational waves: a chirp in noise, found by a matched filter in two passes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gravitational_waves.kernels import MARGIN, RATE, Array, chirp, filtered, optimal_snr, power
from spectrum_workflows import storage
from spectrum_workflows.domain import Domain, Metrics, Piece, Plan, Report
from spectrum_workflows.engine import Reduction, Run
from spectrum_workflows.specs import FrozenModel, RunSpec


class StrainSpec(FrozenModel):
    """Synthetic strain: coloured Gaussian noise and one chirp."""

    segments: int
    """Number of files."""
    seconds: int
    """Of a segment, without its margins."""
    chirp_mass: float
    """In solar masses."""
    time: float
    """When the chirp ends, in seconds."""
    snr: float
    """Optimal signal-to-noise ratio of the chirp."""
    seed: int
    """Of the noise."""


class ChirpSpec(RunSpec):
    """A search with one template."""

    chirp_mass: float
    """Of the template, in solar masses."""
    synthetic: StrainSpec
    """What ``spectrum data make`` writes."""


@dataclass(frozen=True)
class Search:
    """The result: the noise (strain²/Hz), and when what was loudest in every second."""

    psd: Array
    seconds: Array
    snr: Array
    loudest: float
    time: float


def inputs(spec: ChirpSpec, data: str) -> list[str]:
    """Files of float64 samples: a segment, with its neighbours' ends as margins."""
    return [storage.join(data, f"{spec.name}-{n}.f64") for n in range(spec.synthetic.segments)]


def read(piece: Piece) -> Array:
    """The strain of a segment and of its margins."""
    return np.frombuffer(storage.read_bytes(piece.url), "<f8", piece.size + 2 * MARGIN)


def noise_floor(frequency: Array) -> Array:
    """Power spectral density of the synthetic noise, strain²/Hz."""
    return np.asarray(1e-46 * (1 + (50 / np.maximum(frequency, 10)) ** 4 + (frequency / 300) ** 2))


def make(spec: ChirpSpec, data: str, *, size: int | None, report: Report) -> list[str]:
    """Write the strain; ``size`` is in seconds of a segment."""
    planted, urls = spec.synthetic, inputs(spec, data)
    length = (size or planted.seconds) * RATE
    total = len(urls) * length + 2 * MARGIN
    frequency = np.fft.rfftfreq(total, 1 / RATE)
    floor = noise_floor(frequency)
    wave = chirp(frequency, planted.chirp_mass, planted.time + MARGIN / RATE)
    wave *= planted.snr / optimal_snr(wave, floor, RATE / total)
    white = np.fft.rfft(np.random.default_rng(planted.seed).standard_normal(total))
    strain = np.fft.irfft(white * np.sqrt(floor * RATE / 2) + wave * RATE, total).astype("<f8")
    for n, url in enumerate(urls):
        storage.write_bytes(url, strain[n * length : (n + 1) * length + 2 * MARGIN].tobytes())
        report("make", n + 1, len(urls))
    return urls


def plan(spec: ChirpSpec, data: str, **_: object) -> Plan:
    """A partition per file; nothing is read."""
    urls = inputs(spec, data)
    length = max(int(storage.info(url)["size"]) for url in urls) // 8 - 2 * MARGIN
    pieces = tuple(Piece(url, n * length, length) for n, url in enumerate(urls))
    return Plan(pieces, 8 * length * len(urls), 160 * length)


def spectrum(piece: Piece) -> Array:
    """First pass: the power of a segment, and that it is one."""
    return np.append(power(read(piece)), 1.0)


def loudest(piece: Piece, psd: Array, mass: float) -> Array:
    """Second pass: time and signal-to-noise ratio of the loudest chirp of every second."""
    snr = filtered(read(piece), psd, mass).reshape(-1, RATE)
    ends = piece.start / RATE + np.arange(len(snr)) + snr.argmax(axis=1) / RATE
    return np.stack([ends, snr.max(axis=1)])


def run(spec: ChirpSpec, plan: Plan, **place: Any) -> tuple[Search, Metrics]:
    """Both passes, over the same segments."""
    passes = Run(plan.partitions, **place, label="chirp")
    *total, count = passes.over("spectrum", Reduction(spectrum, np.add))
    psd = np.array(total) / count
    search = Reduction(loudest, lambda a, b: np.hstack([a, b]))
    seconds, snr = passes.over("search", search, psd, spec.chirp_mass)
    best = int(snr.argmax())
    return Search(psd, seconds, snr, float(snr[best]), float(seconds[best])), passes.metrics


def plot(search: Search) -> Figure:
    """The noise, and the loudest chirp of every second."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    noise, snr = figure.subplots(2)
    noise.loglog(0.25 * np.arange(40, len(search.psd) - 1), np.sqrt(search.psd[40:-1]))
    noise.set(xlabel="frequency [Hz]", ylabel="strain [1/√Hz]", title="Noise")
    snr.plot(search.seconds, search.snr)
    snr.set(xlabel="time [s]", ylabel="SNR", title=f"{search.loudest:.1f} at {search.time:.3f} s")
    return figure


DOMAIN = Domain(
    name="gravitational_waves",
    spec=ChirpSpec,
    inputs=inputs,
    plan=plan,
    run=run,
    make=make,
    plot=plot,
    libraries=("scipy",),
    demo=Path(__file__).with_name("chirp.toml"),
)
