"""Errors of stores: their kind, and a description that holds no secret."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator
from typing import Any, Literal

from spectrum_workflows.errors import (
    AccessError,
    DataNotFoundError,
    SpectrumError,
    StoreError,
)
from spectrum_workflows.storage.location import Location
from spectrum_workflows.storage.urls import shown

Kind = Literal["missing", "denied", "certificate", "passing", "permanent", "unknown"]

_DENIED = {
    *("400", "401", "403", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"),
    *("AuthorizationHeaderMalformed", "NoCredentialsError", "PartialCredentialsError"),
    *("ProfileNotFound", "CredentialRetrievalError", "TokenRetrievalError"),
    "UnsupportedAlgorithm",
}
"""Codes of S3 answers and names of botocore errors.  HEAD says 400 of an old token, and
rclone says UnsupportedAlgorithm of a request without signature."""
_PASSING = {"RequestTimeout", "IncompleteBody", "XAmzContentSHA256Mismatch"}
"""Codes of S3 answers that are the network's fault although their status is 400."""
_LATER = {408, 425, 429}
_UNREADABLE = {errno.ELOOP, errno.ENAMETOOLONG, errno.EIO, errno.ESTALE, errno.ENOTCONN}
"""What a file system here says of links in a circle, names too long, and disks or servers lost."""
_ROOT_MISSING = ("[3011]", "no such file")
_ROOT_DENIED = ("[3010]", "[3030]", "permission denied", "auth failed", "not authorized")
"""What servers say, with the numbers of the XRootD protocol (kXR_NotFound, kXR_NotAuthorized,
kXR_AuthFailed)."""


def kind_of(error: BaseException, place: Location) -> Kind:
    """Sort an error by what can be done: another try, new credentials, or nothing."""
    chain = [*_chain(error)]
    if isinstance(error, FileNotFoundError) and error.__cause__:
        return kind_of(error.__cause__, place)  # fsspec says this of whatever befell it over http
    if isinstance(error, SpectrumError):
        kind: Kind = "unknown"
    elif any(_about_certificate(e) for e in chain):
        kind = "certificate"
    elif isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
        kind = "missing"
    elif isinstance(error, PermissionError) or any(_code(e) in _DENIED for e in chain):
        kind = "denied"
    elif place.is_local:
        kind = "permanent" if getattr(error, "errno", None) in _UNREADABLE else "unknown"
    elif not _of_the_network(error):
        kind = "unknown"
    elif any(_code(e) in _PASSING for e in chain):
        kind = "passing"
    elif place.scheme == "root":
        kind = _root_kind(str(error).lower())
    else:
        kind = _status_kind(next((s for e in chain if (s := _status(e))), 0))
    return kind


def is_ours(error: BaseException) -> SpectrumError | None:
    """Our own error, if a library has wrapped one: fsspec does whatever befell it over http."""
    return next((e for e in _chain(error) if isinstance(e, SpectrumError)), None)


def describe(kind: Kind, error: BaseException, place: Location, fs: Any) -> BaseException:
    """The error to raise: it names endpoint and bucket, and what to do."""
    if place.is_local:
        here = {"missing": missing(place.url), "denied": _denied_here(place)}
        if isinstance(error, OSError) and error.strerror:
            message = f"cannot be read ({error.strerror})"
            here["permanent"] = StoreError(
                message, place.shown, "check its name and its file system"
            )
        return here.get(kind, error)
    if kind == "missing":
        return _missing_there(place, fs)
    where, whom, cause = (
        place.shown,
        endpoint(place, fs),
        f"{_for_bucket(place)} ({_own_words(error)})",
    )
    words: dict[str, SpectrumError] = {
        "denied": AccessError(
            f"{whom} refused access{cause}",
            where,
            "check the credentials that the site profile or the environment refers to",
        ),
        "certificate": StoreError(
            f"the certificate of {whom} is not valid",
            where,
            "ca_file in the site profile's [storage] names the authority to trust",
        ),
        "passing": StoreError(
            f"{whom} did not answer{cause}", where, "is it up, and is its address right?"
        ),
        "permanent": StoreError(f"{whom} refused{cause}", where),
    }
    return words.get(kind, error)


