"""Errors of stores: what can be done about them, and what a reader is told."""

import errno
import os
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spectrum_workflows import storage
from spectrum_workflows.errors import (
    AccessError,
    DataError,
    DataNotFoundError,
    SpectrumError,
    StoreError,
)
from spectrum_workflows.storage.errors import describe, endpoint, is_ours, kind_of

S3, HTTPS, XROOTD, HERE = (
    storage.location_of(url) for url in ("s3://b/x", "https://h/x", "root://h//x", "/x")
)


class HttpError(OSError):
    """As aiohttp says it; its text quotes the URL with its query."""

    def __init__(self, status: int, message: str = "no") -> None:
        super().__init__(f"{status}, message={message}, url='https://h/x?sig=abcdefgh'")
        self.status, self.message = status, message


class S3Error(OSError):
    """As s3fs translates it."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(f"An error occurred ({code})")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


class WrappedError(OSError):
    """As botocore wraps: the cause is an argument."""

    def __init__(self, error: object) -> None:
        super().__init__("could not connect")
        self.kwargs = {"error": error}


def named(name: str, module: str = "botocore.exceptions") -> Exception:
    """An error of a library, known by its name only."""
    return type(name, (Exception,), {"__module__": module})("x")


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_statuses_that_pass(status: int) -> None:
    assert kind_of(HttpError(status), HTTPS) == "passing"


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "denied"), (403, "denied"), (404, "missing"), (410, "permanent")]
)
def test_statuses_that_do_not(status: int, kind: str) -> None:
    assert kind_of(HttpError(status), HTTPS) == kind


@pytest.mark.parametrize(
    "name",
    ["NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "TokenRetrievalError"],
)
def test_credentials_that_the_library_does_not_find_are_a_refusal(name: str) -> None:
    assert kind_of(named(name), S3) == "denied"


def test_an_error_of_the_network_is_known_by_its_library() -> None:
    assert kind_of(named("ServerDisconnectedError", "aiohttp.client_exceptions"), HTTPS) == (
        "passing"
    )
    assert kind_of(named("ServerDisconnectedError", "somebody.else"), HTTPS) == "unknown"


@pytest.mark.parametrize("wrap", [lambda e: caused(OSError("x"), e), WrappedError])
def test_what_is_wrapped_is_looked_into(wrap: Any) -> None:
    bad = ssl.SSLCertVerificationError("self-signed certificate")
    assert kind_of(wrap(bad), S3) == "certificate"
    assert kind_of(wrap(named("NoCredentialsError")), S3) == "denied"
    assert is_ours(wrap(DataError("mine"))) is not None
    assert is_ours(wrap(ValueError("not mine"))) is None


def test_a_wrapped_text_is_no_error() -> None:
    assert kind_of(WrappedError("a text"), S3) == "passing"


def test_what_happened_before_is_not_the_cause() -> None:
    """An error that was handled stays in the context of the next one."""
    try:
        try:
            raise DataError("handled")
        except DataError:
            raise OSError("the next")  # noqa: B904
    except OSError as error:
        assert is_ours(error) is None
        assert kind_of(error, S3) == "passing"


def test_errors_of_ours_are_not_sorted() -> None:
    assert kind_of(DataError("mine"), S3) == "unknown"


@pytest.mark.parametrize("number", [errno.ELOOP, errno.ENAMETOOLONG, errno.EIO, errno.ESTALE])
def test_a_file_system_that_cannot_read_says_why(number: int) -> None:
    error = OSError(number, os.strerror(number))
    assert kind_of(error, HERE) == "permanent"
    told = describe("permanent", error, HERE, None)
    assert isinstance(told, StoreError)
    assert (told.where, told.remedy) == ("/x", "check its name and its file system")
    assert os.strerror(number) in told.what


def test_a_local_error_of_another_kind_is_left_alone() -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    assert kind_of(error, HERE) == "unknown"
    assert describe("unknown", error, HERE, None) is error


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[ERROR] Server responded with an error: [3010] Opening relative path", "permanent"),
        ("[3010] permission denied", "denied"),
        ("[3030] x", "denied"),
        ("User is not authorized", "denied"),
        ("No such file or directory", "missing"),
        ("[ERROR] Socket timeout", "passing"),
    ],
)
def test_words_of_xrootd(text: str, kind: str) -> None:
    assert kind_of(OSError(text), XROOTD) == kind


# What is told


@pytest.mark.parametrize(
    ("kind", "of", "says"),
    [
        ("denied", AccessError, "https://h refused access (401 no)"),
        ("passing", StoreError, "https://h did not answer (401 no)"),
        ("permanent", StoreError, "https://h refused (401 no)"),
        ("certificate", StoreError, "the certificate of https://h is not valid"),
    ],
)
def test_the_answer_is_told_without_the_signed_query(kind: Any, of: type, says: str) -> None:
    place = storage.location_of("https://h/x?list=1")
    told = describe(kind, HttpError(401), place, None)
    assert type(told) is of
    assert isinstance(told, SpectrumError)
    assert (told.what, told.where) == (says, "https://h/x")
    assert "abcdefgh" not in str(told)


def test_an_answer_of_s3_is_told_by_its_code_and_bucket() -> None:
    told = describe("denied", S3Error("SignatureDoesNotMatch", 403), S3, SimpleNamespace())
    assert str(told).startswith(
        "s3://b/x: the S3 service refused access for bucket 'b' (SignatureDoesNotMatch); check the"
    )


def test_an_error_without_words_is_told_by_its_name_and_a_long_one_is_cut() -> None:
    assert "(TimeoutError)" in str(describe("passing", TimeoutError(), HTTPS, None))
    told = describe("passing", OSError("many  words\n" * 100), HTTPS, None)
    assert "(many words many words" in str(told)
    assert len(str(told)) < 260


def test_what_fsspec_calls_missing_is_told_by_its_cause() -> None:
    error = caused(FileNotFoundError("https://h/x"), HttpError(503, "busy"))
    assert "did not answer (503 busy)" in str(describe("passing", error, HTTPS, None))


class Bucket:
    """A file system that knows, or does not, whether a bucket is there."""

    endpoint_url = "https://store"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def call_s3(self, name: str, *, Bucket: str) -> None:
        assert (name, Bucket) == ("head_bucket", "b")
        if self.error:
            raise self.error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (None, "no such object in bucket 'b' at https://store"),
        (FileNotFoundError(), "no bucket 'b' at https://store"),
        (PermissionError(), "not found at https://store for bucket 'b'"),
    ],
)
def test_a_missing_object_and_a_missing_bucket_are_told_apart(
    error: Exception | None, says: str
) -> None:
    told = describe("missing", FileNotFoundError(), S3, Bucket(error))
    assert isinstance(told, DataNotFoundError)
    assert told.what == says
    assert "--data" in told.remedy


def test_the_endpoint_of_a_service_that_answers_is_the_one_it_uses() -> None:
    client = SimpleNamespace(meta=SimpleNamespace(endpoint_url="https://used"))
    fs = SimpleNamespace(_s3=client, endpoint_url="https://given")
    assert endpoint(S3, fs) == "https://used"
    assert endpoint(S3, SimpleNamespace(_s3=None, endpoint_url=None)) == "the S3 service"
    assert endpoint(storage.location_of("root://me@h:1//x"), None) == "root://h:1"


def test_a_name_of_das_without_a_server_is_told_how_it_is_read() -> None:
    told = storage.missing("/store/data/x.root")
    assert "--data root://REDIRECTOR" in str(told)
    assert "REDIRECTOR" not in str(storage.missing("/data/x.root"))


def test_a_file_that_is_closed_to_us_is_said_with_its_name() -> None:
    error = PermissionError(errno.EACCES, "Permission denied")
    told = describe(kind_of(error, HERE), error, HERE, None)
    assert isinstance(told, AccessError)
    assert str(told) == "/x: not allowed to read this; check its permissions"


def test_a_link_to_itself_is_said_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to("x")
    with pytest.raises(StoreError, match=r"cannot be read \(.*symbolic links.*\)"):
        storage.read_bytes(str(tmp_path / "x"))
