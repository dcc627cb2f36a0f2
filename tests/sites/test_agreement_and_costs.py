"""Software on both sides, costs of work, doors that are open, options of deployments."""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from spectrum_workflows.errors import MissingExtraError, OutputError, SiteError
from spectrum_workflows.sites import calibration
from spectrum_workflows.sites.agreement import compare_versions
from spectrum_workflows.sites.calibration import calibration_file, costs_of, save_costs
from spectrum_workflows.sites.deployment import check_options, missing
from spectrum_workflows.sites.security import (
    InsecureWarning,
    certificate_files,
    check_address,
    new_certificate,
)

# Versions


def side(**versions: str | None) -> dict[str, Any]:
    packages = {"python": "3.11.4.final.0", "dask": "2026.1", "distributed": "2026.1"}
    return {"packages": packages | {"spectrum_workflows": "0.1.0"} | versions}


def compared(*, scheduler: Any = None, **workers: Any) -> None:
    versions = {"client": side(), "scheduler": scheduler or side(), "workers": workers}
    compare_versions(versions)


def test_patch_releases_of_python_are_one_version() -> None:
    compared(scheduler=side(python="3.11.9.final.0"), one=side(python="3.11.0.final.0"))


def test_a_worker_that_left_meanwhile_is_no_worker() -> None:
    compared(one="OSError", two=side())


def test_all_that_differs_is_said_at_once_with_where() -> None:
    with pytest.raises(SiteError) as caught:
        compared(one=side(), two=side(python="3.12.1.final.0", dask=None))
    assert caught.value.where == "the worker at two"
    assert caught.value.what == (
        "python 3.12 there and 3.11 here; dask is missing there and 2026.1 here"
    )
    assert "requirements.lock on both sides" in caught.value.remedy


def test_the_scheduler_is_compared_first() -> None:
    with pytest.raises(SiteError, match=r"^the scheduler: distributed 2025 there"):
        compared(scheduler=side(distributed="2025"), one=side(dask="2025"))


def test_a_side_that_says_nothing_lacks_everything() -> None:
    with pytest.raises(SiteError, match="spectrum_workflows is missing there"):
        compared(scheduler={"host": {}})


# Costs


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of costs, in a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(calibration, "processor", lambda: "A")
    return calibration_file()


def test_costs_are_of_a_science_on_a_processor(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert costs_of("one") == {}
    assert save_costs("one", {"grid": 1e-6}) == kept
    save_costs("two", {"fill": 2e-6})
    monkeypatch.setattr(calibration, "processor", lambda: "B")
    assert costs_of("one") == {}
    save_costs("one", {"grid": 3e-6})
    monkeypatch.setattr(calibration, "processor", lambda: "A")
    assert (costs_of("one"), costs_of("two")) == ({"grid": 1e-6}, {"fill": 2e-6})
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff",
        b"[1]",
        b'{"A": 5}',
        b'{"A": {"one": [1]}}',
        b'{"A": {"one": {"grid": "much"}}}',
        b'{"A": {"one": {"grid": null}}}',
    ],
)
def test_costs_that_are_damaged_are_measured_anew(kept: Path, damage: bytes) -> None:
    kept.parent.mkdir(parents=True)
    kept.write_bytes(damage)
    assert costs_of("one") == {}
    save_costs("one", {"grid": 1e-6})
    assert costs_of("one") == {"grid": 1e-6}
    assert json.loads(kept.read_bytes())["A"]["one"] == {"grid": 1e-6}


def test_a_cache_that_cannot_be_written_is_said_with_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot keep the costs \(.*\); set XDG_CACHE_HOME"):
        save_costs("one", {"grid": 1.0})


# Doors


@pytest.mark.parametrize(
    ("address", "others"),
    [
        ("tcp://127.0.0.1:8786", "every user of this machine"),
        ("tcp://[::1]:8786", "every user of this machine"),
        ("http://localhost:8000", "every user of this machine"),
        ("tcp://node17:8786", "everybody who can reach it"),
    ],
)
def test_an_open_address_is_refused_with_who_could_come_in(address: str, others: str) -> None:
    with pytest.raises(SiteError, match=f"is open to {others}; use tls://, or write insecure"):
        check_address(address, safe=("tls", "inproc"), insecure=False)
    with pytest.warns(InsecureWarning, match=re.escape(address)):
        check_address(address, safe=("tls", "inproc"), insecure=True)


@pytest.mark.parametrize("address", ["tls://node17:8786", "inproc://x/1"])
def test_a_closed_address_passes(address: str) -> None:
    check_address(address, safe=("tls", "inproc"), insecure=False)


@pytest.mark.parametrize("address", ["", "node17", "node17:8786", "tls://"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SiteError, match="not an address; write it as tls://host:port"):
        check_address(address, safe=("tls",), insecure=True)


def test_no_two_runs_have_one_key_and_it_is_not_shown() -> None:
    one, two = new_certificate(), new_certificate()
    assert one.key != two.key
    assert "PRIVATE" not in repr(one)
    read = x509.load_pem_x509_certificate(one.certificate.encode())
    read.verify_directly_issued_by(read)
    assert read.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_certificates_are_files_of_the_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        security = certificate_files(tmp_path)
    finally:
        os.umask(before)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ca_file.pem",
        "cert.pem",
        "key.pem",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert security.require_encryption
    with pytest.raises(FileExistsError):  # nobody's file is written into
        certificate_files(tmp_path)


# Options of a deployment library


def maker(account: str = "", cores: int = 1, name: str = "") -> None:
    """Stands for the class of a library."""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"acount": "x"},
            r"\[cluster\]: SLURMCluster has no option 'acount'; did you mean account",
        ),
        ({"name": "x"}, r"\[cluster\]: name cannot be set; it is chosen"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_a_start(
    options: dict[str, str], says: str
) -> None:
    with pytest.raises(SiteError, match=says):
        check_options(options, (maker,), ours={"name": "it is chosen"}, library="SLURMCluster")


def test_options_of_any_of_the_makers_are_allowed() -> None:
    def other(queue: str) -> None: ...

    check_options({"account": "x", "queue": "y"}, (maker, other), ours={}, library="any")


def test_a_library_that_is_not_installed_is_named_with_its_extra() -> None:
    error = missing("dask-jobqueue", "slurm")
    assert isinstance(error, MissingExtraError)
    assert str(error) == ("dask-jobqueue is not installed; pip install 'spectrum-workflows[slurm]'")