def missing(url: str) -> DataNotFoundError:
    """The error for data that is not there."""
    remedy = "check the name, or say where the data is: --data, or connect(site, data=...)"
    if url.startswith("/store/"):
        remedy = "names as DAS prints them are read below --data root://REDIRECTOR"
    return DataNotFoundError("no such file", shown(url), remedy)


def endpoint(place: Location, fs: Any) -> str:
    """Whom a URL asks: the S3 service's URL, or the host."""
    if place.scheme in ("s3", "s3a"):
        client = getattr(fs, "_s3", None)
        url = client.meta.endpoint_url if client else getattr(fs, "endpoint_url", None)
        return str(url or "the S3 service")
    return "/".join(place.shown.split("/", 3)[:3])


def _for_bucket(place: Location) -> str:
    return f" for bucket {place.bucket!r}" if place.bucket else ""


def _missing_there(place: Location, fs: Any) -> DataNotFoundError:
    remedy = "check the name, or say where the data is: --data, or connect(site, data=...)"
    bucket, whom = place.bucket, endpoint(place, fs)
    if not bucket:
        return DataNotFoundError(f"no such file at {whom}", place.shown, remedy)
    try:
        fs.call_s3("head_bucket", Bucket=bucket)
    except FileNotFoundError:
        return DataNotFoundError(f"no bucket {bucket!r} at {whom}", place.shown, remedy)
    except Exception:  # what it was asked for is missing all the same
        return DataNotFoundError(f"not found at {whom} for bucket {bucket!r}", place.shown, remedy)
    message = f"no such object in bucket {bucket!r} at {whom}"
    return DataNotFoundError(message, place.shown, remedy)


def _denied_here(place: Location) -> AccessError:
    return AccessError("not allowed to read this", place.url, "check its permissions")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes; not its context, which may be some earlier error of ours."""
    while error is not None:
        yield error
        error = error.__cause__ or _exception(getattr(error, "kwargs", {}))  # botocore's is there


def _exception(kwargs: Any) -> BaseException | None:
    error = kwargs.get("error") if isinstance(kwargs, dict) else None
    return error if isinstance(error, BaseException) else None


def _about_certificate(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(
        error
    )


def _code(error: BaseException) -> str:
    """Code of an S3 answer, status of an http one, or the error's own name."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    status = getattr(error, "status", None)
    return str(status) if status in (401, 403) else type(error).__name__


def _status(error: BaseException) -> int:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    status = getattr(error, "status", 0)
    return status if isinstance(status, int) else 0


def _status_kind(status: int) -> Kind:
    known: dict[int, Kind] = {401: "denied", 403: "denied", 404: "missing"}
    if status in known:
        return known[status]
    return "permanent" if 300 <= status < 500 and status not in _LATER else "passing"


def _of_the_network(error: BaseException) -> bool:
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError | EOFError) or package in (
        *("aiohttp", "aiobotocore", "botocore", "fsspec", "urllib3", "XRootD"),
    )


def _root_kind(text: str) -> Kind:
    if "relative path" in text:  # said with the number of a refusal
        return "permanent"
    if any(word in text for word in _ROOT_MISSING):
        return "missing"
    return "denied" if any(word in text for word in _ROOT_DENIED) else "passing"


def _own_words(error: BaseException) -> str:
    """The store's own word for it, or else what the library said; never a URL with its query."""
    if isinstance(error, FileNotFoundError) and error.__cause__:
        error = error.__cause__
    for one in _chain(error):
        if code := _s3_code(one):
            return code
        if (status := _status(one)) and hasattr(one, "message"):  # aiohttp's, which quotes the URL
            return f"{status} {one.message}"
    return " ".join(str(error).split())[:160] or type(error).__name__


def _s3_code(error: BaseException) -> str:
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    return str(code)
