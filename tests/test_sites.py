"""Site profiles and the places they become."""

from pathlib import Path

import pytest

from spectrum_workflows import connect, load_site
from spectrum_workflows.errors import SiteError, SpecError
from spectrum_workflows.sites import site_names


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_shipped_profiles_load() -> None:
    assert {"laptop", "serial"} <= set(site_names())
    for name in ("laptop", "serial"):
        assert load_site(name).description


def test_laptop_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SPECTRUM_SITE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_site() == load_site("laptop")


def test_the_variable_then_the_users_folder(monkeypatch, tmp_path: Path) -> None:
    mine = tmp_path / "spectrum-workflows"
    mine.mkdir()
    (mine / "site.toml").write_text('description = "mine"\ndata = "a"\nresults = "b"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SPECTRUM_SITE", raising=False)
    assert load_site().description == "mine"
    monkeypatch.setenv("SPECTRUM_SITE", "serial")
    assert load_site() == load_site("serial")
    monkeypatch.setenv("SPECTRUM_SITE", str(mine / "site.toml"))
    assert load_site().description == "mine"


def test_variables_and_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCRATCH_OF_MINE", "/scratch/me")
    monkeypatch.setenv("HOME", "/home/me")
    site = load_site(write(tmp_path, 'data = "${SCRATCH_OF_MINE}/d"\nresults = "~/r"\n'))
    assert (site.data, site.results) == ("/scratch/me/d", "/home/me/r")
    monkeypatch.delenv("SCRATCH_OF_MINE")
    with pytest.raises(SpecError, match="SCRATCH_OF_MINE is not set"):
        load_site(tmp_path / "mine.toml")


def test_storage_options_become_a_frozen_value(tmp_path: Path) -> None:
    text = 'data = "a"\nresults = "b"\n[storage."s3://b"]\nanon = true\n'
    assert load_site(write(tmp_path, text)).stores.for_url("s3://b/x") == {"anon": True}


@pytest.mark.parametrize("name", ["secret", "key", "token", "password", "aws_secret_access_key"])
def test_profiles_hold_no_credentials(tmp_path: Path, name: str) -> None:
    text = f'data = "a"\nresults = "b"\n[storage."s3://b"]\n{name} = "x"\n'
    with pytest.raises(SpecError, match="is a credential"):
        load_site(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('data = "a"\n', "missing key 'results'"),
        ('data = "a"\nresult = "b"\n', "did you mean results"),
        ('data = "a"\nresults = "b"\n[cluster]\nkind = "lokal"\n', "local"),
        ("data = ", "not valid TOML"),
    ],
)
def test_bad_profiles(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        load_site(write(tmp_path, text))


def test_unknown_names() -> None:
    with pytest.raises(SpecError, match="did you mean laptop"):
        load_site("labtop")
    with pytest.raises(SpecError, match="cannot read the profile"):
        load_site("no/such/file.toml")


def test_cluster_options_are_the_librarys_own(tmp_path: Path) -> None:
    text = 'data = "a"\nresults = "b"\n[cluster]\nkind = "local"\n'
    good = text + 'n_workers = 1\nprocesses = false\ndashboard_address = "127.0.0.1:0"\n'
    with connect(load_site(write(tmp_path, good)), data="elsewhere") as place:
        assert place.workers == 1
        assert (place.data, place.results) == ("elsewhere", "b")
        assert place.client.submit(int, "7").result() == 7
    with pytest.raises(SiteError, match="did you mean n_workers"):
        connect(load_site(write(tmp_path, text + "n_wrokers = 1\n")))


def test_no_cluster() -> None:
    with connect(load_site("serial")) as place:
        assert place.client is None
        assert place.workers == 0
