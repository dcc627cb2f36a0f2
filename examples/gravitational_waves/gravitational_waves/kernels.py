"""Chirp, power spectral density and matched filter: functions of arrays."""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Array = NDArray[np.floating]

RATE = 1024
"""Samples in a second."""
MARGIN = 4 * RATE
"""Samples at both ends of a segment that are its neighbours'; longer than a chirp."""
LOW, HIGH = 40.0, 400.0
"""Frequencies in which a chirp is looked for, in Hz."""
SUN = 4.925491e-6
"""G/c³ times the mass of the sun, in seconds."""


def chirp(frequency: Array, mass: float, end: float = 0.0) -> NDArray[np.complex128]:
    """Fourier transform of a chirp that ends at a time (s), in any unit of strain.

    ``mass`` is the chirp mass in solar masses.  Newtonian order, in the
    stationary-phase approximation: Allen et al. 2012, Phys. Rev. D 85, 122006, 3.4.
    """
    f = np.clip(frequency, LOW, HIGH)
    phase = 2 * np.pi * f * end + 3 / 128 * (np.pi * SUN * mass * f) ** (-5 / 3)
    return np.asarray((f == frequency) * f ** (-7 / 6) * np.exp(-1j * phase))


def optimal_snr(template: NDArray[np.complex128], psd: Array, step: float) -> float:
    """Signal-to-noise ratio that a matched filter has on average; ``step`` in Hz."""
    return float(np.sqrt(4 * step * np.sum(np.abs(template) ** 2 / psd)))


def power(strain: Array) -> Array:
    """One-sided power spectral density, strain²/Hz, every quarter of a Hz (Welch 1967)."""
    return np.asarray(signal.welch(strain, RATE, nperseg=4 * RATE)[1])


def filtered(strain: Array, psd: Array, mass: float) -> Array:
    """Signal-to-noise ratio of a chirp that ends at each sample between the margins.

    Matched filter of Allen et al. 2012, in units of what noise alone gives.
    """
    count, frequency = len(strain), np.fft.rfftfreq(len(strain), 1 / RATE)
    noise = np.interp(frequency, 0.25 * np.arange(len(psd)), psd)
    template = chirp(frequency, mass)
    data = np.fft.rfft(strain * signal.windows.tukey(count, MARGIN / count)) / RATE
    z = 4 * RATE * np.fft.ifft(data * template.conj() / noise, count)
    return np.asarray(np.abs(z[MARGIN:-MARGIN]) / optimal_snr(template, noise, RATE / count))
