"""Rules for the fastest learning rate, judged on networks that they were not fitted to."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from chaosjax import stats

RULES = {
    "η_c itself": ("onset", ()),
    "a constant times η_c": ("onset", ("one",)),
    "η_c, a constant for each kind of activation": ("onset", ("one", "bounded")),
    "η_c, activation, scale, depth, loss and target": (
        "onset",
        ("one", "bounded", "scale", "bounded_scale", "depth", "loss", "target"),
    ),
    "a constant times the η at which training fails": ("fails", ("one",)),
    "one η for all": ("nothing", ("one",)),
}
"""A rule's landmark, and what its factor is made of: ``ln η* = ln landmark + Σ coefficient · feature``."""

NEAR = np.log(2)


def factors(owns: Sequence[Mapping[str, Any]]) -> dict[str, list[bool]]:
    """What distinguishes the networks, as the coordinates of a summary."""
    return {
        "saturating": [own["activation"] in ("sigmoid", "tanh") for own in owns],
        "deep": [len(own["widths"]) > 1 for own in owns],
        "squared": [own["loss"] == "squared_error" for own in owns],
    }


def features(summary: xr.Dataset) -> dict[str, xr.DataArray]:
    """What a rule may be made of, ``[network, init_scale, share]``."""
    bounded = summary["saturating"].astype(float)
    scale = xr.ufuncs.log(summary["init_scale"].astype(float))
    listed = {
        "one": xr.ones_like(bounded),
        "bounded": bounded,
        "scale": scale,
        "bounded_scale": bounded * scale,
        "depth": summary["deep"].astype(float),
        "loss": summary["squared"].astype(float),
        "target": summary["share"].astype(float) - 0.9,
    }
    return {name: part.reset_coords(drop=True).broadcast_like(summary["found"]) for name, part in listed.items()}


def errors(summary: xr.Dataset, times: Sequence[xr.DataArray]) -> xr.Dataset:
    """Hold every rule against each network, with coefficients from the other networks alone.

    Args:
        summary: `onset`, `fastest`, `fails`, `counts`, `found` and the factors, ``[network, init_scale, share]``.
        times: per network the mean training time, ``[init_scale, share, learning_rate]``.

    Returns:
        per ``rule``, each ``[network, init_scale, share]``: `rule_error`, ln of predicted over fastest η, and
        `rule_price`, the training time at the predicted η over the least one. NaN where a case does not count.
    """
    onset, fastest = (stats.bounds(summary[name])[0].transpose("network", ...) for name in ("onset", "fastest"))
    dims, shape = onset.dims, onset.shape
    marks = {
        "onset": onset,
        "fails": summary["fails"].where(~summary["fails_open"].astype(bool)),
        "nothing": 0 * onset + 1,
    }
    given = {name: part.transpose(*dims).values.ravel() for name, part in features(summary).items()}
    counts = (summary["counts"] & summary["found"] & ~summary["censored"].astype(bool)).transpose(*dims).values.ravel()
    groups = np.repeat(np.arange(shape[0]), int(np.prod(shape[1:])))
    error, price = [], []
    for mark, names in RULES.values():
        y = np.log(fastest.values.ravel() / marks[mark].transpose(*dims).values.ravel())
        x = np.stack([given[name] for name in names], 1) if names else np.zeros((len(y), 0))
        off = left_out(x, y, groups, counts & np.isfinite(y)) - y
        error.append(off.reshape(shape))
        predicted = xr.ufuncs.log(fastest) + off.reshape(shape)
        price.append(np.stack([_price(time, predicted.isel(network=place)) for place, time in enumerate(times)]))
    coordinates = {"rule": np.array(list(RULES), dtype=object)}
    return xr.Dataset(
        {"rule_error": (("rule", *dims), np.stack(error)), "rule_price": (("rule", *dims), np.stack(price))},
        coordinates,
    )


def left_out(
    x: Float[np.ndarray, "cases features"],
    y: Float[np.ndarray, " cases"],
    groups: np.ndarray,
    known: Bool[np.ndarray, " cases"],
) -> Float[np.ndarray, " cases"]:
    """Predictions by least squares of the cases of all other groups; NaN where a case is not known."""
    predicted = np.full(len(y), np.nan)
    for group in np.unique(groups):
        fitted, asked = known & (groups != group), known & (groups == group)
        weights = np.linalg.lstsq(x[fitted], y[fitted], rcond=None)[0] if x.shape[1] and fitted.any() else np.zeros(0)
        predicted[asked] = x[asked] @ weights if len(weights) == x.shape[1] else np.nan
    return predicted


def _price(time: xr.DataArray, log_rate: xr.DataArray) -> Float[np.ndarray, "scales shares"]:
    """Training time at a predicted ln η over the least one, by interpolation; beyond the grid that of its end."""
    log_rates = np.log(time["learning_rate"].values)
    times = time.transpose(*log_rate.dims, "learning_rate").values
    out = np.full(log_rate.shape, np.nan)
    for place in np.ndindex(*log_rate.shape):
        if np.isfinite(log_rate.values[place]):
            out[place] = np.interp(log_rate.values[place], log_rates, times[place]) / max(1.0, times[place].min())
    return out


def rows(summary: xr.Dataset) -> list[list[str]]:
    """Per rule: the typical error as a factor, how often it is within two, median and worst price."""
    found = []
    for rule in summary["rule"].values:
        error, price = (summary[name].sel(rule=rule).values for name in ("rule_error", "rule_price"))
        error, price = error[np.isfinite(error)], price[np.isfinite(price)]
        if len(error):
            within = _within(error)
            cost = f"{np.median(price):.2f}, {price.max():.2f}"
            found.append([str(rule), f"{np.exp(np.sqrt(np.mean(error**2))):.2f}", within, cost])
    return found


def verdict(summary: xr.Dataset) -> str:
    """The best rule that starts from η_c with its error, and what rules serve that know nothing of chaos."""
    known = {rule: summary["rule_error"].sel(rule=rule).values for rule in RULES}
    known = {rule: values[np.isfinite(values)] for rule, values in known.items()}
    known = {rule: values for rule, values in known.items() if values.size}
    typical = {rule: float(np.exp(np.sqrt(np.mean(values**2)))) for rule, values in known.items()}
    of_onset = [rule for rule in known if RULES[rule][0] == "onset"]
    if not of_onset:
        return "No case is known well enough for a rule of thumb."
    words = {rule: f"right to a factor {typical[rule]:.2f}, within two in {_within(known[rule])}" for rule in known}
    best = min(of_onset, key=lambda rule: typical[rule])
    said = [f"**Rule of thumb.** Of the rules that start from η_c the best is {best}: {words[best]}."]
    said += [f"Without a word on chaos, {rule}: {words[rule]}." for rule in known if rule not in of_onset]
    fails = stats.bounds(summary["fastest"])[0] / summary["fails"]
    fails = fails.where(summary["counts"] & summary["found"] & ~summary["fails_open"].astype(bool)).values
    if np.isfinite(fails).any():
        low, middle, high = np.nanquantile(fails, [0.1, 0.5, 0.9])
        said.append(
            f"The fastest η is {middle:.2g} of the largest at which half of the seeds still train (median; {low:.2g} "
            f"to {high:.2g} in four fifths of the cases)."
        )
    return " ".join(said)


def _within(errors: Float[np.ndarray, " cases"]) -> str:
    return f"{np.mean(np.abs(errors) <= NEAR):.0%} of the cases"
