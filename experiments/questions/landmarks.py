"""The onset of chaos, the fastest learning rate, and what lies between them: of any cases at once."""

import numpy as np
import xarray as xr

from chaosjax import stats

RESAMPLING = stats.Resampling(resamples=1000)


def landmarks_of(
    accuracy: xr.DataArray,
    growth: xr.DataArray,
    threshold: xr.DataArray,
    level: float,
    factor: float,
    least_window: int,
) -> xr.Dataset:
    """Find the landmarks of every case that `threshold` has, ``[…]``.

    Args:
        accuracy: ``[…, learning_rate, seed, time]``, at every step.
        growth: ``[…, learning_rate, seed, time]``, nats, at every step.
        threshold: accuracy that ends the training, ``[…]``; may have dimensions of its own.
        level: exponent in nats per step above which a window counts as chaotic.
        factor: how far from η_c is near it.
        least_window: shortest window of an exponent, in steps.

    Returns:
        Each ``[bound, …]``: what `stats.onset`, `stats.fastest` and `stats.speed_up` return, and `between`; `window`
        (steps); `fails`, the largest η at which half of the seeds arrive, and `fails_open`, whether that is the grid's
        last. Per learning rate `mean_time` (steps), `arrived` (share of seeds) and `exponents`, their mean λ with its
        interval.
    """
    fast = stats.fastest(accuracy, threshold, resampling=RESAMPLING)
    passage = stats.first_passage(accuracy, threshold)
    window = stats.bounds(fast["training_time"])[0].round().fillna(least_window)
    window = window.clip(least_window, accuracy.sizes["time"] // 3).astype(int)
    exponent = in_windows(growth, window)
    onset = stats.onset(exponent, level=level, resampling=RESAMPLING)
    gain = stats.speed_up(accuracy, onset["onset"], threshold, resampling=RESAMPLING)
    arrived = passage["reached"].mean("seed")
    grid = accuracy["learning_rate"]
    parts = [
        onset,
        fast[["fastest", "training_time", "reached_fraction"]],
        gain[["speed_up", "non_chaotic_reached"]],
        between(exponent, passage["restricted_time"], level, factor).where(onset["found"]),
        xr.Dataset({"mean_time": passage["restricted_time"].mean("seed"), "arrived": arrived, "window": window}),
        xr.Dataset({"exponents": stats.mean_interval(exponent, resampling=RESAMPLING)}),
        xr.Dataset({"fails": grid.where(arrived >= 0.5).max("learning_rate")}),
        xr.Dataset({"fails_open": arrived.isel(learning_rate=-1, drop=True) >= 0.5}),
    ]
    return xr.merge([part.drop_attrs(deep=False) for part in parts], compat="override")


def in_windows(growth: xr.DataArray, window: xr.DataArray) -> xr.DataArray:
    """The exponent of the steepest window that begins within twice its length.

    Args:
        growth: ``[…, learning_rate, seed, time]``, nats, at every step.
        window: ``[…]``, length in steps; may have dimensions of its own.

    Returns:
        ``[…, learning_rate, seed]``, nats per step. NaN for a cell that diverged before the last window ends.
    """
    if window.dims:
        dim = str(window.dims[0])
        values = window[dim].values
        parts = [
            in_windows(growth.sel({dim: value}, drop=True) if dim in growth.dims else growth, window.sel({dim: value}))
            for value in values
        ]
        parts = [part.drop_vars(dim, errors="ignore") for part in parts]
        return xr.concat(parts, xr.DataArray(values, dims=dim, name=dim), coords="minimal", compat="override")
    length = int(window)
    part = growth.isel(time=slice(1, 3 * length + 1))
    return part.rolling(time=length).mean().max("time").where(part.notnull().all("time"))


def between(exponent: xr.DataArray, time: xr.DataArray, level: float, factor: float) -> xr.Dataset:
    """`ratio`, `exponent`, `price` and `near_price` of each case: a resample of the seeds finds all η anew.

    The ratio is that of fastest η and η_c, the exponent that at the fastest η; prices are the training time at η_c, and
    the least one within `factor` of η_c, over the least of all. Between the rates of the grid, times are interpolated.

    Args:
        exponent: ``[…, learning_rate, seed]``, nats per step.
        time: training times, ``[…, learning_rate, seed]``, steps.
    """
    cells = xr.Dataset({"exponent": exponent, "time": time})
    low = stats.bounds(stats.mean_interval(exponent, resampling=RESAMPLING))[1]
    first = (low > level).argmax("learning_rate")
    log_rates = np.log(exponent["learning_rate"].values)
    grid = xr.DataArray(log_rates, dims="learning_rate")

    def statistic(cells: xr.Dataset) -> xr.DataArray:
        mean = cells["exponent"].mean("seed", skipna=False).drop_vars("learning_rate")
        mean_time = cells["time"].mean("seed").drop_vars("learning_rate")
        at = mean_time.argmin("learning_rate")
        eta = mean.assign_coords(learning_rate=exponent["learning_rate"])
        log_onset = xr.ufuncs.log(stats.crossing(eta, first, level=level)).clip(log_rates[0], log_rates[-1])
        log_time = xr.ufuncs.log(mean_time.clip(min=1))
        at_onset = at_rate(log_time, log_onset, log_rates)
        least = log_time.min("learning_rate")
        near = abs(grid - log_onset) <= np.log(factor)
        ends = [log_onset + side * np.log(factor) for side in (-1, 1)]
        ends = [at_rate(log_time, end.clip(log_rates[0], log_rates[-1]), log_rates) for end in ends]
        least_near = xr.ufuncs.fmin(log_time.where(near).min("learning_rate"), xr.ufuncs.fmin(*ends))
        ratio = grid.isel(learning_rate=at) - log_onset
        parts: list[xr.DataArray] = [ratio, mean.isel(learning_rate=at), at_onset - least, least_near - least]
        return xr.concat(parts, "quantity", coords="minimal")

    found = stats.bootstrap(statistic, cells, resampling=RESAMPLING)
    ratio, there, price, near_price = (found.isel(quantity=place) for place in range(4))
    logarithms = {"ratio": ratio, "price": price, "near_price": near_price}
    return xr.Dataset({"exponent": there} | {name: xr.ufuncs.exp(part) for name, part in logarithms.items()})


def at_rate(values: xr.DataArray, log_rate: xr.DataArray, log_rates: np.ndarray) -> xr.DataArray:
    """Values over an even grid of ln η, interpolated at a ln η each."""
    place = (log_rate - log_rates[0]) / (log_rates[1] - log_rates[0])
    lower = place.fillna(0).clip(0, len(log_rates) - 2).astype(int)
    rest = place - lower
    return values.isel(learning_rate=lower) * (1 - rest) + values.isel(learning_rate=lower + 1) * rest


def answers(summary: xr.Dataset, level: float, equal: float, factor: float) -> xr.Dataset:
    """What the intervals say, each 1 (yes), 0 (no), 2 (equal, where the whole interval is) or NaN (undecided).

    Args:
        equal: training times that differ by less than this, relatively, count as equal.
        factor: exponents within this of `level` are at the level.

    Returns:
        `near`: the least time near η_c is that of all η. `gain`: the best η from η_c on is faster than the best below
        (2: they are equal). `chaotic`: λ is above `level` at the fastest η (2: it is at the level).
    """
    return xr.Dataset(
        {
            "near": 1 - side(summary["near_price"], 1 + equal),
            "gain": _or_equal(summary["speed_up"], 1.0, 1 + equal),
            "chaotic": _or_equal(summary["exponent"], level, factor),
        }
    )


def _or_equal(interval: xr.DataArray, level: float, factor: float) -> xr.DataArray:
    """As `side`; 2 where the interval holds the level, but nothing that is not within a factor of it."""
    found, (_, low, high) = side(interval, level), stats.bounds(interval)
    return xr.where(found.isnull() & (low > level / factor) & (high < level * factor), 2.0, found)


def side(interval: xr.DataArray, level: float) -> xr.DataArray:
    """1 where the interval lies above a level, 0 where it lies below, else NaN."""
    _, low, high = stats.bounds(interval)
    return xr.where(low > level, 1.0, xr.where(high <= level, 0.0, np.nan))
