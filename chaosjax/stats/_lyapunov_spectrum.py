"""A Lyapunov spectrum with its errors, and what follows from it: dimension, entropy, convergence."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import xarray as xr
from scipy.stats import t as student

from chaosjax._checks import check_count
from chaosjax.stats._checks import require_dims
from chaosjax.stats._finite_time_exponents import Time, finite_time_exponents
from chaosjax.stats._interval import interval


def lyapunov_spectrum(
    growth: xr.DataArray,
    start: Time = None,
    stop: Time = None,
    batches: int = 20,
    error: float | None = None,
    confidence: float = 0.95,
    time_step: float = 1.0,
) -> xr.Dataset:
    r"""Return exponents over (start, stop] with standard errors by batch means and a verdict of convergence.

    The window is cut into `batches` equal parts (a remainder is left out at its start); with λ_b the exponent of
    part b and B their number, :math:`s^2 = \frac{1}{B(B-1)} \sum_b (λ_b - \bar λ)^2`, and the interval is
    :math:`\bar λ ± t_{B-1} s`. It holds when parts are longer than the growth's correlations, and for an orbit
    that has forgotten its start: give a `start` after the transient.

    Args:
        growth: ``[..., time, (exponent)]``, nats, as `probes.lyapunov` and `probes.benettin` record it.
        start, stop: in steps; None stands for the first and the last recorded time.
        batches: B, at least 4.
        error: standard error that counts as converged, in the units of the exponents; None asks for none.
        time_step: length of a step in units of time, for flows.

    Returns:
        `exponents`, ``[bound, ..., (exponent)]``, and `standard_error` (nats per step, or per unit time); `correlation`
        of neighbouring parts, and `drift`, second half minus first, in its standard errors; `converged`: the error
        is reached, \|drift\| < 3, and the correlation is below :math:`2/\sqrt B`. With an ``exponent`` dimension also
        `sum`, `kaplan_yorke` and `entropy_bound` of the estimates.

    Raises:
        ValueError: no time dimension, bad bounds, fewer records in the window than batches, batches below 4.

    Source: Flegal, Jones, Ann. Statist. 38 (2010) 1034 (batch means).
    """
    require_dims(growth, "growth", "time")
    check_count("batches", batches, least=4)
    edges = _edges(growth["time"].values, start, stop, batches)
    parts = xr.concat([finite_time_exponents(growth, a, b) for a, b in pairwise(edges)], "batch", coords="minimal")
    parts = parts.transpose(..., "batch") / time_step
    mean = parts.mean("batch", skipna=False)
    standard_error = parts.std("batch", ddof=1, skipna=False) / np.sqrt(batches)
    reach = student.ppf(0.5 + confidence / 2, batches - 1) * standard_error
    half = batches // 2
    drift = parts[..., batches - half :].mean("batch", skipna=False) - parts[..., :half].mean("batch", skipna=False)
    drift = drift / (2 * standard_error).where(standard_error > 0, np.inf)
    correlation = _correlation(parts - mean)
    small = standard_error <= (np.inf if error is None else error)
    unit = {"units": "nats/step" if time_step == 1 else "nats/time"}
    how = {"interval": "Student's t of batch means", "confidence": confidence, "entries": batches}
    result = xr.Dataset(
        {
            "exponents": interval(mean, mean - reach, mean + reach, long_name="exponents", **unit, **how),
            "standard_error": standard_error.assign_attrs(long_name="standard error", **unit),
            "correlation": correlation,
            "drift": drift,
            "converged": small & (abs(drift) < 3) & (correlation < 2 / np.sqrt(batches)),
        }
    )
    if "exponent" in mean.dims:
        result["sum"] = mean.sum("exponent", skipna=False)
        result["kaplan_yorke"] = kaplan_yorke(mean)
        result["entropy_bound"] = entropy_bound(mean)
    return result


def _edges(times: np.ndarray, start: Time, stop: Time, batches: int) -> list[int]:
    first = times[0] if start is None else start
    last = times[-1] if stop is None else stop
    inside = np.flatnonzero((times > first) & (times <= last))
    length = len(inside) // batches
    if length < 1:
        raise ValueError(f"{len(inside)} records in ({first}, {last}] cannot be cut into {batches} batches")
    ends = np.append(inside[len(inside) - batches * length] - 1, inside[-1] - length * np.arange(batches)[::-1])
    return [int(times[i]) for i in ends]


def _correlation(centred: xr.DataArray) -> xr.DataArray:
    """Correlation of neighbours along ``batch``, 0 where nothing varies."""
    products = (centred[..., 1:].values * centred[..., :-1].values).sum(-1)
    variance = (centred**2).sum("batch", skipna=False)
    ratio = np.divide(products, variance, out=np.zeros(variance.shape), where=np.asarray(variance) > 0)
    return xr.zeros_like(variance) + ratio


def kaplan_yorke(exponent: xr.DataArray, dim: str = "exponent") -> xr.DataArray:
    r"""Return the Kaplan–Yorke dimension, j the last index with :math:`\sum_{i \le j} λ_i \ge 0`.

    .. math:: j + \sum_{i \le j} λ_i / |λ_{j+1}|

    Args:
        exponent: ``[..., dim]``, in any order.

    Returns:
        ``[...]``. 0 where all exponents are negative. NaN where the sum of all exponents given is not negative: more
        are needed (or, if these are all, the volume does not shrink and the dimension is that of the phase space).

    Raises:
        ValueError: no dimension `dim`.

    Source: Kaplan, Yorke, Lect. Notes Math. 730 (1979) 204.
    """
    require_dims(exponent, "exponent", dim)
    descending = -np.sort(-np.moveaxis(exponent.values, exponent.get_axis_num(dim), -1), axis=-1)
    sums = np.cumsum(descending, axis=-1)
    count = np.sum(np.cumprod(sums >= 0, axis=-1), axis=-1)
    enough = count < descending.shape[-1]
    following = np.minimum(count, descending.shape[-1] - 1)
    reached = np.where(count > 0, np.take_along_axis(sums, np.maximum(count - 1, 0)[..., None], -1)[..., 0], 0.0)
    next_one = np.take_along_axis(descending, following[..., None], -1)[..., 0]
    dimension = np.where(enough, count + reached / np.where(enough, np.abs(next_one), 1), np.nan)
    known = np.isfinite(descending).all(axis=-1)
    template = exponent.isel({dim: 0}, drop=True)
    return template.copy(data=np.where(known, dimension, np.nan)).assign_attrs(
        long_name="Kaplan–Yorke dimension", units="1"
    )


def entropy_bound(exponent: xr.DataArray, dim: str = "exponent") -> xr.DataArray:
    r"""Return the sum of the positive exponents, an upper bound of the Kolmogorov–Sinai entropy.

    .. math:: \sum_{λ_i > 0} λ_i

    It equals the entropy where the invariant measure is smooth along unstable directions (Pesin). Where not all
    positive exponents are given the sum is too small to be a bound.

    Args:
        exponent: ``[..., dim]``, nats per step.

    Returns:
        ``[...]``, nats per step.

    Raises:
        ValueError: no dimension `dim`.

    Source: Ruelle, Bol. Soc. Bras. Mat. 9 (1978) 83; Pesin, Russ. Math. Surv. 32 (1977) 55.
    """
    require_dims(exponent, "exponent", dim)
    positive = xr.where(exponent > 0, exponent, exponent * 0)  # keeps NaN
    return positive.sum(dim, skipna=False).assign_attrs(long_name="entropy bound", units="nats/step")


def window_exponents(growth: xr.DataArray, window: int) -> xr.DataArray:
    """Return finite-time exponents over consecutive windows of equal length.

    With the stride as window these are the `local_exponents`.

    Args:
        growth: ``[..., time, ...]``, nats.
        window: length in steps, a multiple of the stride; a remainder at the end is left out.

    Returns:
        ``[window_end, ...]``, nats per step, ``window_end`` the recorded time at the end of each window.

    Raises:
        ValueError: no time dimension, a window that is no multiple of the stride, or none that fits.
    """
    require_dims(growth, "growth", "time")
    times = growth["time"].values
    ends = np.arange(times[0] + window, times[-1] + 1, window) if window > 0 else np.empty(0)
    if not len(ends) or not np.isin(ends, times).all():
        raise ValueError(f"window={window} must be a multiple of the records' stride, at most {times[-1] - times[0]}")
    parts = [finite_time_exponents(growth, int(end) - window, int(end)) for end in ends]
    return xr.concat(parts, xr.DataArray(ends, dims="window_end", name="window_end"), coords="minimal").assign_attrs(
        long_name=f"finite-time Lyapunov exponent over {window} steps", units="nats/step"
    )


def converged(name: str, error: float, start: float = 0, batches: int = 20) -> Callable[[xr.Dataset], bool]:
    """Return a rule that ends a sweep once the exponents of every living cell are known well: ``sweep(until=rule)``.

    A run that ends when its error looks small is biased. The rule asks for the whole verdict of `lyapunov_spectrum`,
    which includes drift and correlation, and for two records per batch at least, so it cannot end a run at once.

    Args:
        name: the record to watch, of `probes.lyapunov` or `probes.benettin`.
        error: largest standard error by batch means, in nats per step.
        start: end of the transient, in steps.
        batches: as in `lyapunov_spectrum`.

    Returns:
        A function of the records so far that says whether to end.
    """

    def done(ds: xr.Dataset) -> bool:
        growth = ds[name]
        if int((growth["time"] > start).sum()) < 2 * batches:
            return False
        dead = growth.isel(time=-1).isnull()
        return bool((lyapunov_spectrum(growth, start=start, batches=batches, error=error)["converged"] | dead).all())

    return done
