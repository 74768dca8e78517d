"""Windows that begin late, at the studies' settings: frames made at t = 0 held against frames that are made anew."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import provenance_of, stats
from experiments import Experiment, Finding, beyond, claim, panels

Datasets = Mapping[str, xr.Dataset]


def summarise(datasets: Datasets, enough: float) -> xr.Dataset:
    """The exponents of the second half of the time by both kinds of frame, ``[case, learning_rate, seed]``.

    Args:
        enough: nats/step that count as a difference.

    Returns:
        `first` and `renewed`, nats/step, NaN where the run has diverged; `difference`, the second less the first;
        `knows`, the share of the window's records in which the frame from t = 0 is said to know its growth, and
        `renewed_knows`. Learning rates are numbered, their values are `rate` ``[case, learning_rate]``.
    """
    rows: list[xr.Dataset] = []
    for dataset in datasets.values():
        dataset = dataset.isel(exponent=0, drop=True)
        time = dataset["time"].values
        start = float(time[len(time) // 2])
        late = dataset.isel(time=slice(len(time) // 2 + 1, None))
        row = {name: stats.finite_time_exponents(dataset[name], start) for name in ("first", "renewed")}
        row["difference"] = row["renewed"] - row["first"]
        for name, known in (("knows", "first_known"), ("renewed_knows", "renewed_known")):
            row[name] = late[known].astype(float).mean("time").where(row["first"].notnull())
        rates = dataset["learning_rate"]
        found = xr.Dataset(row).assign(rate=rates.astype(float).drop_vars("learning_rate"))
        rows.append(found.assign_coords(learning_rate=range(rates.size)))
    names = np.array(list(datasets), dtype=object)
    return xr.concat(rows, xr.DataArray(names, dims="case", name="case"))


def _label(datasets: Datasets, name: str) -> str:
    return provenance_of(datasets[name])["config"].get("label", name)


def findings(summary: xr.Dataset, datasets: Datasets) -> list[Finding]:
    enough, found = summary.attrs["enough"], []
    for name in summary["case"].values:
        for i in summary["learning_rate"].values:
            row = summary.sel(case=name, learning_rate=i)
            if not np.isfinite(row["rate"]):
                continue
            label = f"{_label(datasets, name)}, η = {float(row['rate']):g}"
            gap = stats.mean_interval(row["difference"], skipna=True)
            _, low, high = (float(bound) for bound in stats.bounds(gap))
            inside, outside = -enough < low and high < enough, low > enough or high < -enough
            holds = True if inside else False if outside else None
            quantity = "renewed frames less the frame from t = 0, second half of the time"
            found.append(claim(label, quantity, f"within ±{enough:g}", gap, holds, unit="nats/step"))
            told = stats.mean_interval(row["first"], skipna=True)
            found.append(beyond(label, "exponent of that half by the frame from t = 0", told, unit="nats/step"))
            share = f"{float(row['knows'].mean()):.0%}; renewed frames {float(row['renewed_knows'].mean()):.0%}"
            found.append(beyond(label, "records in which the frame from t = 0 is said to know", share))
    return found


def figures(summary: xr.Dataset, datasets: Datasets) -> dict[str, Figure]:
    """Growth of both over time, one seed of each case and learning rate; and one against the other, all seeds."""
    figure, axes = panels(1, 2 * len(datasets), (7 * len(datasets), 3.6))
    for place, (name, dataset) in enumerate(datasets.items()):
        left, right = axes[2 * place : 2 * place + 2]
        row = summary.sel(case=name)
        for i, rate in enumerate(dataset["learning_rate"].values):
            one = dataset.isel(exponent=0, seed=0, learning_rate=i)
            for key, line in (("first", "-"), ("renewed", "--")):
                left.plot(one["time"], one[key].cumsum("time"), line, color=f"C{i}", linewidth=1)
            each = row.sel(learning_rate=i)
            right.plot(each["first"], each["renewed"], "o", color=f"C{i}", markersize=3, label=f"η = {rate:g}")
        ends = [*right.get_xlim(), *right.get_ylim()]
        right.plot([min(ends), max(ends)], [min(ends), max(ends)], color="black", linewidth=0.5)
        left.set(xlabel="time t (steps)", ylabel="growth since t = 0 (nats)", title=_label(datasets, name))
        left.set_yscale("symlog", linthresh=10)
        right.set(xlabel="λ, frame from t = 0 (nats/step)", ylabel="λ, renewed frames (nats/step)")
        right.legend(fontsize="x-small")
    figure.suptitle(
        "solid: frame from t = 0, dashed: renewed frames, one seed; λ: second half, all seeds", fontsize="small"
    )
    return {"late_windows": figure}


def words(summary: xr.Dataset, datasets: Datasets) -> dict[str, Any]:
    known = [int(dataset["renewed"].attrs["reseed_steps"]) for dataset in datasets.values()]
    seeds = ", ".join(f"{_label(datasets, name)}: {dataset.sizes['seed']}" for name, dataset in datasets.items())
    return {"reseed": " and ".join(map(str, dict.fromkeys(known))), "seeds": seeds, "enough": summary.attrs["enough"]}


report = Experiment(summarise, figures, findings, words)
