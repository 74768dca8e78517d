"""The exponential phase of diverging trajectories."""

from collections.abc import Iterable

import numpy as np
import xarray as xr
from jaxtyping import Float, Shaped

from chaosjax.stats._bootstrap import DEFAULT, Resampling, mean_interval
from chaosjax.stats._checks import require_dims
from chaosjax.stats._fraction import fraction

MINIMUM_RECORDS = 5  # a straight line through fewer says little about exponential growth


def exponential_window(
    distance: xr.DataArray,
    *,
    starts: Iterable[int] = range(0, 101, 5),
    lengths: Iterable[int] = range(30, 101, 5),
    select: str = "r2",
    min_r2: float = 0.9,
    min_exponent: float = 0.05,
) -> xr.Dataset:
    r"""Fit exponential growth in each cell over the window in which it is most nearly exponential, or fastest.

    .. math:: \ln \langle d_i(t) \rangle_i \approx \Lambda t + c, \quad s \le t \le s + \ell

    by least squares over every window of start s and length ℓ (steps) that fits in the run. The source averages
    only cells with R² > 0.9 and Λ > 0.05. That filter biases the mean upward (see `summarise_exponents`), and where
    chaos is a transient the straightest window often lies in the calm after it.

    With a stride above 1 a window's ends are the first and last record inside it, and windows of fewer than five
    records do not count. A window with a zero or non-finite distance is disqualified; one of constant distance has
    R² = 0.

    Args:
        distance: ``[..., time, (copy)]``; copies are averaged first.
        starts: s, in steps.
        lengths: ℓ, in steps.
        select: "r2" takes the window with the largest R², as the source does. "slope" takes the one with the largest
            Λ: it finds a transient, and is never far below 0, so compare it with a level above 0, such as 0.05.
        min_r2, min_exponent: what `kept` asks for; the exponent in nats per step.

    Returns:
        Per cell, each ``[...]``: `exponent` Λ (nats per step); `r2`; `start` and `stop` (steps, recorded times, as
        `finite_time_exponents` takes them); `kept`; and `power_law_r2`, the R² of ln d against ln(1 + t) in the same
        window: where it exceeds `r2` the growth is no exponential, which the source does not ask (of t² under 5 %
        noise its rule keeps one curve in seven). A cell with no qualified window has NaN and is not kept.

    Raises:
        ValueError: no time dimension, no window that fits, or an unknown `select`.

    Source: Danovski, Soriano, Lacasa, Front. Complex Syst. 2 (2024) 1367957.
    """
    if select not in ("r2", "slope"):
        raise ValueError(f"select={select!r} must be 'r2' (the straightest window) or 'slope' (the steepest)")
    require_dims(distance, "distance", "time")
    mean = mean_over_copies(distance)
    time = mean["time"].values
    windows = _windows(time, starts, lengths)
    # NaN marks what no window may contain: 0, negative, infinite.
    log_distance = np.log(mean.astype(float).where((mean > 0) & np.isfinite(mean)))
    exponent, r2, start, stop, power_law_r2 = xr.apply_ufunc(
        _best_window,
        log_distance,
        input_core_dims=[["time"]],
        output_core_dims=[[]] * 5,
        kwargs={"time": time, "windows": windows, "criterion": ("slope", "r2").index(select)},
    )
    fit = xr.Dataset({"exponent": exponent, "r2": r2, "start": start, "stop": stop, "power_law_r2": power_law_r2})
    fit["kept"] = (r2 > min_r2) & (exponent > min_exponent)
    fit["exponent"].attrs = {"long_name": "exponent of the best exponential window", "units": "nats/step"}
    fit["r2"].attrs = {"long_name": "R² of the exponential fit", "units": "1"}
    fit["power_law_r2"].attrs = {"long_name": "R² of a power law in the same window", "units": "1"}
    fit["start"].attrs = {"long_name": "start of the best window", "units": "steps"}
    fit["stop"].attrs = {"long_name": "end of the best window", "units": "steps"}
    fit["kept"].attrs = {"long_name": f"R² > {min_r2} and exponent > {min_exponent}"}
    return fit.assign_attrs(select=select, min_r2=min_r2, min_exponent=min_exponent, windows=len(windows))


