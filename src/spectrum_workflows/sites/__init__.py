"""Sites to compute at: a site profile becomes a place with a Dask client."""

from __future__ import annotations

from typing import Any

from spectrum_workflows.sites.place import Place, connect
from spectrum_workflows.sites.profile import Batch, Site
from spectrum_workflows.sites.profile_files import load_site, resolve, site_names

__all__ = [
    "Place",
    "Site",
    "connect",
    "job_script",
    "load_site",
    "profile_schema",
    "resolve",
    "site_names",
]


def job_script(site: Site) -> str:
    """The batch job of one worker; empty where the site has none."""
    if not isinstance(site.cluster, Batch):
        return ""
    from spectrum_workflows.sites.batch.jobs import job_script as script

    return script(site, site.cluster)


def profile_schema() -> dict[str, Any]:
    """JSON Schema of a profile file, in which every key may be left to ``extends``."""
    schema = Site.model_json_schema()
    schema.pop("required", None)
    described = {"description": "The profile that this one changes.", "type": "string"}
    schema["properties"]["extends"] = described | {"title": "Extends"}
    for part in schema["$defs"].values():
        part.pop("required", None)
    schema["properties"]["cluster"] = _without_discriminator(schema["properties"]["cluster"])
    return schema


def _without_discriminator(part: dict[str, Any]) -> dict[str, Any]:
    """``kind`` may be inherited too, so it cannot tell the alternatives apart."""
    for choice in part.get("anyOf", []):
        choice.pop("discriminator", None)
        if "oneOf" in choice:
            choice["anyOf"] = choice.pop("oneOf")
    return part
