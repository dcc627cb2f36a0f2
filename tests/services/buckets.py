"""What the two S3 services have in common: a credential file and a bucket."""

import configparser
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import Session


def write_credentials(file: Path, profile: str, key: str, secret: str) -> None:
    """Write a file such as ``~/.aws/credentials``, all of it at once."""
    text = f"[{profile}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(file)


def read_credentials(file: Path, profile: str) -> tuple[str, str]:
    """Key and secret of a profile."""
    parser = configparser.ConfigParser()
    parser.read(file)
    return parser[profile]["aws_access_key_id"], parser[profile]["aws_secret_access_key"]


def client(options: dict[str, Any], *, key: tuple[str, str] | None = None) -> Any:
    """A plain botocore client of an endpoint: the second opinion on what is in a bucket."""
    key = key or read_credentials(Path(options["credential_file"]), options["profile"])
    when = {"request_checksum_calculation": "when_required"}
    when["response_checksum_validation"] = "when_required"
    return Session().create_client(
        "s3",
        endpoint_url=options["endpoint_url"],
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        region_name="us-east-1",
        config=Config(**when, s3={"addressing_style": "path"}),
    )


def make_bucket(options: dict[str, Any], name: str) -> None:
    """Make a bucket."""
    client(options).create_bucket(Bucket=name)
