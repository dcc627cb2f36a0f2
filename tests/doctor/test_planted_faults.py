"""Faults that are planted one at a time: each is named with its remedy, before a worker is asked.

Every test makes the fault as it happens: no clock, disk, variable or file is a stand-in
where the real one can be had.
"""

import base64
import errno
import json
import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spectrum_workflows import diagnose, load_site, load_spec
from spectrum_workflows.doctor import folders, memory, software, stores
from spectrum_workflows.doctor.diagnosis import Diagnosis
from spectrum_workflows.findings import Finding
from spectrum_workflows.hep.synthetic import write_sample
from spectrum_workflows.sites.place import Place

Examine = Callable[..., Diagnosis]


@pytest.fixture
def examine(tmp_path: Path) -> Examine:
    """``examine(site, **changes)``: the session alone; ``a__b`` stands for the key ``a.b``."""
    (tmp_path / "data").mkdir()

    def examined(name: str = "laptop", *, spec: object = None, **changes: object) -> Diagnosis:
        roots = {"data": str(tmp_path / "data"), "results": str(tmp_path / "results")}
        roots |= {"spool": str(tmp_path / "spool")}
        table = roots | {key.replace("__", "."): value for key, value in changes.items()}
        return diagnose(load_site(name, changes=table), spec=spec, probe=False)

    return examined


def the_fault(diagnosis: Diagnosis) -> Finding:
    [fault] = diagnosis.faults
    assert not diagnosis.starts
    assert fault.expected
    assert fault.remedy
    return fault


@pytest.fixture
def no_folder(tmp_path: Path) -> str:
    """A folder that cannot be made, not by root either: there is a file above it."""
    (tmp_path / "file").write_text("")
    return str(tmp_path / "file" / "below")


def test_a_sound_machine_has_no_fault(examine: Examine) -> None:
    diagnosis = examine()
    assert diagnosis.faults == ()
    assert diagnosis.starts
    subjects = {one.subject for one in diagnosis.findings}
    assert subjects >= {"Python", "libraries", "processor", "network", "port", "scratch", "clock"}
    assert subjects >= {"spool", "data", "results"}


def test_scratch_that_cannot_be_written_to(examine: Examine, no_folder: str) -> None:
    fault = the_fault(examine(cluster__local_directory=no_folder))
    assert fault.subject == "scratch"
    assert no_folder in fault.found
    assert "local_directory" in fault.remedy


