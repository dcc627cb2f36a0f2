import os
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
njit(lambda x: x)(1)  # whoever uses numba has what others taught it
import awkward
print(njit(lambda x: x[0])(awkward.Array([1.0])))
"""
MEANWHILE = """
import threading
import awkward
import numba.core.entrypoints
from numba import njit
from spectrum_workflows.compiled import compiled

@compiled(cache=False)
def twice(x):
    return 2 * x

def first(array):
    values.append(njit(lambda x: x[0])(array))

def loading():
    if threading.current_thread() is threading.main_thread() and not values:
        thread = threading.Thread(target=first, args=(awkward.Array([1.0]),))
        thread.start()
        thread.join(60)
    load()

values = []
twice.dispatcher()
load, numba.core.entrypoints.init_all = numba.core.entrypoints.init_all, loading
assert twice(2.0) == 4.0
assert values == [1.0]
"""
PLAIN = """
import numpy as np
from spectrum_workflows.radio.deconvolution import minor_cycle
print(minor_cycle._strength(np.array([[1.0, -3.0], [2.0, 4.0]]), 1, 2))
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
    ran(FRESH)


def test_kernels_run_uncompiled_where_numba_is_told_so():
    assert ran(PLAIN, NUMBA_DISABLE_JIT="1") == ran(PLAIN)


def test_another_thread_that_compiles_meanwhile_has_what_others_taught_numba():
    ran(MEANWHILE)


def ran(program, **environment):
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