def summarise_exponents(fit: xr.Dataset, over: str = "seed", *, resampling: Resampling = DEFAULT) -> xr.Dataset:
    """Average an exponential-window fit over seeds, with the filter of its source and without.

    Args:
        fit: `exponent` and `kept` of `exponential_window`, ``[..., over]``.

    Returns:
        Each ``[bound, ...]``: `filtered`, the mean exponent of the kept cells, and `unfiltered`, of all cells with a
        qualified window (nats per step, bootstrap intervals, NaN for fewer than two cells); `kept_fraction` and
        `defined_fraction`, the kept cells and those with a qualified window, of all (Clopper-Pearson intervals).

    Raises:
        ValueError: `over` is missing or empty.
    """
    require_dims(fit, "fit", over)
    exponent, kept = fit["exponent"], fit["kept"]
    filtered = mean_interval(exponent.where(kept), over, skipna=True, resampling=resampling)
    unfiltered = mean_interval(exponent, over, skipna=True, resampling=resampling)
    kept_fraction = fraction(kept, over, resampling.confidence)
    defined_fraction = fraction(exponent.notnull(), over, resampling.confidence)
    return xr.Dataset(
        {
            "filtered": filtered.assign_attrs(long_name="mean exponent of kept cells", units="nats/step"),
            "unfiltered": unfiltered.assign_attrs(long_name="mean exponent of all cells", units="nats/step"),
            "kept_fraction": kept_fraction.assign_attrs(long_name="fraction kept", units="1"),
            "defined_fraction": defined_fraction.assign_attrs(long_name="fraction with an exponent", units="1"),
        }
    )


def mean_over_copies(distance: xr.DataArray) -> xr.DataArray:
    """Return the mean distance of an ensemble's copies: `distance` without its dimension ``copy``, if it has one.

    NaN where one copy is.
    """
    return distance.mean("copy", skipna=False) if "copy" in distance.dims else distance


def _windows(time: Shaped[np.ndarray, " time"], starts: Iterable[int], lengths: Iterable[int]) -> list[tuple[int, int]]:
    lengths = list(lengths)
    spans = [(s, s + length) for s in starts for length in lengths]
    spans = [(s, e) for s, e in spans if time[0] <= s and e <= time[-1]]
    records = [(int(np.searchsorted(time, s)), int(np.searchsorted(time, e, "right"))) for s, e in spans]
    windows = list(dict.fromkeys((i, j) for i, j in records if j - i >= MINIMUM_RECORDS))
    if not windows:
        raise ValueError(
            f"no window of at least {MINIMUM_RECORDS} records fits in {len(time)} records from t={time[0]} "
            f"to {time[-1]}; run longer, record more often, or choose other starts and lengths"
        )
    return windows


def _best_window(
    log_distance: Float[np.ndarray, "*cells time"],
    time: Shaped[np.ndarray, " time"],
    windows: list[tuple[int, int]],
    criterion: int,
) -> tuple[Float[np.ndarray, "*cells"], ...]:
    # Centred window by window: prefix sums over the run would cancel away the small variance of a saturated
    # window beside a growth of thirty nats.
    best = np.full((5, *log_distance.shape[:-1]), np.nan)
    for i, j in windows:
        t = time[i:j] - time[i:j].mean()
        y = log_distance[..., i:j]
        flat = np.ptp(y, axis=-1) == 0
        y = y - y.mean(axis=-1, keepdims=True)
        slope = np.where(flat, 0.0, y @ t / (t @ t))
        variance = np.where(flat, 1.0, (y * y).sum(axis=-1))
        r2 = np.minimum(slope**2 * (t @ t) / variance, 1.0)
        log_t = np.log1p(time[i:j] - time[0])
        log_t = log_t - log_t.mean()
        power_law_r2 = np.where(flat, 0.0, np.minimum((y @ log_t) ** 2 / (log_t @ log_t) / variance, 1.0))
        value, record = (slope, r2)[criterion], best[criterion]
        better = (value > record) | (np.isnan(record) & ~np.isnan(value))
        found = np.stack(np.broadcast_arrays(slope, r2, time[i], time[j - 1], power_law_r2))
        best = np.where(better, found, best)
    return tuple(best)
