"""Probing runs for a learning rate: how a budget is spent on rounds, and what a round of short runs says."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.stats import t as student

from chaosjax import stats


class Round(NamedTuple):
    """One round of probing runs.

    Attributes:
        share: of the budget.
        ratio: of neighbouring learning rates.
        count: learning rates; 0: as many as cover the whole range.
        above: how many ratios their middle lies above the best of the round before.
    """

    share: float
    ratio: float
    count: int
    above: int = 0


ROUNDS = (
    Round(0.12, 10.0, 0),
    Round(0.3, 10**0.5, 5, above=1),
    Round(3 * 0.0828, 1.6, 3),
    Round(2 * 0.0828, 1.6, 2),
    Round(2 * 0.0828, 1.6, 2),
)
"""Coarse to fine and short to long: what is far off shows in a few steps, what is close by needs more of them. What is
best after a few steps is too low for many (the short-horizon bias of Wu et al., ICLR 2018, arXiv:1803.02021), so the
second round looks mostly above. The last three rounds have runs of one length from the same seeds, and the answer is
the best of all three."""

LAST = 2
"""The first of the last three rounds."""

TANGENT_ROUND = 1
"""The round whose runs carry a tangent vector."""

SPREAD = 1.6
"""Trainings from other starts and with other minibatches took up to so many times longer, or shorter, than expected, on
the half of the problems that the search was made on."""

TAIL = 0.2
"""The part of a run, at its end, whose mean loss it is judged by."""

LEAST_STEPS = 4
"""A run of fewer steps says nothing."""

SLACK = 0.1
"""The interval holds the learning rates that take at most so much longer than the recommended one."""

FURTHEST = 4.0
"""Training times beyond so many lengths of the probing run are not extrapolated."""


def rates_of(index: int, tried: xr.DataArray | None, span: tuple[float, float]) -> Float[np.ndarray, " n"]:
    """The learning rates of a round, inside the span.

    The first covers the span. The second and third lie around, or above, the best of the round before. Each of the
    others goes on beyond the best so far where that was the lowest or highest, and else halves the steps beside it.

    Args:
        index: of the round.
        tried: `final_loss` of the round before, of all of the last rounds so far from the fourth on,
            ``[learning_rate]`` in rising order.
        span: lowest and highest.
    """
    _, ratio, count, above = ROUNDS[index]
    if tried is None:
        low, high = span
        return np.geomspace(low, high, 1 + max(1, round(np.log(high / low) / np.log(ratio))))
    rates, at = tried["learning_rate"].values, int(tried.argmin("learning_rate"))
    if index <= LAST:
        chosen = rates[at] * ratio ** (np.arange(count) - (count - 1) / 2 + above)
    elif at == len(rates) - 1:
        chosen = rates[at] * ratio ** np.arange(1, count + 1)
    elif at == 0:
        chosen = rates[at] / ratio ** np.arange(count, 0, -1)
    else:
        chosen = (rates[at] * rates[[at - 1, at + 1]]) ** 0.5
    return chosen[(chosen >= span[0] * (1 - 1e-9)) & (chosen <= span[1] * (1 + 1e-9))]


def steps_of(budget: int, span: tuple[float, float], seeds: int, tangent: bool) -> list[int]:
    """Steps of a run in each round, so that all rounds together cost no more than the budget.

    Raises:
        ValueError: a budget too small for runs of `LEAST_STEPS`.
    """
    counts = [(each.count or len(rates_of(0, None, span))) * seeds for each in ROUNDS]
    costs = [n * (1 + (tangent and k == TANGENT_ROUND)) for k, n in enumerate(counts)]
    shares = [each.share / cost for each, cost in zip(ROUNDS, costs, strict=True)]
    least = int(np.ceil(LEAST_STEPS / min(shares)))
    if budget < least:
        raise ValueError(f"budget={budget!r} must be at least {least} gradient evaluations for this range and seeds")
    return [int(budget * share + 1e-9) for share in shares]


def tail(loss: xr.DataArray) -> xr.DataArray:
    """Mean over the last part of each run, a fifth of it; NaN where the run diverged."""
    return loss.isel(time=slice(-max(1, round(TAIL * loss.sizes["time"])), None)).mean("time", skipna=False)


def trains(loss: xr.DataArray) -> xr.DataArray:
    """Whether every seed's loss at the end of its run is below the one it began with."""
    return (tail(loss) < loss.isel(time=0, drop=True)).all("seed")


def final_loss(loss: xr.DataArray) -> xr.DataArray:
    """Logarithm of the loss at the end of each run, averaged over seeds; infinite where it does not train."""
    level = xr.ufuncs.log(tail(loss).clip(min=np.finfo(float).tiny)).mean("seed", skipna=False)
    return level.where(trains(loss), np.inf)


