"""Archives hold one data set of a size that was to be expected, or are refused."""

import io
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from spectrum_workflows.catalogue import unpacking
from spectrum_workflows.catalogue.unpacking import unpack
from spectrum_workflows.errors import DataError, SpectrumError

Member = tuple[str, bytes | None, dict[str, object]]


def archive(folder: Path, *members: Member, name: str = "some.ms.tgz") -> Path:
    path = folder / "data" / name
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for inside, data, changes in members:
            info = tarfile.TarInfo(inside)
            info.size, info.type = len(data or b""), tarfile.REGTYPE if data is not None else b"5"
            for word, value in changes.items():
                setattr(info, word, value)
            tar.addfile(info, io.BytesIO(data or b""))
    return path


def file(name: str, data: bytes = b"x", **changes: object) -> Member:
    return name, data, changes


GOOD = file("some.ms/table.dat")


def left(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_what_is_taken_and_what_is_left_out(tmp_path: Path) -> None:
    path = archive(
        tmp_path,
        ("some.ms", None, {}),
        file("./some.ms/table.dat", mode=0o6777),
        file("some.ms/SUB/table.f0", bytes(3 << 20)),
        file("some.ms/zarr/.zarray"),
        file("._some.ms"),
        file("some.ms/.DS_Store"),
        file("README"),
    )
    found = unpack(path, path.with_name("some.ms"))
    assert left(found) == ["SUB", "SUB/table.f0", "table.dat", "zarr", "zarr/.zarray"]
    assert stat.S_IMODE((found / "table.dat").stat().st_mode) & 0o7111 == 0
    assert left(path.parent)[-1] != "README"
    assert sorted(p.name for p in path.parent.iterdir()) == ["some.ms", "some.ms.tgz"]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (file("../evil"), "leads elsewhere"),
        (file("/etc/evil"), "leads elsewhere"),
        (file("some.ms/../../evil"), "leads elsewhere"),
        (file("some.ms/..\\evil"), "leads elsewhere"),
        (file("some.ms/.bashrc"), "hidden file"),
        (file("some.ms/.ssh/keys"), "hidden file"),
        (file("some.ms/a", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "a link"),
        (file("some.ms/a", b"", type=tarfile.SYMTYPE, linkname="table.dat"), "a link"),
        (file("some.ms/a", b"", type=tarfile.LNKTYPE, linkname="some.ms/table.dat"), "a link"),
        (file("some.ms/a", b"", type=tarfile.FIFOTYPE), "a device"),
        (file("some.ms/a", b"", type=tarfile.CHRTYPE), "a device"),
        (file("some.ms/table.dat", b"again"), "exists|write"),
        (file("some.ms/table.dat/below"), "directory|exists|write"),
        (file("some.ms/big", bytes(70 << 20)), "unpacks to more than 67 MB"),
    ],
)
def test_what_is_refused(tmp_path: Path, bad: Member, says: str) -> None:
    path = archive(tmp_path, GOOD, bad)
    with pytest.raises((SpectrumError, OSError), match=says):
        unpack(path, path.with_name("some.ms"))
    assert left(tmp_path) == ["data", "data/some.ms.tgz"]


def test_the_size_that_an_entry_declares_is_allowed(tmp_path: Path) -> None:
    path = archive(tmp_path, GOOD, file("some.ms/big", bytes(70 << 20)))
    with pytest.raises(DataError, match="more than 71 MB"):
        unpack(path, path.with_name("some.ms"), unpacked=71_000_000)
    assert unpack(path, path.with_name("some.ms"), unpacked=80_000_000).is_dir()


def test_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path, *(file(f"elsewhere/{n}", b"") for n in range(60)), GOOD)
    monkeypatch.setattr(unpacking, "MEMBERS", 50)
    with pytest.raises(DataError, match="more than 50 files"):
        unpack(path, path.with_name("some.ms"))


def test_bombs_that_are_no_members(tmp_path: Path) -> None:
    """A table of names of hundreds of megabytes; endless zeros."""
    path = archive(tmp_path, file("some.ms/a", pax_headers={"comment": "x" * (200 << 20)}))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DataError, match="tables are larger"):
        unpack(path, path.with_name("some.ms"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: b"\x1f\x8b",
        lambda data: data[: len(data) // 2],
        lambda data: b"BZh9" + data,
        lambda data: data[:40] + bytes([data[40] ^ 255]) + data[41:],
        lambda data: b"\0" * 10_000,
    ],
)
def test_damage(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = archive(tmp_path, GOOD, file("some.ms/b", bytes(range(256)) * 40))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match="damaged archive|holds no some"):
        unpack(path, path.with_name("some.ms"))
    assert left(tmp_path) == ["data", "data/some.ms.tgz"]
