"""Every URL goes through here: one door to local files, S3, XRootD and https.

Options per URL prefix come from the site profile and hold no secrets;
credentials are found by the libraries' own chains where they are used, and
are read again when a store refuses them.  What a store does that may pass is
tried again; what is wrong is said with the endpoint's and the bucket's name.
"""

from spectrum_workflows.storage.errors import missing
from spectrum_workflows.storage.filesystems import filesystem_options, locate
from spectrum_workflows.storage.location import Location, location_of, to_read
from spectrum_workflows.storage.metering import (
    Counter,
    count,
    count_stores,
    metering,
    remark,
    replicas_of,
    store_of,
)
from spectrum_workflows.storage.options import (
    Stores,
    current_stores,
    results_root,
    using,
    writing_below,
)
from spectrum_workflows.storage.reading import (
    exists,
    files_below,
    info,
    open_read,
    read_bytes,
    read_ranges,
    size_below,
    sizes_below,
)
from spectrum_workflows.storage.retry import persist
from spectrum_workflows.storage.roots import below, data_roots, join
from spectrum_workflows.storage.stamps import HASTY, stamp, stamp_below, stamps_of
from spectrum_workflows.storage.urls import (
    is_local,
    local_path,
    same_place,
    shown,
)
from spectrum_workflows.storage.writing import (
    check_writable,
    put_file,
    remove,
    write_bytes,
    writing_nothing,
)

__all__ = [
    "HASTY",
    "Counter",
    "Location",
    "Stores",
    "below",
    "check_writable",
    "count",
    "count_stores",
    "current_stores",
    "data_roots",
    "exists",
    "files_below",
    "filesystem_options",
    "info",
    "is_local",
    "join",
    "local_path",
    "locate",
    "location_of",
    "metering",
    "missing",
    "open_read",
    "persist",
    "put_file",
    "read_bytes",
    "read_ranges",
    "remark",
    "remove",
    "replicas_of",
    "results_root",
    "same_place",
    "shown",
    "size_below",
    "sizes_below",
    "stamp",
    "stamp_below",
    "stamps_of",
    "store_of",
    "to_read",
    "using",
    "write_bytes",
    "writing_below",
    "writing_nothing",
]
