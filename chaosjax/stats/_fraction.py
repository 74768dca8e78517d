"""The fraction of seeds with a property."""

import xarray as xr
from scipy.stats import beta

from chaosjax.stats._checks import require_dims
from chaosjax.stats._interval import interval


def fraction(flag: xr.DataArray, over: str = "seed", confidence: float = 0.95) -> xr.DataArray:
    r"""Return the fraction of entries of `over` where `flag` is true, with the Clopper-Pearson interval.

    .. math:: [B_{\alpha/2}(k, n-k+1),\; B_{1-\alpha/2}(k+1, n-k)]

    with B the beta quantiles, for k of n. It covers the truth at least `confidence` of the time; a bootstrap would
    give zero width where all seeds agree.

    Args:
        flag: ``[..., over]``, bool.

    Returns:
        ``[bound, ...]`` with attrs `interval`, `confidence` and `entries`.

    Raises:
        ValueError: `over` is missing or empty.

    Source: Clopper, Pearson, Biometrika 26 (1934) 404.
    """
    require_dims(flag, "flag", over)
    n, k = flag.sizes[over], flag.sum(over)
    tail = (1 - confidence) / 2
    low = xr.apply_ufunc(beta.ppf, tail, k, n - k + 1).where(k > 0, 0.0)
    high = xr.apply_ufunc(beta.ppf, 1 - tail, k + 1, n - k).where(k < n, 1.0)
    return interval(k / n, low, high, interval="Clopper-Pearson", confidence=confidence, entries=n)
