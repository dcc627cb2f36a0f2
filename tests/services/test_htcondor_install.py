"""The installation of HTCondor for tests, with stand-ins for the package manager."""

import os
import subprocess
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / "environments/htcondor.sh"
STAND_INS = {
    "id": "echo 0",
    "apt-cache": "echo 'Candidate: (none)'",
    "apt-get": "for last; do case $last in Dir::Cache=*) cache=${last#*=};; esac; done\n"
    'case "$*" in *download-only*) touch "$cache/archives/condor_1.deb";; esac',
    "dpkg-deb": 'mkdir -p "$3/usr/bin" "$3/usr/sbin" "$3/usr/libexec/condor"\n'
    "for one in bin/condor_q sbin/condor_master libexec/condor/condor_x; do\n"
    '    printf "\\177ELF" >"$3/usr/$one"; chmod +x "$3/usr/$one"\ndone',
    "dpkg-architecture": "echo x86_64-linux-gnu",
}


@pytest.mark.parametrize("is_interrupted", [True, False])
def test_what_is_interrupted_is_not_installed(tmp_path: Path, is_interrupted: bool) -> None:
    programs, folder = tmp_path / "programs", tmp_path / "htcondor"
    programs.mkdir()
    patching = 'case "$*" in *condor_master) exit 1;; esac' if is_interrupted else ":"
    for name, text in (STAND_INS | {"patchelf": patching}).items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    path = {"PATH": f"{programs}:/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    command = ["sh", str(INSTALL), str(folder)]
    done = subprocess.run(command, env=os.environ | path, check=False, capture_output=True)
    assert (done.returncode != 0) == is_interrupted, done.stderr
    assert (folder / "usr/sbin/condor_master").exists() != is_interrupted
    again = subprocess.run(command, env=os.environ | path, check=False, capture_output=True)
    assert (b"HTCondor is installed" in again.stdout) != is_interrupted
