"""Kept fraction, exponents (filtered and not) and the drop of the loss, over the learning rate."""

from pathlib import Path

import drawing
import findings
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import stats

LEVEL = 0.05
"""The study's least exponent, nats per step."""


ENOUGH = 5
"""Kept cells below which their mean is not drawn."""


def report(dataset: xr.Dataset, folder: Path) -> None:
    """Writes rates.png, summary.zarr, findings.json and the table."""
    dataset = dataset.load()
    summary = summarise(dataset)
    summary.to_zarr(folder / "summary.zarr", mode="w", consolidated=False)
    figure(summary, dataset.sizes["seed"]).savefig(folder / "rates.png", dpi=150)
    findings.save(folder, found(dataset, summary), findings.cost(dataset), f"{text(summary)}\n\n{table(summary)}")


def summarise(dataset: xr.Dataset) -> xr.Dataset:
    """Means over the initialisations with their intervals; the log-loss drop ln L(0) − ln L(T) by its median."""
    fit = stats.exponential_window(dataset["distance"])
    tangent = stats.finite_time_exponents(dataset["growth"].isel(exponent=0), fit["start"], fit["stop"])
    drop = xr.ufuncs.log(dataset["loss"].isel(time=0, drop=True)) - xr.ufuncs.log(
        dataset["loss"].isel(time=-1, drop=True)
    )
    median = stats.bootstrap(lambda cells: cells.median("seed"), drop, count=drop.sizes["seed"])
    summary = findings.joined(tangent=stats.mean_interval(tangent, skipna=True), drop=median)
    summary = stats.summarise_exponents(fit).merge(summary, compat="no_conflicts")
    return summary.assign_attrs(steps=int(dataset["time"][-1]))


def found(dataset: xr.Dataset, summary: xr.Dataset) -> list[findings.Finding]:
    fit = stats.exponential_window(dataset["distance"])
    onset = stats.onset(fit["exponent"], level=LEVEL)
    best = float(summary["drop"].idxmax("learning_rate"))
    row = summary.sel(learning_rate=best)
    return [
        findings.beyond("—", f"onset of λ of all cells above {LEVEL:g}", findings.shown(onset, "onset")),
        findings.beyond("—", f"largest median ln L(0)/L(T), at η = {best:.3g}", findings.shown(row, "drop")),
        findings.beyond("—", "λ of all cells there", findings.shown(row, "unfiltered", " nats/step")),
    ]


def text(summary: xr.Dataset) -> str:
    best = float(summary["drop"].idxmax("learning_rate"))
    chaotic = summary["learning_rate"].values[(summary["unfiltered_low"] > LEVEL).values]
    span = f"from η = {chaotic[0]:.3g} to {chaotic[-1]:.3g}" if len(chaotic) else "at no η"
    steps = int(summary.attrs["steps"])
    return f"""\
λ of all cells is above {LEVEL:g} with its whole interval {span}. By the loss after {steps} steps
η = {best:.3g} is best in the median, {"within" if best in chaotic else "outside"} that range."""


def table(summary: xr.Dataset) -> str:
    """The table that the study has at three learning rates only."""
    columns = {
        "kept_fraction": "kept",
        "filtered": "λ, kept cells",
        "unfiltered": "λ, all cells",
        "tangent": "tangent, same windows",
        "drop": "median ln L(0)/L(T)",
    }
    lines = ["| η | " + " | ".join(columns.values()) + " |", "| ---: |" + " ---: |" * len(columns)]
    for eta in summary["learning_rate"].values:
        row = summary.sel(learning_rate=eta)
        lines.append(f"| {eta:.3g} | " + " | ".join(findings.shown(row, name) for name in columns) + " |")
    return "\n".join(lines)


def figure(summary: xr.Dataset, seeds: int) -> Figure:
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, sharex=True)
    eta = summary["learning_rate"]
    enough = summary["kept_fraction"] * seeds >= ENOUGH
    drawing.band(left, eta, summary.where(enough), "filtered", f"kept cells, where there are {ENOUGH}")
    drawing.band(left, eta, summary, "unfiltered", "all cells", "tab:grey")
    drawing.band(left, eta, summary, "tangent", "tangent, same windows, all cells", "tab:red")
    left.axhline(0, color="black", linewidth=0.5)
    left.set(ylabel="exponent λ (nats/step)", xscale="log")
    left.legend(fontsize="x-small")
    drawing.band(middle, eta, summary, "kept_fraction")
    middle.set(ylabel="fraction kept (R² > 0.9, Λ > 0.05)", ylim=(0, 1))
    drawing.band(right, eta, summary, "drop", colour="tab:green")
    right.set(ylabel="median drop of the loss, ln L(0)/L(T)")
    for ax in (left, middle, right):
        ax.set_xlabel("learning rate η")
    figure.suptitle(f"Iris, ε = 1e-08, {seeds} initialisations × 5 perturbations; bands: 95 %", fontsize="small")
    return figure
