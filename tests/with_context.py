"""Run by the validator's own Python: put a JSON-LD context into its cache of answers."""

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
from requests_cache import CachedSession
from urllib3 import HTTPResponse


class _FromFile(requests.adapters.HTTPAdapter):
    """Answers every request with the content of a file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def send(self, request: Any, **_: Any) -> Any:
        """See `requests.adapters.BaseAdapter`."""
        raw = HTTPResponse(
            body=BytesIO(self.path.read_bytes()),
            headers={"Content-Type": "application/ld+json"},
            status=200,
            preload_content=False,
            request_url=request.url,
            request_method="GET",
        )
        return self.build_response(request, raw)


url, file, cache = sys.argv[1:]
session = CachedSession(cache_name=cache, backend="sqlite", expire_after=-1)
session.mount("https://", _FromFile(Path(file)))
session.get(url).raise_for_status()
