"""The science keeps the contract, and finds what was planted."""

from pathlib import Path

import numpy as np

from gravitational_waves import DOMAIN, chirp, noise_floor
from spectrum_workflows import load_spec
from spectrum_workflows.testing import check_domain


def test_the_planted_chirp_is_found(tmp_path: Path) -> None:
    spec = load_spec(DOMAIN.demo)
    search, planted = check_domain(spec, tmp_path).outcome.result, spec.synthetic
    # In noise the ratio scatters by 1 around the optimal one: a Rice distribution.
    assert abs(search.loudest - planted.snr) < 3
    # The time scatters by 1/(2π ρ σ), where σ is the width of the band: Fairhurst 2009.
    f = np.arange(1, 500.0)
    width = np.sqrt(np.cov(f, aweights=np.abs(chirp(f, 8.9)) ** 2 / noise_floor(f)))
    assert abs(search.time - planted.time) < 3 / (2 * np.pi * planted.snr * width)
