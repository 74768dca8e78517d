"""What a sweep says of the edge of chaos: exponents, onsets, training times and what chaos gains, with intervals."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from chaosjax import stats
from chaosjax._questions._settings import opposed
from chaosjax._questions._stability import stability_of

ONSETS = {
    "steepest_tangent": "steepest window",
    "fit": "straightest window",
    "whole": "whole run",
}
"""The exponents whose onset is reported."""

TANGENT, COPIES = "steepest_tangent", "steepest"
"""Both estimates of the exponent in the steepest window: the first defines the chaotic range, the second where the two
are opposed."""

SCORES = {"test_accuracy": "test accuracy", "test_r2": "test R²"}
"""What may end the training time, and what it is called."""


def edge_summary(records: xr.Dataset, threshold: float | list[float], level: float) -> xr.Dataset:
    """The summary of `EdgeOfChaos`, by the rules of `EdgeOfChaos.of`."""
    score = score_in(records, "records")
    measured = "growth" in records
    growth = stats.first_exponent(records["growth"]) if measured else records[score] * np.nan
    several = isinstance(threshold, list)
    ends = xr.DataArray(threshold, {"threshold": threshold}, "threshold") if several else threshold
    fits = {
        name: stats.exponential_window(records["distance"], select=select)
        for name, select in {"fit": "r2", "steepest": "slope"}.items()
    }
    cells = {"whole": stats.finite_time_exponents(growth)}
    for name, fit in fits.items():
        cells |= {name: fit["exponent"], f"{name}_tangent": stats.tangent_in_windows(growth, fit)}
    means = {name: stats.mean_interval(values) for name, values in cells.items()}
    words = {} if measured else {"tangent": "not measured"}
    if "sharpness" in records:
        at_the_end, converged, label = stability_of(records)
        means |= {"stability": stats.mean_interval(at_the_end), "stability_converged": converged}
        words["stability"] = label
    parts = [stats.training_time(records[score], ends), _prefixed(stats.fastest(records[score], ends), "best")]
    onsets = {name: stats.onset(cells[name], level=0.0 if name == "whole" else level) for name in (*ONSETS, COPIES)}
    parts += [_prefixed(onset, name) for name, onset in onsets.items()]
    opposed_at = opposed(means[TANGENT], means[COPIES], level)
    chaos = COPIES if opposed_at.any() else TANGENT
    onset = onsets[chaos]["onset"]
    parts += [_prefixed(stats.speed_up(records[score], onset, ends), "gain")]
    for name, fit in fits.items():
        ensemble, tangent = (cells[key].where(fit["kept"]) for key in (name, f"{name}_tangent"))
        agreed = stats.agreement(ensemble, tangent, pool=("learning_rate",))
        parts += [_prefixed(agreed, f"{name}_agreement")]
    plain = [part.drop_attrs(deep=False).reset_coords(drop=True) for part in parts]
    summary = xr.merge([xr.Dataset(means), *plain]).assign(onset=onset, opposed=opposed_at)
    estimate, mean = (stats.bounds(part)[0] for part in (onset, means[chaos]))
    summary["chaotic"] = (summary["learning_rate"] >= estimate) & (mean > level)
    horizon = float(records["time"][-1])
    return summary.assign_attrs(threshold=threshold, score=SCORES[score], level=level, horizon=horizon, **words)


def score_in(names: Iterable[Any], argument: str) -> str:
    """What the training time is read from."""
    present = [str(name) for name in names]
    for score in SCORES:
        if score in present:
            return score
    there = ", ".join(present) or "no metrics"
    raise ValueError(
        f"{argument}: has {there}, and the training time needs one of {', '.join(SCORES)}; "
        "for exponents alone use sweep with probes.lyapunov, then stats.onset(..., level=0.05)"
    )


def _prefixed(part: xr.Dataset, prefix: str) -> xr.Dataset:
    return part.rename({name: f"{prefix}_{name}" for name in part})
