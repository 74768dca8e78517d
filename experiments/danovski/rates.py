"""Kept fraction, exponents (filtered and not) and the drop of the loss, over the learning rate."""

from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from chaosjax import plotting, stats
from experiments import Experiment, Finding, beyond, initialisations, legend_above, markdown, panels

ENOUGH = 5
"""Kept cells below which their mean is not drawn."""


def summarise(dataset: xr.Dataset, level: float) -> xr.Dataset:
    """Average over the initialisations, of the log-loss drop ln L(0) − ln L(T) by the median; and the `onset` of λ.

    Args:
        level: the study's least exponent, nats per step.
    """
    fit = stats.exponential_window(dataset["distance"])
    tangent = stats.tangent_in_windows(dataset["growth"], fit)
    log_loss = xr.ufuncs.log(dataset["loss"])
    drop = log_loss.isel(time=0, drop=True) - log_loss.isel(time=-1, drop=True)
    return stats.summarise_exponents(fit).assign(
        tangent=stats.mean_interval(tangent, skipna=True),
        drop=stats.bootstrap(lambda cells: cells.median("seed"), drop, count=drop.sizes["seed"]),
        onset=stats.onset(fit["exponent"], level=level)["onset"],
    )


def fastest(summary: xr.Dataset) -> float:
    """The learning rate whose loss has dropped most, in the median."""
    return float(stats.bounds(summary["drop"])[0].idxmax("learning_rate"))


def findings(summary: xr.Dataset, dataset: xr.Dataset) -> list[Finding]:
    level, best = summary.attrs["level"], fastest(summary)
    row = summary.sel(learning_rate=best)
    return [
        beyond("—", f"onset of λ of all cells above {level:g}", summary["onset"]),
        beyond("—", f"largest median ln L(0)/L(T), at η = {best:.3g}", row["drop"]),
        beyond("—", "λ of all cells there", row["unfiltered"], unit="nats/step"),
    ]


def words(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Any]:
    level, best = summary.attrs["level"], fastest(summary)
    _, low, _ = stats.bounds(summary["unfiltered"])
    chaotic = summary["learning_rate"].values[(low > level).values]
    columns = {
        "kept_fraction": "kept",
        "filtered": "λ, kept cells",
        "unfiltered": "λ, all cells",
        "tangent": "tangent, same windows",
        "drop": "median ln L(0)/L(T)",
    }
    rows = []
    for eta in summary["learning_rate"].values:
        row = summary.sel(learning_rate=eta)
        rows.append([f"{eta:.3g}", *(stats.format_interval(row[name]) for name in columns)])
    return {
        "level": level,
        "span": f"from η = {chaotic[0]:.3g} to {chaotic[-1]:.3g}" if len(chaotic) else "at no η",
        "steps": int(dataset["time"][-1]),
        "best": best,
        "where": "within" if best in chaotic else "outside",
        "table": markdown(("η", *columns.values()), rows),
    }


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    figure, axes = panels(1, 3, (10, 3.6), sharex=True)
    (left, middle, right), eta = axes, summary["learning_rate"]
    enough = stats.bounds(summary["kept_fraction"])[0] * dataset.sizes["seed"] >= ENOUGH
    label = f"kept cells, if {ENOUGH} or more"
    plotting.band(left, eta, summary["filtered"].where(enough), label=label)
    plotting.band(left, eta, summary["unfiltered"], colour="C7", label="all cells")
    plotting.band(left, eta, summary["tangent"], colour="C3", label="tangent, same windows")
    left.axhline(0, color="black", linewidth=0.5)
    left.set(ylabel="exponent λ (nats/step)", xscale="log")
    legend_above(left)
    plotting.band(middle, eta, summary["kept_fraction"])
    middle.set(ylabel="fraction kept (R² > 0.9, Λ > 0.05)", ylim=(0, 1))
    plotting.band(right, eta, summary["drop"], colour="C2")
    right.set(ylabel="median drop of the loss, ln L(0)/L(T)")
    for ax in axes:
        ax.set_xlabel("learning rate η")
    figure.suptitle(f"Iris, ε = 1e-08, {initialisations(dataset)}; bands: 95 %")
    return {"rates": figure}


report = Experiment(summarise, figures, findings, words)
