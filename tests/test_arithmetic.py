"""The machine code of the numerical libraries: chosen before they are imported, and told."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from spectrum_workflows import arithmetic
from spectrum_workflows.front import machine

OURS = ("DUCC0_MAX_PSABI_LEVEL", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")

needs_v3 = pytest.mark.skipif(
    arithmetic._level_here() < arithmetic.LEVEL, reason="the processor is below x86-64-v3"
)

TOLD = """
import json
from spectrum_workflows import arithmetic
from spectrum_workflows.front import machine
import scipy.linalg
import numpy as np
from ducc0 import wgridder
rng = np.random.default_rng(1)
vis = rng.normal(size=(2000, 8)).astype(np.complex64)
image = wgridder.vis2dirty(
    uvw=rng.normal(0, 500, (2000, 3)), freq=np.linspace(1e9, 1.1e9, 8), vis=vis, npix_x=128,
    npix_y=128, pixsize_x=4e-5, pixsize_y=4e-5, epsilon=1e-4, do_wgridding=True)
product = rng.normal(size=(64, 90)).astype("f4") @ rng.normal(size=(90, 700)).astype("f4")
print(json.dumps({"machine": machine(), "doubts": arithmetic.doubts([machine()]),
                  "bits": [a.tobytes().hex() for a in (image, product, np.exp(image[:8]))]}))
"""


def told(code=TOLD, **environment):
    """What a new Python says after ``code``, and one number for the bits of its results."""
    plain = {k: v for k, v in os.environ.items() if k not in OURS}
    command = [sys.executable, "-c", code]
    environment = plain | environment
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    bits = hashlib.sha256("".join(found["bits"]).encode()).hexdigest()
    return found["machine"], found["doubts"], bits


@needs_v3
@pytest.mark.parametrize(
    "environment",
    [
        {"DUCC0_MAX_PSABI_LEVEL": "3"},
        {"DUCC0_MAX_PSABI_LEVEL": "4"},
        {"DUCC0_MAX_PSABI_LEVEL": "much"},
        {"OPENBLAS_CORETYPE": "Nehalem"},
        {"OPENBLAS_CORETYPE": "SkylakeX"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX512_ICL"},
        {"NPY_ENABLE_CPU_FEATURES": "X86_V3"},
    ],
)
def test_the_same_bits_whatever_the_environment_says(environment):
    found, doubts, bits = told(**environment)
    assert found["arithmetic"] == {"level": 3, "pinned": True}
    assert found["blas_kernels"] == ["Haswell"]
    assert not doubts
    assert bits == told()[2]


@needs_v3
def test_a_process_may_stand_for_an_older_processor_and_says_so():
    found, doubts, bits = told(DUCC0_MAX_PSABI_LEVEL="2", OPENBLAS_CORETYPE="Nehalem")
    assert found["arithmetic"] == {"level": 2, "pinned": False}
    assert found["blas_kernels"] == ["Nehalem"]
    assert len(doubts) == 1
    assert "below" in doubts[0]
    assert "to the bit" in doubts[0]
    assert bits != told()[2]


@needs_v3
def test_libraries_that_were_imported_before_are_noticed():
    """As in a notebook whose first line is ``import numpy``."""
    found, doubts, _ = told("import numpy\n" + TOLD, OPENBLAS_CORETYPE="Nehalem")
    assert "Nehalem" in found["blas_kernels"]
    named = [line.partition(" ")[0] for line in doubts]
    assert named == ["BLAS", *["NumPy"] * (arithmetic._level_here() > arithmetic.LEVEL)]
    assert "import spectrum_workflows before it" in doubts[0]
    found, doubts, _ = told("import ducc0\n" + TOLD, DUCC0_MAX_PSABI_LEVEL="2")
    assert found["arithmetic"] == {"level": 2, "pinned": False}
    assert "below" in doubts[0]


def test_what_is_wider_is_doubted():
    """Few machines have it, so it is told as a record would."""
    here = machine()
    same = here | {"arithmetic": {"level": 3, "pinned": True}, "blas_kernels": ["Haswell"]}
    same |= {"cpu_features": ["X86_V2", "X86_V3"]}
    assert not arithmetic.doubts([same, same])
    wider = same | {"arithmetic": {"level": 4, "pinned": False}}
    wide = same | {"cpu_features": ["X86_V3", "X86_V4"], "blas_kernels": ["SkylakeX"]}
    found = arithmetic.doubts([same, wider, wide])
    assert [line.partition(" ")[0] for line in found] == ["BLAS", "NumPy", "ducc0"]
    assert all("to the bit" in line for line in found)


def test_the_levels_of_processors(tmp_path, monkeypatch):
    v3 = "flags : fpu sse4_2 avx avx2 bmi1 bmi2 f16c fma movbe abm\n"
    v4 = v3.replace("\n", " avx512f avx512bw avx512cd avx512dq avx512vl\n")
    texts = {2: "flags : fpu sse4_2 popcnt\n", 3: v3 * 400, 4: v4}
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for level, text in texts.items():
        (tmp_path / "cpuinfo").write_text(text)
        monkeypatch.setattr(arithmetic, "PROCESSOR", str(tmp_path / "cpuinfo"))
        assert arithmetic._level_here() == level
    monkeypatch.setattr(arithmetic, "PROCESSOR", str(tmp_path / "absent"))
    assert arithmetic._level_here() == 0
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert arithmetic._level_here() == 0


@needs_v3
def test_workers_compute_alike():
    code = """
from spectrum_workflows import arithmetic, connect, load_site
from spectrum_workflows.front import machine
if __name__ == "__main__":
    with connect(load_site("laptop", changes={"workers.count": 1})) as place:
        found = place.client.run(machine)
        print(list(arithmetic.doubts(found.values())))
"""
    plain = {k: v for k, v in os.environ.items() if k not in OURS}
    plain |= {"OPENBLAS_CORETYPE": "Nehalem", "DUCC0_MAX_PSABI_LEVEL": "4"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=plain, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
