"""Probing runs for a learning rate: how a budget is spent on rounds, and what a round of short runs says."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.stats import t as student

COARSE = 10**0.5
"""Ratio of neighbours in the first round, which looks over the whole range."""


class Round(NamedTuple):
    """One round of probing runs.

    Attributes:
        share: of the budget.
        ratio: of neighbouring learning rates.
        count: learning rates, around the best of the round before; 0: the whole range.
    """

    share: float
    ratio: float
    count: int


ROUNDS = (Round(0.18, COARSE, 0), Round(0.2, 1.78, 5), Round(0.3, 1.33, 5), Round(0.32, 1.2, 4))
"""Coarse to fine, and short to long: what is far off shows in a few steps, what is close by needs more of them."""

TANGENT_ROUND = 1
"""The round whose runs carry a tangent vector."""

LEAST_STEPS = 4
"""A run of fewer steps says nothing."""

FURTHEST = 4.0
"""Training times beyond so many lengths of the probing run are not extrapolated."""


def rates_of(round_: Round, centre: float, span: tuple[float, float]) -> Float[np.ndarray, " n"]:
    """The learning rates of a round: the whole range, or around a centre and inside the range."""
    low, high = span
    if not round_.count:
        count = 1 + max(1, round(np.log(high / low) / np.log(round_.ratio)))
        return np.geomspace(low, high, count)
    places = np.arange(round_.count) - (round_.count - 1) / 2
    return centre * round_.ratio**places


def steps_of(budget: int, span: tuple[float, float], seeds: int, tangent: bool) -> list[int]:
    """Steps of a run in each round, so that all rounds together cost no more than the budget.

    Raises:
        ValueError: a budget too small for runs of `LEAST_STEPS`.
    """
    counts = [len(rates_of(each, 1.0, span)) * seeds for each in ROUNDS]
    costs = [n * (1 + (tangent and k == TANGENT_ROUND)) for k, n in enumerate(counts)]
    shares = [each.share / cost for each, cost in zip(ROUNDS, costs, strict=True)]
    least = int(np.ceil(LEAST_STEPS / min(shares)))
    if budget < least:
        raise ValueError(f"budget={budget!r} must be at least {least} gradient evaluations for this range and seeds")
    return [int(budget * share + 1e-9) for share in shares]


def final_loss(loss: xr.DataArray) -> xr.DataArray:
    """Logarithm of the mean loss over the last third of each run, averaged over seeds; infinite where it diverged."""
    last = loss.isel(time=slice(-max(1, round(loss.sizes["time"] / 3)), None))
    mean = last.mean("time", skipna=False)
    level = xr.ufuncs.log(mean.clip(min=np.finfo(float).tiny)).mean("seed", skipna=False)
    return level.where(np.isfinite(level), np.inf)


def trains(loss: xr.DataArray) -> xr.DataArray:
    """Whether the mean over the last third of a run is below the first loss, in every seed."""
    last = loss.isel(time=slice(-max(1, round(loss.sizes["time"] / 3)), None)).mean("time", skipna=False)
    return (last < loss.isel(time=0, drop=True)).all("seed")


def fall(loss: xr.DataArray) -> float:
    """How fast a run's loss falls at its end: −d ln L / d ln t over its second half, at least a tenth.

    Under a power law it turns a difference of ln L into one of ln t.
    """
    mean = np.log(loss.mean("seed").values)
    time = loss["time"].values.astype(float)
    half = time >= max(1.0, time[-1] / 2)
    slope = np.polyfit(np.log(time[half]), mean[half], 1)[0] if half.sum() > 1 else np.nan
    return max(0.1, -slope) if np.isfinite(slope) else np.nan


def crossing_of(rates: Sequence[float], exponents: Sequence[float], level: float) -> tuple[float, float, float]:
    """Where exponents first rise through `level`: the interpolation in ln η, and the two neighbours.

    NaN where none is above it; where the first one is, that value, with a lower end of 0.
    """
    known = [(rate, value) for rate, value in zip(rates, exponents, strict=True) if np.isfinite(value)]
    above = [k for k, (_, value) in enumerate(known) if value > level]
    if not above:
        return np.nan, np.nan, np.nan
    k = above[0]
    (right, upper) = known[k]
    if k == 0:
        return right, 0.0, right
    left, lower = known[k - 1]
    part = (level - lower) / (upper - lower)
    return left * (right / left) ** part, left, right


def predicted_time(score: xr.DataArray, target: float, falls: bool) -> tuple[float, float, float]:
    """Steps to a target with an interval: seen where every seed reached it, else extrapolated.

    The shortfall, L or 1 − accuracy, is taken as a power law of time over the second half of the run; the interval is
    the 95 % one of the crossing of that line, by the delta method. Not further than `FURTHEST` times the run: beyond,
    (NaN, length of the run, NaN).
    """
    known = score.dropna("time", how="any")
    hit = (known <= target) if falls else (known >= target)
    if bool(hit.any("time").all()):
        times = known["time"].where(hit).min("time")
        before = known["time"].where(known["time"] < times, 0).max("time")
        return float(times.mean()), float(before.min()), float(times.max())
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
    return float(np.exp(at)), max(last / 2, float(np.exp(at - error))), float(np.exp(min(at + error, 50.0)))