def fall(loss: xr.DataArray) -> float:
    """How fast a run's loss falls at its end: −d ln L / d ln t over its second half, at least a tenth.

    Under a power law it turns a difference of ln L into one of ln t.
    """
    mean = np.log(loss.mean("seed").values)
    time = loss["time"].values.astype(float)
    half = time >= max(1.0, time[-1] / 2)
    slope = np.polyfit(np.log(time[half]), mean[half], 1)[0] if half.sum() > 1 else np.nan
    return max(0.1, -slope) if np.isfinite(slope) else np.nan


def recommendation(levels: xr.DataArray, fall: float, unstable: float) -> xr.DataArray:
    """The best rate ``[bound]``, its interval those that take at most `SLACK` longer by the slope of the loss in time.

    Ends lie half-way, in ln η, to the next rate that was tried, or as far beyond where none was, and below `unstable`.
    """
    rates, values = levels["learning_rate"].values, levels.values
    best = int(values.argmin())
    if len(rates) == 1:
        return stats.interval(rates[0], np.nan, np.nan)
    longer = np.exp((values - values.min()) / fall) - 1
    low = high = best
    while low > 0 and longer[low - 1] <= SLACK:
        low -= 1
    while high < len(rates) - 1 and longer[high + 1] <= SLACK:
        high += 1
    between = (rates[:-1] * rates[1:]) ** 0.5
    ends = [rates[0] ** 2 / between[0], *between, rates[-1] ** 2 / between[-1]]
    return stats.interval(rates[best], ends[low], np.fmin(ends[high + 1], unstable))


def onset_of(records: xr.Dataset, level: float, notes: list[str]) -> xr.DataArray:
    """Where the tangent's exponent first rises through `level` ``[bound]``, its interval the two neighbours.

    NaN, with a note, where none is above it. Below the first rate, if that one is above it.
    """
    if "growth" not in records:
        return stats.interval(np.nan, np.nan, np.nan)
    growth = stats.first_exponent(records["growth"])
    steps = int(growth["time"][-1])
    exponents = stats.finite_time_exponents(growth, start=steps // 4).mean("seed", skipna=False)
    notes.append(f"exponents are those of steps {steps // 4} to {steps}: chaos that begins later is not seen")
    estimate = float(stats.crossing(exponents, xr.DataArray(0), level=level))
    known = exponents.dropna("learning_rate")["learning_rate"].values
    if not np.isfinite(estimate) or not len(known):
        gone = "; the tangent is NaN at some" if len(known) < len(exponents) else ""
        highest = f"up to {known[-1]:.3g}" if len(known) else "known"
        notes.append(f"no onset: no exponent above {level:g} nats/step {highest}{gone}")
        return stats.interval(np.nan, np.nan, np.nan)
    if estimate <= known[0]:
        notes.append(f"the onset is at or below {known[0]:.3g}, the first of its rates")
    low, high = max(known[known < estimate], default=0.0), min(known[known >= estimate])
    return stats.interval(estimate, low, high, long_name="onset of chaos")


def predicted_time(score: xr.DataArray, target: float, falls: bool) -> tuple[float, float, float]:
    """Steps to a target with an interval: seen where every seed reached it, else extrapolated.

    The shortfall, L or 1 − accuracy, is taken as a power law of time over the second half of the run; the interval is
    the 95 % one of the crossing of that line, by the delta method. No interval is narrower than a factor of `SPREAD`
    to either side: one training says little of another. Not further than `FURTHEST` times the run: beyond, (NaN, length
    of the run, NaN).
    """
    known = score.dropna("time", how="any")
    hit = (known <= target) if falls else (known >= target)
    if bool(hit.any("time").all()):
        times = known["time"].where(hit).min("time")
        return _spread(float(times.mean()), float(times.min()), float(times.max()))
    last = float(known["time"][-1])
    shortfall, wanted = (known, target) if falls else (1 - known, 1 - target)
    part = shortfall.mean("seed").where(known["time"] >= max(1.0, last / 2), drop=True)
    values, times = part.values, part["time"].values.astype(float)
    if len(values) < 4 or not (values > 0).all() or wanted <= 0:
        return np.nan, last, np.nan
    x, y = np.log(times), np.log(values)
    (slope, height), covariance = np.polyfit(x, y, 1, cov="unscaled")
    if slope >= 0:
        return np.nan, last, np.nan
    at = (np.log(wanted) - height) / slope
    gradient = np.array([-at / slope, -1 / slope])
    spread = np.sum((y - slope * x - height) ** 2) / (len(x) - 2)
    error = student.ppf(0.975, len(x) - 2) * np.sqrt(spread * (gradient @ covariance @ gradient))
    if at > np.log(FURTHEST * last):
        return np.nan, last, np.nan
    return _spread(float(np.exp(at)), float(np.exp(at - error)), float(np.exp(min(at + error, 50.0))))


def _spread(estimate: float, low: float, high: float) -> tuple[float, float, float]:
    return estimate, min(low, estimate / SPREAD), max(high, estimate * SPREAD)
