import subprocess
import sys

import numpy as np

from spectrum_workflows.compiled import compiled

FRESH = """
import sys
from spectrum_workflows.radio import weights
from spectrum_workflows.radio.deconvolution import minor_cycle
assert "numba" not in sys.modules
import numpy as np
values = np.array([[1.0, -3.0], [2.0, 4.0]])
print(minor_cycle._strength(values, 1, 2))
assert "numba" in sys.modules
assert "awkward" not in sys.modules and "vector" not in sys.modules
from numba import njit
import numba.core.entrypoints as extensions
assert not extensions._already_initialized
njit(lambda x: x)(1)
assert extensions._already_initialized  # whoever uses numba has what others taught it
"""


@compiled(cache=False)
def _twice(value):
    return 2 * value


@compiled(cache=False)
def _sum_of_twice(values):
    total = 0.0
    for k in range(values.shape[0]):
        total += _twice(values[k])
    return total


def test_a_kernel_calls_another_by_its_name():
    assert _sum_of_twice(np.arange(4.0)) == 12.0
    assert _sum_of_twice.__name__ == "_sum_of_twice"


def test_numba_comes_with_the_first_call_and_without_what_others_taught_it():
    ended = subprocess.run(
        [sys.executable, "-c", FRESH], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
