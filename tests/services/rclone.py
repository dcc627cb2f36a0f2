"""A second kind of S3: ``rclone serve s3`` over a folder, from the wheel of the test group."""

import secrets
import sys
from pathlib import Path
from typing import Any

from buckets import write_credentials
from processes import end_file, free_ports, listens, start, until

PROGRAMS = ()  # it comes with the test group
BUCKET, PROFILE = "spectrum-rclone", "rclone"


def up(folder: Path) -> dict[str, str]:
    """Start it with one bucket; its clients need no environment."""
    (folder / "files" / BUCKET).mkdir(parents=True)
    [port] = free_ports(1)
    (folder / "port").write_text(str(port))
    key, secret = secrets.token_hex(8), secrets.token_hex(16)
    write_credentials(folder / "credentials", PROFILE, key, secret)
    program = str(Path(sys.executable).with_name("rclone"))
    options = [f"--addr=127.0.0.1:{port}", "--force-path-style=true", "--vfs-cache-mode=off"]
    command = [program, "serve", "s3", *options, str(folder / "files")]
    environment = {"RCLONE_AUTH_KEY": f'"{key},{secret}"', "RCLONE_CONFIG": str(folder / "none")}
    (folder / "pid").write_text(str(start(command, folder / "log", environment)))
    until(lambda: listens(port), "rclone")
    return {}


def down(folder: Path) -> None:
    """Stop it."""
    end_file(folder / "pid")


def store(folder: Path) -> dict[str, Any]:
    """Data root and storage options, as a file of stores has them."""
    options = {
        "endpoint_url": f"http://127.0.0.1:{(folder / 'port').read_text()}",
        "credential_file": str(folder / "credentials"),
        "profile": PROFILE,
    }
    return {
        "data": f"s3://{BUCKET}/data",
        "storage": {f"s3://{BUCKET}": options},
    }
