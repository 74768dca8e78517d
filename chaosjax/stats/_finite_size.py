"""Finite-size Lyapunov exponents: how fast a distance grows when it has a given size."""

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float, Shaped

from chaosjax.stats._bootstrap import DEFAULT, Resampling, bootstrap
from chaosjax.stats._checks import require_dims


def finite_size_exponents(
    distance: xr.DataArray,
    factor: float = math.sqrt(2),
    thresholds: Sequence[float] | None = None,
    over: str = "seed",
    *,
    resampling: Resampling = DEFAULT,
) -> xr.Dataset:
    r"""Return the finite-size Lyapunov exponent at each of a ladder of distances, in nats per step.

    .. math:: \lambda(\delta) = \langle \ln [d(t_{r\delta}) / d(t_\delta)] \rangle / \langle t_{r\delta}-t_\delta\rangle

    with d(t) the distances of perturbed copies from their reference, t_δ the first recorded time with d ≥ δ after the
    first record, and r = `factor`. For a distance seen at discrete times this takes the place of ln r / ⟨T_r⟩, as
    the next record lies beyond the threshold and not on it. Means are over
    copies and `over`. A copy that jumps over δ and rδ at once adds nothing to either mean, which leaves the ratio
    unbiased. One that reaches δ and never rδ adds all that the rest of its run holds (growth and time): so λ falls
    to 0 where distances saturate, as it would not if only those that grew were counted. A copy's series ends
    before its first distance that is 0 or not finite.

    As δ → 0 this is the largest Lyapunov exponent. The lowest thresholds still feel the direction of the
    perturbation. A step multiplies distances by some e^λ, and scales closer than that are not told apart.

    Args:
        distance: ``[..., time, copy]``, as `probes.ensemble` records it.
        factor: ratio r of neighbouring thresholds, above 1.
        thresholds: distances δ in ascending order, each with its rδ; by default the ladder of ratio r from the
            smallest positive first distance to the largest distance.
        over: the axis that is averaged and resampled, whole entries of it.

    Returns:
        `exponent`, ``[bound, ..., threshold]`` (nats per step), NaN where no copy reached δ or all jumped over it;
        `crossed`, the number of copies that reached δ, and `completed`, of those that then reached rδ, both
        ``[..., threshold]``.

    Raises:
        ValueError: a missing dimension, fewer than two times, a bad factor or ladder, or distances that are
            negative or all 0.

    Source: Aurell, Boffetta, Crisanti, Paladin, Vulpiani, J. Phys. A 30 (1997) 1; for discrete times Boffetta,
    Cencini, Falcioni, Vulpiani, Phys. Rep. 356 (2002) 367.
    """
    require_dims(distance, "distance", "time", over)
    if not (np.isfinite(factor) and factor > 1):
        raise ValueError(f"factor={factor!r} must be a finite number above 1, the ratio of neighbouring thresholds")
    if distance.sizes["time"] < 2:
        raise ValueError("distance has a single record; growth needs at least two")
    if bool((distance < 0).any()):
        raise ValueError(f"distance must not be negative, got {float(distance.min())}; give distances, not logarithms")
    ladder = _ladder(distance, factor) if thresholds is None else _given(thresholds)
    growth, duration, crossed, completed = xr.apply_ufunc(
        _passages,
        distance.astype(float),
        distance["time"],
        kwargs={"ladder": ladder, "factor": factor},
        input_core_dims=[["time"], ["time"]],
        output_core_dims=[["threshold"]] * 4,
    )
    pooled = xr.Dataset({"growth": growth, "duration": duration, "crossed": crossed, "completed": completed})
    pooled = pooled.assign_coords(threshold=ladder)
    if over != "copy" and "copy" in pooled.dims:
        pooled = pooled.sum("copy")

    def ratio(sums: xr.Dataset) -> xr.DataArray:
        sums = sums.sum(over)
        return sums["growth"] / sums["duration"].where(sums["duration"] > 0)

    entries = (pooled["duration"] > 0).sum(over)
    exponent = bootstrap(ratio, pooled[["growth", "duration"]], over, count=entries, resampling=resampling)
    result = exponent.assign_attrs(long_name="finite-size Lyapunov exponent", units="nats/step").to_dataset(
        name="exponent"
    )
    for name, meaning in {"crossed": "copies that reached the threshold", "completed": "and then its next"}.items():
        result[name] = pooled[name].sum(over).assign_attrs(long_name=meaning)
    result["threshold"].attrs = {"long_name": "distance"}
    return result.assign_attrs(factor=float(factor))


def _given(thresholds: Sequence[float]) -> Float[np.ndarray, " threshold"]:
    ladder = np.asarray(thresholds, float)
    if ladder.ndim != 1 or not ladder.size or not (np.isfinite(ladder) & (ladder > 0)).all():
        raise ValueError(f"thresholds={thresholds!r} must be a list of positive finite distances")
    if (np.diff(ladder) <= 0).any():
        raise ValueError(f"thresholds={thresholds!r} must be in ascending order")
    return ladder


def _ladder(distance: xr.DataArray, factor: float) -> Float[np.ndarray, " threshold"]:
    valid = distance.where(np.isfinite(distance) & (distance > 0))
    first = valid.isel(time=0).min().item()
    if math.isnan(first):
        raise ValueError("distance is 0 or not finite at the first record everywhere; perturb with a larger radius")
    rungs = math.floor(math.log(valid.max().item() / first) / math.log(factor))
    return first * factor ** np.arange(rungs + 1)


def _passages(
    distance: Float[np.ndarray, "*cells time"],
    time: Shaped[np.ndarray, " time"],
    ladder: Float[np.ndarray, " threshold"],
    factor: float,
) -> tuple[Shaped[np.ndarray, "*cells threshold"], ...]:
    """Growth and duration between the passages of δ and rδ, and whether each of them happened."""
    valid = np.logical_and.accumulate(np.isfinite(distance) & (distance > 0), axis=-1)
    distance = np.where(valid, distance, np.nan)
    last = np.maximum(valid.sum(axis=-1) - 1, 0)

    def passage(threshold: float) -> tuple[np.ndarray, np.ndarray]:
        above = distance >= threshold
        reached = np.asarray(above.any(axis=-1))
        return reached, np.where(reached, above.argmax(axis=-1), last)

    def at(index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(distance, index[..., None], axis=-1)[..., 0]

    columns = []
    for threshold in ladder:
        reached, begin = passage(threshold)
        completed, end = passage(factor * threshold)
        crossed = reached & (begin > 0)
        growth = np.where(crossed, np.log(at(end) / at(begin)), 0.0)
        columns.append((growth, np.where(crossed, time[end] - time[begin], 0.0), crossed, crossed & completed))
    return tuple(np.stack(column, axis=-1) for column in zip(*columns, strict=True))
