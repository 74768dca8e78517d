"""Is chaos the cause of the speed-up, or only its companion? Training at fixed rates with its chaos interfered with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from chaosjax import provenance_of, stats
from experiments import Experiment, Finding, claim, markdown
from experiments.questions.cause_figures import figures
from experiments.questions.cause_trials import WINDOW, exponents, rates_of, speeds, times
from experiments.questions.interventions import ARMS, NOISES, ORDERS

NAMES = {
    "arms": [arm[0] for arm in ARMS],
    "noise": [f"calm, noise in {arm[0]}" for arm in NOISES],
    "orders": [order[0] for order in ORDERS],
}


def summarise(jobs: Mapping[str, Mapping[str, xr.Dataset]], calm: float, chaotic: float) -> xr.Dataset:
    """Speeds of every intervention over those of the run without it, by network and rate.

    A speed is one over the time to the target, 0 where that is not reached; a ratio is of medians over seeds, with the
    same seeds resampled in both.

    Args:
        jobs: by network, the grid's records and those of the interventions.
        calm: exponent in nats per step below which a rate counts as calm.
        chaotic: above which it counts as chaotic.
    """
    names = xr.DataArray(np.array(list(jobs), dtype=object), dims="case", name="case")
    rows = [_case(parts, calm, chaotic) for parts in jobs.values()]
    return xr.concat(rows, names, coords="minimal", compat="override", join="outer")


def _case(parts: Mapping[str, xr.Dataset], calm: float, chaotic: float) -> xr.Dataset:
    config = provenance_of(parts["sweep"])["config"]
    target, first = config["target"], config["losses"][0]
    grid, (low, high) = parts["sweep"], rates_of(parts["sweep"], config["target"], calm, chaotic)
    renamed = {name: parts[name].rename(learning_rate="rate", arm=name).drop_vars("rate") for name in NAMES}
    renamed = {name: part.assign_coords({name: np.array(NAMES[name], dtype=object)}) for name, part in renamed.items()}
    speed = {name: speeds(part, target) for name, part in renamed.items()}
    plain = speed["arms"].sel(arms="chaotic", drop=True)
    start, stop = WINDOW
    stop = min(stop, int(grid["time"][-1]))
    grown, shown = renamed["arms"]["grown"], [name for name in NAMES["arms"]]
    exponent = (grown.sel(time=stop) - grown.sel(time=start)) / (stop - start)
    pairs = {
        f"{name}_{against}": _ratio(speed[name], plain if against == "chaotic" else speed["arms"].sel(arms="calm"))
        for name in NAMES
        for against in ("chaotic", "calm")
    }
    controls = {
        f"control_{basis}": _ratio(speed["arms"].sel(arms="expanding: out"), speed["arms"].sel(arms=f"{basis}: out"))
        for basis in ("random", "sharpest")
    }
    orders = renamed["orders"]
    left = 1 / (times(orders, target) - times(orders, first)).clip(1).fillna(np.inf)
    remaining = {
        "inside_calm": _ratio(left.sel(orders="chaotic, then calm"), left.sel(orders="calm")),
        "inside_chaotic": _ratio(left.sel(orders="chaotic"), left.sel(orders="calm, then chaotic")),
    }
    eta = grid["learning_rate"].values
    whole = xr.Dataset(
        {
            **pairs,
            **controls,
            **remaining,
            "exponent": stats.mean_interval(exponent.sel(arms=shown), skipna=True),
            "expanding": renamed["arms"]["expanding"].isel(time=slice(1, stop)).mean(("time", "seed")),
            "steps": 1 / speed["arms"].median("seed"),
            "grid_exponent": stats.mean_interval(exponents(grid), skipna=True),
            "grid_time": 1 / stats.bootstrap(lambda cells: cells.median("seed"), speeds(grid, target)),
            "loss": renamed["arms"]["loss"].median("seed"),
        }
    )
    whole = whole.rename(learning_rate="eta").drop_vars(("eta", "seed"), errors="ignore")
    extra = {"grid_eta": ("eta", eta), "rates": ("rate", high), "calm_rate": low, "target": float(target)}
    return whole.assign(extra).assign(label=xr.DataArray(np.array(config["labels"][config["data"]], dtype=object)))


def _ratio(ours: xr.DataArray, others: xr.DataArray) -> xr.DataArray:
    """The ratio of two medians over seeds with its interval, at least 0."""

    def statistic(cells: xr.Dataset) -> xr.DataArray:
        middle = cells.median("seed")
        return middle["ours"] / middle["others"].where(middle["others"] > 0)

    pair = xr.Dataset({"ours": ours.drop_vars("seed"), "others": others.drop_vars("seed").reset_coords(drop=True)})
    return stats.bootstrap(statistic, pair).clip(0)


PREDICTIONS = (  # quantity, what it is if chaos is the cause, variable and selection
    ("taking the expanding directions out of the update: speed over the chaotic run's", "<", "arms_chaotic", "expanding: out"),
    ("… over that with as many random directions out", "<", "control_random", None),
    ("… over that with as many of the sharpest directions out", "<", "control_sharpest", None),
    ("the expanding directions at the calm rate: speed over the chaotic run's", "<", "arms_chaotic", "expanding: calm"),
    ("the chaotic rate in the expanding directions alone: speed over the calm run's", ">", "arms_calm", "expanding: alone chaotic"),
    ("noise of equal size, any direction: speed over the calm run's", ">", "noise_calm", NAMES["noise"][1]),
    ("noise of equal size, in its leading directions: speed over the calm run's", ">", "noise_calm", NAMES["noise"][2]),
    ("calm from a chaotic run's state over calm from a calm run's, same loss", ">", "inside_calm", None),
    ("chaotic from a chaotic run's state over chaotic from a calm run's, same loss", ">", "inside_chaotic", None),
    ("chaos interrupted: speed over the chaotic run's", "<", "orders_chaotic", "chaos interrupted"),
    ("a burst of chaos: speed over the calm run's", ">", "orders_calm", "a burst of chaos"),
)  # fmt: skip


def _picked(row: xr.Dataset, variable: str, arm: str | None) -> xr.DataArray:
    return row[variable] if arm is None else row[variable].sel({variable.split("_")[0]: arm})


def findings(summary: xr.Dataset, jobs: Mapping[str, Any]) -> list[Finding]:
    found, level = [], summary.attrs["chaotic"]
    for row in _rows(summary):
        figure = f"{row['label'].item()}, η = {float(row['rates']):.3g}"
        gain = row["arms_calm"].sel(arms="chaotic")
        found.append(claim(figure, "speed over the calm run's: there is a speed-up", "> 1", gain, stats.above(gain, 1.0)))
        out = row["exponent"].sel(arms="expanding: out")
        note = "" if stats.above(row["exponent"].sel(arms="chaotic"), level) else "the run itself is hardly chaotic"
        ends = stats.below(out, level)
        found.append(claim(figure, "λ with the expanding directions out", f"< {level:g}", out, ends, note, "nats/step"))
        for quantity, sign, variable, arm in PREDICTIONS:
            ours = _picked(row, variable, arm)
            holds = stats.above(ours, 1.0) if sign == ">" else stats.below(ours, 1.0)
            found.append(claim(figure, quantity, f"if chaos is the cause: {sign} 1", ours, holds))
    return found


def _rows(summary: xr.Dataset) -> list[xr.Dataset]:
    """One dataset for each network and rate."""
    sizes = summary.sizes
    return [summary.isel(case=case, rate=rate) for case in range(sizes["case"]) for rate in range(sizes["rate"])]


def words(summary: xr.Dataset, jobs: Mapping[str, Any]) -> dict[str, Any]:
    table, borne, against, open_ = [], 0, 0, 0
    for row in _rows(summary):
        for name in NAMES["arms"]:
            arm = row.sel(arms=name)
            numbers = [stats.format_interval(arm[what]) for what in ("exponent", "arms_chaotic", "arms_calm")]
            eta, took = f"{float(row['rates']):.3g}", f"{float(arm['steps']):.3g}"
            table.append([row["label"].item(), eta, name, *numbers, f"{float(arm['expanding']):.2g}", took])
        for _, sign, variable, arm in PREDICTIONS:
            ours = _picked(row, variable, arm)
            above, below = stats.above(ours, 1.0), stats.below(ours, 1.0)
            says = above if sign == ">" else below
            borne, against, open_ = borne + (says is True), against + (says is False), open_ + (says is None)
    header = ("network", "η", "update", "λ", "speed over chaotic", "speed over calm", "directions", "steps")
    first = next(iter(jobs.values()))["sweep"]
    seeds = ", ".join(f"{summary['label'].values[i]} {job['sweep'].sizes['seed']}" for i, job in enumerate(jobs.values()))
    calm = ", ".join(f"{label} {float(rate):.3g}" for label, rate in zip(summary["label"].values, summary["calm_rate"], strict=True))
    return {
        **summary.attrs,
        "table": markdown(header, table, "lll" + "r" * 5),
        "borne": borne,
        "against": against,
        "open": open_,
        "all": borne + against + open_,
        "seeds": seeds,
        "calm_rates": calm,
        "targets": ", ".join(f"{label} {float(loss):g}" for label, loss in zip(summary["label"].values, summary["target"], strict=True)),
        "steps": int(first["time"][-1]),
        "from_step": WINDOW[0],
        "to_step": WINDOW[1],
    }


report = Experiment(summarise, figures, findings, words)
