"""Covariance of the bins of a result, as a labelled matrix."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spectrum_workflows.domain import plain_result
from spectrum_workflows.hep.bootstrap.covariance import replicated_bins

if TYPE_CHECKING:
    import xarray as xr

    from spectrum_workflows.hep.types import HepResult


def covariance(
    result: HepResult,
    *,
    samples: str | Sequence[str] | None = None,
    histograms: str | Sequence[str] | None = None,
    flow: bool = False,
) -> xr.DataArray:
    """Statistical covariance of the bins of histograms, from bootstrap replicas.

    One matrix for all of them: bins of several histograms or regions that share events are
    correlated.  Its error is that of R replicas: a variance is known to ``sqrt(2 / (R - 1))`` of
    itself, a correlation near 0 to ``1 / sqrt(R - 1)``, and its rank is at most R - 1.

    Parameters
    ----------
    result : HepResult
        Of a run whose spec has ``[bootstrap]``; one of its ``eras``, or their sum.
    samples : str or sequence of str, optional
        Whose sum it is of: different samples are independent.  All simulated ones that vary no
        other, if left out; where there are none, data.
    histograms : str or sequence of str, optional
        In this order; all that have replicas if left out.
    flow : bool
        Whether what lies outside the axes has bins, too.

    Returns
    -------
    xarray.DataArray, shape (n_bins, n_bins)
        With dimensions ``bin`` and ``other_bin``, whose labels are such as ``4j1b/3``; beside
        them ``histogram`` and ``other_histogram``.  In (events)², or of a profile in the square of
        its unit.  NaN for bins of profiles that are empty in some replica, of which a warning
        tells how many there are.

    Raises
    ------
    SpecError
        There are no replicas, or none of this sample or histogram; or more than 10,000 bins.
    MissingExtraError
        xarray is not installed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from spectrum_workflows import connect, hep, load_site, load_spec, make_data, run
    >>> spec = load_spec("hep/dimuon").changed(bootstrap={"replicas": 20})
    >>> with TemporaryDirectory() as folder:
    ...     with connect(load_site("serial"), data=folder) as place:
    ...         _ = make_data(spec, place, size=2_000)
    ...         result = run(spec, place).result
    >>> matrix = hep.covariance(result, histograms="z")
    >>> matrix.shape, matrix.sel(bin="z/30", other_bin="z/30").item() > 0
    ((60, 60), True)
    """
    bins = replicated_bins(result, samples, histograms, flow=flow)
    plain_result.import_xarray("hep.covariance")
    import xarray as xr

    labels, own = list(bins.labels), list(bins.histograms)
    coordinates: dict[str, Any] = {
        "bin": labels,
        "other_bin": labels,
        "histogram": ("bin", own),
        "other_histogram": ("other_bin", own),
    }
    about = {"replicas": bins.values.shape[1], "samples": list(bins.samples)}
    dims = ("bin", "other_bin")
    if bins.without_mean:
        few = f"{bins.without_mean} bins of profiles are empty in some replica"
        message = f"{few}: their covariance is NaN; give profiles wider bins"
        warnings.warn(message, stacklevel=2)
    return xr.DataArray(bins.covariance, coordinates, dims, "covariance", about)
