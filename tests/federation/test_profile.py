"""A federation's profile: what it may say, and what is refused in one line."""

from pathlib import Path

import pytest

from spectrum_workflows import SpectrumError, load_site
from spectrum_workflows.errors import SpecError
from spectrum_workflows.sites.federated import outline, session_stores
from spectrum_workflows.sites.profile_files import members_of

MEMBER = 'extends = "serial"\ndata = "{data}"\nresults = "/r"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "ab":
        (tmp_path / f"{name}.toml").write_text(MEMBER.format(data=f"/data/{name}"))
    return tmp_path


def site(folder: Path, text: str = '[federation.sites]\na = "a.toml"\nb = "b.toml"\n', **changes):
    file = folder / "both.toml"
    file.write_text(f'results = "/r"\n{text}')
    return load_site(file, changes=changes)


def test_the_sites_are_files_beside_the_profile(folder: Path):
    both = site(folder)
    assert [own.data for own in members_of(both).values()] == ["/data/a", "/data/b"]
    assert both.data == "/data/a"


def test_a_site_may_be_the_name_of_a_shipped_profile(folder: Path):
    both = site(folder, '[federation.sites]\na = "a.toml"\nhere = "laptop"\n')
    assert members_of(both)["here"].cluster.kind == "local"


def test_the_shipped_profile_is_valid():
    shipped = load_site("federation")
    assert list(members_of(shipped)) == ["here", "centre"]


def test_names_are_looked_up_at_every_site_unless_there_is_an_own_root(folder: Path):
    assert session_stores(site(folder), "/data/a").roots == ("/data/a", "/data/b")
    assert session_stores(site(folder), "s3://all").roots == ("s3://all",)


def test_every_site_sees_the_stores_with_its_own_options_first(folder: Path):
    for name in "ab":
        with (folder / f"{name}.toml").open("a") as file:
            file.write(f'[storage."s3://x"]\nendpoint_url = "https://{name}"\n')
    stores = [member.stores for member in outline(site(folder), "/data/a").members]
    assert [s.for_url("s3://x/f")["endpoint_url"] for s in stores] == ["https://a", "https://b"]
    assert [s.here for s in stores] == ["a", "b"]


def test_stores_and_distances_say_where_bytes_are(folder: Path):
    text = '[federation.sites]\na = "a.toml"\nb = "b.toml"\n[federation.stores]\n"s3://x" = "far"\n'
    both = site(folder, f"{text}[federation.distances.far]\na = 3\nb = 2\n")
    federation = outline(both, "/data/a")
    assert federation.held("s3://x/f") == ("far",)
    assert federation.held("/data/b/f") == ("b",)
    assert federation.held("/other") == ("elsewhere",)
    assert federation.distances == {("far", "a"): 3, ("far", "b"): 2}


SITES = '[federation.sites]\na = "a.toml"\nb = "b.toml"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[federation.sites]\na = "a.toml"\n', "at least two"),
        ('[federation.sites]\na = "a.toml"\nb = "c.toml"\n', "c.toml"),
        ('[federation.sites]\na = "a.toml"\nb = "slrum"\n', "slurm"),
        ('[federation.sites]\na = "a.toml"\nb = 7\n', "federation.sites.b"),
        ('[federation.sites]\na = "a.toml"\nb = "both.toml"\n', "cannot be a site of another"),
        ('[federation.sites]\na = "a.toml"\nsession = "b.toml"\n', "session"),
        ('[federation.sites]\na = "a.toml"\n"b c" = "b.toml"\n', "b c"),
        ("[federation]\n", "sites"),
        ('[federation]\nsites = ["a.toml", "b.toml"]\n', "sites"),
        (f'{SITES}[cluster]\nkind = "local"\n', "each site of a federation"),
        (f"{SITES}[workers]\ncount = 2\n", "each site of a federation"),
        (f"{SITES}[federation.distances.a]\nc = 2\n", "no site 'c'"),
        (f"{SITES}[federation.distances.a]\nb = -1\n", "distances"),
        (f"{SITES}[federation.distances.a]\nb = nan\n", "distances"),
        (f"{SITES}[federation.distances.a]\nb = inf\n", "distances"),
        (f"{SITES}[federation.distances.a]\na = 1\n", "within 'a'"),
        (f'{SITES}[federation.stores]\n"s3://x" = "elsewhere"\n', "elsewhere"),
        (f'{SITES}[federation]\nsite = "x"\n', "site"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(folder: Path, text: str, message: str):
    with pytest.raises(SpectrumError) as caught:
        site(folder, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_circle_is_an_error_and_not_endless(folder: Path):
    (folder / "other.toml").write_text(
        'results = "/r"\n[federation.sites]\na = "both.toml"\nb = "b.toml"\n'
    )
    with pytest.raises(SpecError):
        site(folder, '[federation.sites]\na = "a.toml"\nb = "other.toml"\n')
