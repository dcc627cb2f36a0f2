"""Random numbers that belong to an object: the hash, and the deviates made of it."""

import math

import numpy as np
import pytest

from spectrum_workflows.hep.analyses import smearing


def test_the_hash_of_words_is_splitmix64_whatever_their_order() -> None:
    """The reference implementation's first outputs for seed 0 (S. Vigna, public domain)."""
    golden = 0x9E3779B97F4A7C15
    states = [np.uint64(golden * k % 2**64) for k in range(3)]
    outputs = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [int(smearing.mixed(state, np.uint64(0))) for state in states] == outputs
    both = int(states[1]) ^ 5
    assert smearing.mixed(np.uint64(both), np.uint64(0)) == smearing.mixed(states[1], np.uint64(5))


def test_every_number_of_an_event_names_it() -> None:
    keys = {
        int(smearing.event_key(np.uint64(a), np.uint64(b), np.uint64(c)))
        for a in (1, 2, 3)
        for b in (1, 2, 3)
        for c in (1, 2, 3)
    }
    assert len(keys) == 27


def test_deviates_are_those_of_box_and_muller() -> None:
    """Both uniform numbers come from the key and the jet's place, 53 bits of each."""
    key = np.uint64(smearing.event_key(np.uint64(1), np.uint64(7), np.uint64(9)))
    for jet in range(3):
        first = np.uint64(smearing.mixed(key, np.uint64(2 * jet)))
        second = smearing.mixed(first, np.uint64(2 * jet + 1))
        u, v = ((int(word) >> 11) / 2**53 for word in (first, second))
        expected = math.sqrt(-2 * math.log(u + 2.0**-54)) * math.cos(2 * math.pi * v)
        assert smearing.normal(key, jet) == pytest.approx(expected, rel=1e-12)
