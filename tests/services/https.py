"""A real nginx on loopback that serves a folder over https, with an authority of our own."""

import os
import secrets
from pathlib import Path
from typing import Any

import trustme
from processes import end_file, free_ports, listens, start, until

PROGRAMS = ("nginx",)

CONFIGURATION = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  {temporary}
  server {{
    listen 127.0.0.1:{ports[0]} ssl;
    listen 127.0.0.1:{ports[1]};
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    root {folder}/files;
    location /closed/ {{ return 403; }}
    location /private/ {{
      if ($http_authorization != "Bearer {token}") {{ return 401; }}
      rewrite ^/private/(.*)$ /$1 break;
    }}
  }}
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def up(folder: Path) -> dict[str, str]:
    """Start it; its clients need no environment."""
    (folder / "files").mkdir(parents=True)
    ports = free_ports(2)
    (folder / "ports").write_text(" ".join(map(str, ports)))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    for n, pem in enumerate(certificate.cert_chain_pems):
        pem.write_to_path(folder / "server.pem", append=n > 0)
    temporary = " ".join(f"{t}_temp_path {folder}/{t};" for t in TEMPORARY)
    user = "user root;" if os.geteuid() == 0 else ""  # the folder is ours alone
    (folder / "token").write_text(token := secrets.token_hex(16))
    text = CONFIGURATION.format(
        folder=folder, ports=ports, temporary=temporary, user=user, token=token
    )
    (folder / "nginx.conf").write_text(text)
    command = ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    (folder / "pid").write_text(str(start(command, folder / "log")))
    until(lambda: listens(ports[0]), "nginx")
    return {}


def down(folder: Path) -> None:
    """Stop it."""
    end_file(folder / "pid")


def ports(folder: Path) -> list[int]:
    """The ports of https and of plain http."""
    return [int(port) for port in (folder / "ports").read_text().split()]


def store(folder: Path) -> dict[str, Any]:
    """Data root and storage options, as a file of stores has them."""
    root = f"https://127.0.0.1:{ports(folder)[0]}/"
    return {
        "data": f"{root}data",
        "upload": str(folder / "files" / "data"),
        "storage": {root: {"ca_file": str(folder / "ca.pem")}},
    }