def test_a_full_disk(examine: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing can be written, as the system says it of a full disk: by ``/dev/full``."""
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("this system has no /dev/full")
    real = Path.write_bytes

    def written(path: Path, content: bytes) -> int:
        full = Path("/dev/full") if path.is_relative_to(tmp_path / "spool") else path
        return real(full, content)

    monkeypatch.setattr(Path, "write_bytes", written)
    view = folders.judged(folders.looked_at(tmp_path / "spool"), "spool", "name another with spool")
    assert view.status == "fault"
    assert os.strerror(errno.ENOSPC) in view.found
    assert view.remedy == "name another with spool"


def test_a_disk_that_is_nearly_full() -> None:
    almost = folders.Folder("/scratch", free=1 << 20, filesystem="ext4")
    view = folders.judged(almost, "scratch", "set local_directory")
    assert view.status == "fault"
    assert "1.0 MB free" in view.found
    assert view.remedy == "make room there, or set local_directory"
    some = folders.Folder("/scratch", free=1 << 28, filesystem="ext4")
    assert folders.judged(some, "scratch", "", room=1 << 30).status == "doubt"


def test_results_that_cannot_be_written(examine: Examine, no_folder: str) -> None:
    fault = the_fault(examine(results=no_folder))
    assert fault.subject == "results"
    assert "cannot write" in fault.found
    assert "--out" in fault.remedy


def test_a_data_root_that_does_not_exist(examine: Examine, tmp_path: Path) -> None:
    fault = the_fault(examine(data=str(tmp_path / "elsewhere")))
    assert fault.subject == "data"
    assert str(tmp_path / "elsewhere") in fault.found
    assert "spectrum data make" in fault.remedy


def test_a_network_interface_that_does_not_exist(examine: Examine) -> None:
    fault = the_fault(examine(cluster__interface="ib9"))
    assert fault.subject == "network"
    assert "'ib9' is not a valid network interface" in fault.found
    assert "'lo'" in fault.found
    assert fault.remedy == "set interface below [cluster]"


def test_a_port_that_is_taken(examine: Examine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        fault = the_fault(examine(cluster__scheduler_port=port))
    assert fault.subject == "port"
    assert f"port {port}" in fault.found


def token(seconds: float) -> str:
    """A JSON web token, unsigned, that ends so many seconds from now."""
    claims = json.dumps({"exp": time.time() + seconds, "sub": "somebody"}).encode()
    parts = (json.dumps({"alg": "none"}).encode(), claims, b"signature-of-nobody")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize(
    ("seconds", "status", "words"),
    [(-7300, "fault", "expired 2 hours ago"), (600, "doubt", "ends in 10 minutes")],
)
def test_a_token_that_has_expired_or_will(
    examine: Examine, tmp_path: Path, seconds: float, status: str, words: str
) -> None:
    secret = token(seconds)
    (tmp_path / "token").write_text(secret)
    prefix = "storage.https://data.example.org/"
    storage = {"https://data.example.org/": {"token_file": str(tmp_path / "token")}}
    diagnosis = examine(storage=storage)
    [finding] = [one for one in diagnosis.findings if one.subject == "token"]
    assert (finding.status, words in finding.found) == (status, True), prefix
    assert finding.remedy.startswith("renew it")
    assert secret not in json.dumps(diagnosis.summary)


def test_a_token_file_that_is_not_there(examine: Examine, tmp_path: Path) -> None:
    storage = {"https://data.example.org/": {"token_file": str(tmp_path / "token")}}
    fault = the_fault(examine(storage=storage))
    assert "No such file" in fault.found


def test_a_proxy_that_has_expired(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proxy").write_bytes(expired_certificate())
    monkeypatch.setenv("X509_USER_PROXY", str(tmp_path / "proxy"))
    diagnosis = examine(storage={"root://data.example.org": {"timeout": 1}})
    fault = the_fault(diagnosis)
    assert fault.subject == "proxy"
    assert "expired 5 hours ago" in fault.found


def expired_certificate() -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(now - timedelta(hours=17))
    made = builder.not_valid_after(now - timedelta(hours=5)).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def test_a_clock_that_is_wrong(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session's is ten minutes slow: the file system keeps the machine's."""
    right = time.time
    monkeypatch.setattr(stores.time, "time", lambda: right() - 600)
    fault = the_fault(examine("serial"))
    assert fault.subject == "clock"
    assert "600 s ahead of the session's" in fault.found
    assert "NTP" in fault.remedy


def test_a_library_that_is_not_the_locked_one(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = software.lock()
    monkeypatch.setattr(software, "lock", lambda: pins | {"numpy": "1.0", "rich": "1.0"})
    diagnosis = examine("serial")
    [finding] = diagnosis.doubts
    assert diagnosis.starts  # results may differ, but work starts
    assert finding.subject == "libraries"
    assert "not 1.0" in finding.found
    assert finding.found.startswith("numpy ")  # it decides numbers, and is named first
    assert "requirements.lock" in finding.remedy


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_sample(str(folder / "dimuon.root"), "dimuon", events=500, seed=3)
    write_sample(str(folder / "zmumu.root"), "zmumu", events=500, seed=4)
    return folder


def test_a_worker_with_too_little_memory(examine: Examine, made: Path) -> None:
    spec = load_spec("hep/dimuon")
    fault = the_fault(examine(data=str(made), spec=spec, cluster__memory_limit="310 MB"))
    assert fault.subject == "memory"
    assert "310 MB for a worker" in fault.found
    assert "more memory below [cluster]" in fault.remedy


@pytest.mark.parametrize(("limit", "status"), [(0, "fine"), (2, "fine"), (1, "doubt")])
def test_memory_for_two_tasks_of_a_quarter_of_a_gigabyte(limit: int, status: str) -> None:
    view = memory.enough(limit * 10**9, largest=250_000_000, threads=2)
    assert view.status == status
    assert "2 tasks" in view.found or not limit


def test_input_that_is_not_there(examine: Examine) -> None:
    fault = the_fault(examine(spec=load_spec("hep/dimuon")))
    assert fault.subject == "spec"
    assert "dimuon.root" in fault.found


def test_no_batch_system_here(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fault = the_fault(examine("slurm"))
    assert fault.subject == "commands"
    assert "no sbatch, squeue, scancel here" in fault.found
    assert "login node" in fault.remedy


def test_an_option_that_the_library_does_not_have(examine: Examine) -> None:
    fault = the_fault(examine("slurm", cluster__wall_time="01:00:00"))
    assert fault.subject == "profile"
    assert "wall_time" in fault.found
    assert "walltime" in fault.remedy


def test_a_scheduler_that_is_not_there(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tls://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    fault = the_fault(examine("existing"))
    assert fault.subject == "scheduler"
    assert "refused" in fault.found


def test_a_gateway_that_does_not_answer(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"https://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("DASK_GATEWAY_ADDRESS", address)
    fault = the_fault(examine("cloud"))
    assert fault.subject == "gateway"
    assert "is the address right" in fault.remedy


def test_no_worker_is_asked_for_where_the_session_has_a_fault(tmp_path: Path) -> None:
    site = load_site("laptop", changes={"data": str(tmp_path / "none"), "spool": str(tmp_path)})
    place = Place(site, site.data, str(tmp_path / "results"))
    diagnosis = diagnose(place)
    assert diagnosis.findings[-1].subject == "node"
    assert diagnosis.findings[-1].found == "not looked at"
    assert not [one for one in diagnosis.findings if one.where != "session"]
