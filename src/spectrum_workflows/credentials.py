"""Recognition of secrets by shape and place: refused where written, hidden where shown.

Names alone do not tell: a token may stand in a URL, an option, a header or a shell line.
Digests in hexadecimal, UUIDs, and names of files and of options that hold a file's name are
no secrets.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

HIDDEN = "[hidden]"

NAMED = re.compile(
    r"(?i)(secret|passw|passphrase|token|credential|connection_?string|bearer|jwt|api_?key"
    r"|(^|[_-])(key|pat|pwd|sas|(pg)?pass)([_-]?id)?$)(?!.*_(file|path|profile)$)"
)
"""Names of options and variables that hold a secret, not of a file that does."""

_QUERY = (
    r"(?i:[\w.-]*(?:signature|credential|token|secret|passw|jwt|api[_-]?key|accesskeyid)[\w.-]*"
    r"|authz|auth|authorization|sig|se?c?key|key|code|pwd|key-pair-id|policy)"
)
"""Names in the query of a signed link, or of one with a token: S3, Azure, Google, XRootD."""

_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "a private key",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*-----)?", re.DOTALL),
    ),
    ("a password", re.compile(r"(?<=://)[^/\s:@'\"]*:[^/\s@'\"]+(?=@)")),
    ("a token", re.compile(r"(?<=://)(?=[^/\s:@]*\d)[\w.~%-]{20,}(?=@)")),
    ("a signed link or a token", re.compile(rf"(?<=[?&;]){_QUERY}=[^&\s'\";#]+")),
    ("an access key", re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}\b")),
    ("a token", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?")),
    ("a macaroon", re.compile(r"\bMDA[\w-]{40,}=*")),
    (
        "a token",
        re.compile(
            r"\b(?:gh[pousr]_\w{30,}|github_pat_\w{22,}|gl[a-z]{2,5}-[\w-]{20,}|xox[a-z]-[\w-]{10,}"
            r"|hf_[A-Za-z0-9]{30,}|AIza[\w-]{35}|ya29\.[\w-]{20,}|pypi-\w[\w-]{30,}"
            r"|sk-[\w-]{20,}|dapi[0-9a-f]{32})"
        ),
    ),
    ("a token", re.compile(r"(?i)\bbearer\s+(?=\S*[\d._=-])[\w.~+/=-]{12,}")),
    (
        "a header with a secret",
        re.compile(
            r"(?i)\b(?:authorization|x-[\w-]*(?:token|key|secret|auth)[\w-]*"
            r"|\w+-(?:token|api-key|secret)(?=:))\s*[:=]\s*"
            r"(?:(?:bearer|basic|token)\s+)?(?!\$)[^\s'\",}]{6,}"
        ),
    ),
    (
        "an option with a secret",
        re.compile(
            r"(?i)(?<![\w-])--?[\w-]*(?:token|secret|passw\w*|api-?key)(?![\w-]*-(?:file|path))"
            r"(?:=|\s+)['\"]?(?![$/~-])[^\s'\"]{4,}"
        ),
    ),
)
_ASSIGNED = re.compile(
    r"(?<![\w.?&;-])([A-Za-z_]\w*)\s*[=:]\s*['\"]?((?![$/~(])[^\s'\",;}\])]{4,})"
)
_SET = re.compile(r"\bsetenv\s+([A-Za-z_]\w*)\s+['\"]?((?![$/~(`])[^\s'\";]{4,})")
_VALUE = r"['\"]?((?![$/~`-])[^\s'\"|;&]{4,})"
_LINES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?:curl|wget|http|git|xrdcp|davix-\w+)\b[^|;&]*\s(?:-u|--(?:proxy-)?user)[\s=]+['\"]?"
        r"(?![$/~])[^\s:'\"]+:(?![$/~])([^\s'\"|;&]+)",
        rf"\bsshpass\s+-p\s*{_VALUE}",
        rf"\b(?:mysql\w*|mariadb\w*)\b[^|;&]*\s-p{_VALUE}",
        rf"\blogin\b[^|;&]*\s-p[\s=]*{_VALUE}",
        rf"\blogin\s+(?=[^\s|;&]*\d){_VALUE[:-5]}{{16,}})",
        rf"\bpassword\s+(?=[^\s|;&]*\d){_VALUE[:-5]}{{8,}})",
        r"\s-pass(?:in|out)?\s+pass:(?![$/~`])(\S{4,})",
        rf"\becho\s+(?:-\w+\s+)*{_VALUE}['\"]?\s*\|"
        r"[^|;&]*\b(?:kinit|login|sudo|gpg|openssl|passwd|\S*-stdin|voms-proxy-init|oidc-\w+)",
    )
)
"""Shell commands that are given a secret on their line: it is their first group."""
_BASIC = re.compile(r"(?i)\bbasic\s+([A-Za-z0-9+/]{8,}={0,2})")
_LONG = re.compile(r"(?<![\w/+.-])(?:[A-Za-z0-9/+]{40}|[A-Za-z0-9_-]{32,}={0,2})(?![\w/+.-])")

Sighting = tuple[str, tuple[int, int]]
"""What it is, and where in the text."""


def found_in(text: str, *, guess: bool = False) -> str:
    """The kind of secret a text holds; empty if none.

    Parameters
    ----------
    text : str
    guess : bool
        Count also what merely looks drawn at random: for places in which
        nobody writes such words otherwise.
    """
    return next((kind for kind, _ in _all(text, guess)), "")


def hidden(text: str) -> str:
    """A text with what is secret in it replaced."""
    if len(text) < 8:
        return text
    pieces: list[str] = []
    end = 0
    for start, stop in sorted(place for _, place in _all(text, guess=True)):
        if start > end or not pieces:
            pieces += [text[end:start], HIDDEN]
        end = max(end, stop)
    return "".join([*pieces, text[end:]])


def all_hidden(value: Any) -> Any:
    """Every text in nested mappings and sequences `hidden`."""
    return _changed(value, hidden)


def texts(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Every text in nested mappings and sequences, keys among them, and its dotted place."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield at, str(key)
            yield from texts(inner, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from texts(inner, at)
        if len(words := [inner for inner in value if isinstance(inner, str)]) > 1:
            yield at, " ".join(words)  # an option and its value


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {
            change(k) if isinstance(k, str) else k: _changed(v, change) for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [_changed(inner, change) for inner in value]
    return value


def _all(text: str, guess: bool) -> Iterator[Sighting]:
    """Everything secret in a text that is not hidden yet; places may overlap."""
    for kind, place in _shaped(text, guess):
        if HIDDEN[:-1] not in text[slice(*place)]:
            yield kind, place


def _shaped(text: str, guess: bool) -> Iterator[Sighting]:
    for kind, shape in _SHAPES:
        yield from ((kind, match.span()) for match in shape.finditer(text))
    for match in _ASSIGNED.finditer(text):
        named = NAMED.search(match[1]) and match[1].lower() != "key"  # Dask's tasks have keys
        if named and _may_be_secret(match[2]):
            yield f"a value for {match[1]}", match.span(2)
    yield from _in_commands(text)
    for match in _BASIC.finditer(text):
        if _is_user_and_password(match[1]):
            yield "a password", match.span()
    if guess:
        for match in _LONG.finditer(text):
            if _is_drawn(match[0]):
                yield "a long word drawn at random", match.span()


def _in_commands(text: str) -> Iterator[Sighting]:
    """What shell commands are given on their line."""
    for match in _SET.finditer(text):
        if NAMED.search(match[1]):
            yield f"a value for {match[1]}", match.span(2)
    for line in _LINES:
        yield from (("a password or a token", match.span(1)) for match in line.finditer(text))


def _may_be_secret(value: str) -> bool:
    """Whether a value is more than a plain word, such as in ``unexpected token: name``."""
    return len(value) >= 8 or not value.isalpha()


def _is_user_and_password(text: str) -> bool:
    try:
        return b":" in base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


AWS_SECRET = 40
"""Letters, digits, slashes and plus signs of a secret access key of S3."""


def _is_drawn(word: str) -> bool:
    """Whether a word changes between capitals, small letters and digits as chance would.

    Names of samples and files change at word boundaries only; hexadecimal
    digests have one kind of letters.
    """
    plain = re.sub(r"[/+]", "", word)
    if len(word) == AWS_SECRET and not word.startswith("/") and re.fullmatch(r"[\w/+]*", word):
        kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" for c in plain]
        changes = sum(a != b for a, b in pairwise(kinds))
        if {*kinds} == {"d", "u", "l"} and changes >= 0.34 * (len(kinds) - 1):
            return "_" not in word
    longest = max(re.split(r"[_/+=-]", word), key=len)
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" for c in longest]
    if len(kinds) < 20 or len(longest) < 0.5 * len(word):
        return False
    changes = sum(a != b for a, b in pairwise(kinds))
    return {*kinds} == {"d", "u", "l"} and changes >= 0.45 * (len(kinds) - 1)
