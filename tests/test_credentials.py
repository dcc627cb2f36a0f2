"""Secrets by shape and place; what only looks like one is left alone."""

import base64
import random
import string

import pytest

from spectrum_workflows.credentials import HIDDEN, all_hidden, found_in, hidden, texts
from spectrum_workflows.domain import Failure
from spectrum_workflows.errors import DataError

DRAWN = random.Random(5)


def drawn(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(DRAWN.choice(letters) for _ in range(length))


JWT = f"eyJhbGciOiJIUzI1NiJ9.{drawn(40)}.{drawn(43)}"
BASIC = base64.b64encode(b"me:open sesame").decode()
PEM = f"-----BEGIN EC PRIVATE KEY-----\n{drawn(64)}\n-----END EC PRIVATE KEY-----"
SECRETS = {
    "aws id": (f"AKIA{drawn(16, string.ascii_uppercase)}", None),
    "aws session id": (f"ASIA{drawn(16, string.ascii_uppercase)}", None),
    "jwt": (JWT, None),
    "github": (f"ghp_{drawn(36)}", None),
    "github fine": (f"github_pat_{drawn(60)}", None),
    "gitlab": (f"glpat-{drawn(20)}", None),
    "pem": (PEM, None),
    "password in URL": ("https://me:opensesame@host/x", "opensesame"),
    "token as user": ("https://:opensesame@host/x", "opensesame"),
    "s3 signed": (f"https://h/b/f.root?X-Amz-Date=1&X-Amz-Signature={drawn(64)}&a=1", "Signature"),
    "azure signed": (f"https://h/b/f.root?sv=1&sig={drawn(43)}%3D", "sig="),
    "google signed": (f"https://h/f?X-Goog-Signature={drawn(20)}", "Signature"),
    "cloudfront": (f"https://h/f?Expires=1&Signature={drawn(20)}&Key-Pair-Id=APK", "APK"),
    "xrootd": (f"root://h//f.root?authz={drawn(30)}", "authz"),
    "token query": ("https://h/f.root?token=opensesame", "opensesame"),
    "bearer": (f"Authorization: Bearer {drawn(30)}", "Bearer"),
    "curl": (f"curl -H 'Authorization: Basic {BASIC}' https://h", BASIC),
    "header": ("X-Auth-Token: opensesame1", "opensesame1"),
    "python header": ("{'X-Api-Key': 'opensesame1'}".replace("'", ""), "opensesame1"),
    "option": ("fetch --token opensesame1 x", "opensesame1"),
    "option =": ("fetch --api-key=opensesame1 x", "opensesame1"),
    "assigned": ("export MY_TOKEN=opensesame1", "opensesame1"),
    "export list": ("--export=ALL,DB_PASSWORD=opensesame1", "opensesame1"),
    "curl user": ("curl -O -u me:opensesame1 https://h/f", "opensesame1"),
    "token alone as user": (f"git clone https://{drawn(19)}1@host/x", None),
    "private token": ("curl -H 'PRIVATE-TOKEN: opensesame1' https://h", "opensesame1"),
    "sshpass": ("sshpass -p opensesame1 ssh h", "opensesame1"),
    "mysql": ("mysql -u me -popensesame1", "opensesame1"),
    "docker": ("docker login -u me -p opensesame1 h", "opensesame1"),
    "login": ("wandb login 0123456789abcdef0123456789abcdef01234567", "0123456789abcdef"),
    "netrc": ("echo machine h login me password opensesame1 >> ~/.netrc", "opensesame1"),
    "openssl": ("openssl rsa -passin pass:opensesame1 -in k", "opensesame1"),
    "kinit": ("echo opensesame1 | kinit me", "opensesame1"),
    "csh": ("setenv MY_SECRET opensesame1", "opensesame1"),
    "pgpass": ("export PGPASS=opensesame1", "opensesame1"),
    "query key": ("https://h/f.root?key=opensesame1", "opensesame1"),
    "config": ("aws_secret_access_key = opensesame1", "opensesame1"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_found_and_hidden(name: str) -> None:
    text, part = SECRETS[name]
    assert found_in(text)
    assert found_in(f"before {text} after")
    shown = hidden(f"before {text} after")
    assert (part or text) not in shown
    assert HIDDEN in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert not found_in(shown)


def test_a_bare_secret_is_found_where_nothing_else_looks_so() -> None:
    letters = string.ascii_letters + string.digits
    words = [drawn(length, letters) for length in (32, 40, 64) for _ in range(100)]
    assert sum(bool(found_in(word, guess=True)) for word in words) >= 280
    secret = "q8LrX2Utn1FEm5K7M3dN9bPx4fi6YzA0sPLe7kVt"
    assert found_in(secret, guess=True)
    assert secret not in hidden(f"denied for {secret}")


def test_secret_access_keys_are_found_with_their_slashes() -> None:
    letters = string.ascii_letters + string.digits + "/+"
    words = [drawn(40, letters) for _ in range(200)]
    assert sum(bool(found_in(f"--comment={word}", guess=True)) for word in words) >= 180
    assert found_in("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", guess=True)  # of Amazon's manuals


def test_an_option_and_its_value_as_two_words() -> None:
    said = {"worker_extra_args": ["--nanny", "--token", "opensesame1"]}
    assert [at for at, text in texts(said) if found_in(text)] == ["worker_extra_args"]


HARMLESS = (
    "9e44bd465de8" + "0" * 52,
    "sha256: " + "c68bee12" * 8,
    "adler32 = 2b8c1a77",
    "08FCB2ED-176B-064B-85AB-37B898773B98.root",
    "123e4567-e89b-12d3-a456-426614174000",
    "/store/mc/RunIISummer20UL16NanoAODv9/TTToSemiLeptonic_TuneCP5_13TeV-powheg-pythia8/NANOAODSIM/"
    "106X_mcRun2_asymptotic_v17-v1/120000/08FCB2ED-176B-064B-85AB-37B898773B98.root",
    "TTToSemiLeptonic_TuneCP5_13TeV-powheg-pythia8",
    "WJetsToLNu_HT-2500ToInf_TuneCP5_13TeV-madgraphMLM-pythia8_ext1",
    "HLT_IsoMu24_eta2p1_MediumDeepTauPFTauHPS35_L2NN_eta2p1_CrossL1",
    "https://eospublic.cern.ch//eos/root-eos/benchmark/Run2012B_SingleMu.root",
    "https://h/f.root?download=1",
    "s3://bucket/sets/vla.zarr",
    "root://xrootd.example.org//store/data/Run2018A/x.root",
    "root://me@host//f.root",
    "token_file = ~/.token",
    "BEARER_TOKEN_FILE=/run/token",
    'export TOKEN="$(cat ~/.token)"',
    "--token-file ~/.token",
    "source ${SCRATCH}/spectrum/.venv/bin/activate",
    "--constraint=cpu",
    "module load Python/3.11",
    "not valid TOML: unexpected token: name",
    "basic selection of muons",
    "key: value",
    "login node of the cluster, password file",
    "ssh login01 -p 2222x",
    "curl -u $USER:$(cat ~/.p) https://h",
    "echo done | tee log",
    "git clone https://user@host/x",
    "bypass=whatever1",
    "data/Run2012B_DoubleMuParked/AOD/v1/part1",
    "fdm_2024-v3_final",
    "tls_client_key = ~/certificates/key.pem",
    "2026-11-26T10:35:57+00:00",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_no_false_alarms(text: str) -> None:
    assert found_in(text, guess=True) == ""
    assert hidden(text) == text


def test_errors_failures_and_records_hide_them() -> None:
    link = "https://h/f.root?X-Amz-Signature=abcdef12345"
    for text in (
        str(DataError("cannot read " + link, link, "try " + link)),
        Failure(link, 1, f"OSError: {link}", 1).error,
        Failure(link, 1, "x", 1).where,
        str(all_hidden({"inputs": {link: "etag"}, "notes": [link, 3, None]})),
    ):
        assert "abcdef12345" not in text
        assert "https://h/f.root" in text
