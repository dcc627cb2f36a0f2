"""Where to compute: a site profile becomes a place with a Dask client."""

from spectrum_workflows.sites.place import Place, connect
from spectrum_workflows.sites.profile import Site, load_site, site_names

__all__ = ["Place", "Site", "connect", "load_site", "site_names"]
