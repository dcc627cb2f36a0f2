"""From a name to a profile: search path, inheritance, variables, changes."""

import tomllib
from pathlib import Path

import jsonschema
import pytest

from spectrum_workflows import load_site
from spectrum_workflows.errors import SpecError
from spectrum_workflows.sites import profile_schema, resolve, site_names
from spectrum_workflows.sites.profile import Batch, Local


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


SHIPPED = {"cloud", "existing", "htcondor", "laptop", "serial", "slurm", "slurm-infiniband"}


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the shipped profiles take from the environment."""
    monkeypatch.setenv("DASK_GATEWAY_ADDRESS", "https://gateway.example.org")
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tls://scheduler.example.org:8786")
    monkeypatch.setenv("SCRATCH", "/scratch/me")


def test_shipped_profiles_load() -> None:
    assert set(site_names()) >= SHIPPED
    for name in SHIPPED:
        assert load_site(name).description


def test_shipped_profiles_fit_the_schema() -> None:
    schema = profile_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for name in SHIPPED:
        table = tomllib.loads(site_names()[name].read_text())
        jsonschema.validate(table, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"workers": {"cuont": 3}}, schema)


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


@pytest.mark.parametrize(
    "name",
    [
        *("secret", "key", "token", "password", "aws_secret_access_key", "account_key"),
        *("passphrase", "api-key", "pwd", "sas", "bearer", "auth", "headers", "jwt"),
    ],
)
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


def test_a_secret_does_not_get_in_by_a_variable(monkeypatch, tmp_path: Path) -> None:
    """A job prologue would write it into the job script."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "open sesame")
    monkeypatch.setenv("BEARER_TOKEN_FILE", "/run/token")
    text = 'extends = "slurm"\n[software]\nprologue = ["cat ${%s}"]\n'
    with pytest.raises(SpecError, match="looks like a secret") as caught:
        load_site(write(tmp_path, text % "AWS_SECRET_ACCESS_KEY"))
    assert "sesame" not in str(caught.value)
    assert load_site(write(tmp_path, text % "BEARER_TOKEN_FILE")).software.prologue


def test_a_profile_extends_another(tmp_path: Path) -> None:
    (tmp_path / "centre.toml").write_text(
        'extends = "slurm"\n[cluster]\naccount = "ours"\nmemory = "8 GB"\n'
    )
    mine = write(tmp_path, 'extends = "centre.toml"\ndata = "d"\n[cluster]\nmemory = "4 GB"\n')
    site, shipped = load_site(mine), load_site("slurm")
    assert isinstance(site.cluster, Batch)
    assert site.cluster.options == {
        **shipped.cluster.options,
        "account": "ours",
        "memory": "4 GB",
    }
    assert (site.data, site.results, site.workers) == ("d", shipped.results, shipped.workers)
    origins = resolve(mine).origins
    assert origins["cluster.account"].endswith("centre.toml")
    assert origins["cluster.memory"].endswith("mine.toml")
    assert origins["cluster.cores"].endswith("slurm.toml")


def test_a_users_profile_may_have_the_name_of_the_one_it_extends(monkeypatch, tmp_path) -> None:
    folder = tmp_path / "spectrum-workflows"
    folder.mkdir()
    (folder / "laptop.toml").write_text('extends = "laptop"\ndata = "here"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_site("laptop").data == "here"
    assert isinstance(load_site("laptop").cluster, Local)


def test_a_circle_of_profiles_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"')
    (tmp_path / "b.toml").write_text('extends = "a.toml"')
    with pytest.raises(SpecError, match="extends itself"):
        load_site(tmp_path / "a.toml")


def test_changes_replace_what_the_file_says() -> None:
    changes = {"cluster.account": "mine", "workers.count": 7, "data": "~/there"}
    site = load_site("slurm", changes=changes)
    assert site.cluster.options["account"] == "mine"
    assert site.workers.count == 7
    assert site.data == str(Path.home() / "there")
    assert resolve("slurm", changes=changes).origins["workers.count"] == "--set"
    with pytest.raises(SpecError, match="did you mean count"):
        load_site("slurm", changes={"workers.cont": 7})


def test_a_layer_displaces_what_cannot_stand_beside_it(tmp_path: Path) -> None:
    workers = load_site("slurm", changes={"workers.max": 20}).workers
    assert (workers.count, workers.min, workers.max) == (None, 1, 20)
    adaptive = write(tmp_path, 'extends = "slurm"\n[workers]\nmin = 2\nmax = 9\n')
    assert load_site(adaptive, changes={"workers.count": 3}).workers.max is None
    changed = write(tmp_path, 'extends = "laptop"\n[cluster]\nkind = "slurm"\ncores = 2\n')
    assert load_site(changed).cluster.options == {"cores": 2}


def test_a_secret_does_not_stand_in_a_prologue(tmp_path: Path) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "GITHUB_PAT", "AZURE_STORAGE_KEY"):
        text = f'extends = "slurm"\n[software]\nprologue = ["export {name}=x"]\n'
        with pytest.raises(SpecError, match=f"{name} would stand in the job script"):
            load_site(write(tmp_path, text))
    good = 'extends = "slurm"\n[software]\nprologue = ["export OMP_NUM_THREADS=1"]\n'
    assert load_site(write(tmp_path, good)).software.prologue


@pytest.mark.parametrize(
    ("workers", "says"),
    [
        ("count = 2\nmax = 3", "not both"),
        ("min = 2", "min needs max"),
        ("min = 4\nmax = 3", "larger than max"),
        ("count = 0", "greater than or equal to 1"),
        ("min = 0\nmax = 3", "greater than or equal to 1"),
        ('patience = "soon"', "not a duration"),
        ("renew_before = -1", "not a duration"),
    ],
)
def test_bad_workers(tmp_path: Path, workers: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        load_site(write(tmp_path, f'data = "a"\nresults = "b"\n[workers]\n{workers}\n'))


def test_durations_are_seconds_or_words(tmp_path: Path) -> None:
    text = 'data = "a"\nresults = "b"\n[workers]\npatience = "2 minutes"\nrenew_before = 30\n'
    workers = load_site(write(tmp_path, text)).workers
    assert (workers.patience, workers.renew_before) == (120, 30)


def test_software_is_for_batch_jobs(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="for batch jobs"):
        load_site(write(tmp_path, 'extends = "laptop"\n[software]\nmodules = ["Python"]\n'))
