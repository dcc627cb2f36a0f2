"""Names of places: what is joined to what, what is shown, where a server may send a reader."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrum_workflows import storage
from spectrum_workflows.errors import DataError, StoreError
from spectrum_workflows.storage.urls import absolute, check_no_password, check_redirect, scheme_of


@pytest.mark.parametrize(
    ("url", "scheme"),
    [("S3://b/x", "s3"), ("/a/b", "file"), ("a:b", "file"), ("HTTPS://h", "https"), ("", "file")],
)
def test_schemes_are_told_in_lower_case(url: str, scheme: str) -> None:
    assert scheme_of(url) == scheme


@pytest.mark.parametrize(
    ("root", "name", "url"),
    [
        ("s3://b", "a", "s3://b/a"),
        ("s3://b///", "a/b", "s3://b/a/b"),
        ("/", "a", "/a"),
        ("file:///", "a", "file:///a"),
        ("memory://", "a", "memory://a"),
        ("data", "a", "data/a"),
        ("root://h", "store/a", "root://h//store/a"),
        ("root://h/", "store/a", "root://h//store/a"),
        ("root://h//", "store/a", "root://h//store/a"),
        ("root://h/eos", "a", "root://h//eos/a"),
        ("s3://b", "root://h/x", "root://h//x"),
    ],
)
def test_a_name_joined_to_a_root(root: str, name: str, url: str) -> None:
    assert storage.join(root, name) == url


@pytest.mark.parametrize(
    ("root", "name", "url"),
    [
        ("root://h", "/store/a", "root://h//store/a"),
        ("root://h//eos/cms", "/store/a", "root://h//eos/cms/store/a"),
        ("/data", "/store/a", "/store/a"),
        ("s3://b", "/store/a", "/store/a"),
        ("root://h", "s3://b/a", "s3://b/a"),
    ],
)
def test_names_as_das_prints_them_belong_to_an_xrootd_server_only(
    root: str, name: str, url: str
) -> None:
    assert storage.below(root, name) == url


steps = st.lists(st.text("ab.c-", min_size=1).filter(lambda s: s.strip(".")), min_size=1).map(
    "/".join
)


@given(steps, st.integers(0, 4))
@settings(max_examples=30)
def test_however_many_slashes_a_path_on_a_server_is_absolute(path: str, slashes: int) -> None:
    url = f"root://h/{'/' * slashes}{path}"
    assert absolute(url) == f"root://h//{path}"
    assert absolute(absolute(url)) == absolute(url)


@pytest.mark.parametrize("url", ["root://h", "s3://b/x", "/a//b", "https://h//x"])
def test_other_urls_stay_as_they_are(url: str) -> None:
    assert absolute(url) == url


@pytest.mark.parametrize(
    "others",
    [
        ("S3://B/x", "s3://b/x", "s3://b//x", "s3://b/./x"),
        ("https://H/x?a=1", "https://h/x", "https://h/x?b"),
        ("root://h//x", "root://h/x"),
    ],
)
def test_urls_of_one_place_are_known_as_one(others: tuple[str, ...]) -> None:
    assert len({storage.same_place(url) for url in others}) == 1


def test_paths_of_a_key_keep_their_case_and_their_order() -> None:
    assert len({storage.same_place(f"s3://b/{key}") for key in ("x", "X", "x/y", "y/x")}) == 4


def test_a_link_to_a_file_is_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "soft").symlink_to("a")
    (tmp_path / "hard").hardlink_to(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"1")
    own = storage.same_place(str(tmp_path / "a"))
    for name in ("soft", "hard", "../" + tmp_path.name + "/a"):
        assert storage.same_place(str(tmp_path / name)) == own
    assert storage.same_place(f"file://{tmp_path}/a") == own
    assert storage.same_place(str(tmp_path / "b")) != own
    monkeypatch.chdir(tmp_path)
    assert storage.same_place("a") == own


def test_what_is_not_there_is_known_by_its_name(tmp_path: Path) -> None:
    assert storage.same_place(f"{tmp_path}/x/../gone") == os.path.normpath(tmp_path / "gone")
    assert storage.same_place(f"{tmp_path}/\0") == f"{tmp_path}/\0"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://key:word@bucket/x", "password in this URL"),
        ("root://me:word@h//x", "password in this URL"),
        ("https://h/x?sig=abcdefgh", "signed link or a token"),
        ("root://h//x?authz=abcdefgh", "signed link or a token"),
    ],
)
def test_a_url_with_a_secret_is_refused_without_repeating_it(url: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        check_no_password(url)
    assert caught.value.remedy
    assert not any(secret in str(caught.value) for secret in ("word@", "abcdefgh"))


@pytest.mark.parametrize("url", ["https://me@h/x", "https://h/x?version=3", "/a:b@c?sig=abcdefgh"])
def test_a_url_without_a_secret_passes(url: str) -> None:
    check_no_password(url)


HERE = "127.0.0.1"
IN_OTHER_FORMS = ("127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost.", "0")
NETWORK = ".".join(["10", "1", "2", "3"])
PUBLIC = ".".join(["8", "8", "8", "8"])


@pytest.mark.parametrize("host", [HERE, "[::1]", "localhost", "a.localhost", NETWORK, "[fe80::1]"])
def test_nobody_is_sent_into_his_own_network(host: str) -> None:
    with pytest.raises(StoreError, match="an address of their own network") as caught:
        check_redirect(f"https://{PUBLIC}/x", f"https://{host}/admin")
    assert "/admin" not in str(caught.value)


@pytest.mark.parametrize("host", IN_OTHER_FORMS)
def test_an_address_in_another_form_is_the_same_address(host: str) -> None:
    """All of these are opened as 127.0.0.1 (or any address of this machine)."""
    with pytest.raises(StoreError, match="own network"):
        check_redirect("https://h/x", f"https://{host}/x")


@pytest.mark.parametrize(
    ("url", "target"),
    [("https://h/x", "http://h/x"), ("http://h/x", "ftp://h/x"), ("https://h/x", "file:///x")],
)
def test_nobody_is_sent_to_a_weaker_scheme(url: str, target: str) -> None:
    with pytest.raises(StoreError, match=f"another scheme, {scheme_of(target)}; ask its keepers"):
        check_redirect(url, target)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h/x", "https://h/x"),
        ("https://h/x", f"https://{PUBLIC}/y"),
        (f"https://{HERE}/x", "https://localhost/y"),
        ("https://h/x", "https://localhost-of-somebody/x"),
        ("https://h/x", "https://1234567890x/x"),
    ],
)
def test_other_redirects_are_followed(url: str, target: str) -> None:
    check_redirect(url, target)


def test_a_local_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert storage.local_path("~/x") == tmp_path / "x"
    with pytest.raises(DataError, match=r"local file systems only; convert it to Zarr") as caught:
        storage.local_path("https://me:word@h/x?token=abcdefgh")
    assert caught.value.where == "https://h/x"
