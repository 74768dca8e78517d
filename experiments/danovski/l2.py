"""L2 regularisation: divergence and exponents against its strength, at the three learning rates of the study."""

from pathlib import Path

import drawing
import findings
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import stats

FITTED = 200
"""Steps that the study fits exponential windows to."""


def report(dataset: xr.Dataset, folder: Path) -> None:
    """Writes l2.png, findings.json and the table."""
    dataset = dataset.load()
    summary = summarise(dataset)
    figure(dataset, summary).savefig(folder / "l2.png", dpi=150)
    findings.save(folder, found(summary), findings.cost(dataset), text(summary))


def summarise(dataset: xr.Dataset) -> xr.Dataset:
    """By η and weight decay: exponent and kept fraction of the study's fit, and the tangent's of the later half."""
    fit = stats.exponential_window(dataset["distance"].sel(time=slice(0, FITTED)))
    time = dataset["time"].values
    late = stats.finite_time_exponents(dataset["growth"].isel(exponent=0), start=int(time[len(time) // 2]))
    loss = stats.mean_interval(dataset["loss"].isel(time=-1, drop=True))
    summary = findings.joined(late=stats.mean_interval(late), loss=loss)
    return stats.summarise_exponents(fit).merge(summary, compat="no_conflicts")


def found(summary: xr.Dataset) -> list[findings.Finding]:
    found = []
    for eta in summary["learning_rate"].values:
        row = summary.sel(learning_rate=eta)
        calm = row["weight_decay"].values[(row["late_high"] < 0).values]
        first = f"{calm[0]:g}" if len(calm) else "none of them"
        found.append(findings.beyond("L2", f"η = {eta:g}: weight decay from which copies approach in the end", first))
        bare, most = row.isel(weight_decay=0), row.isel(weight_decay=int(row["late"].argmax("weight_decay")))
        for part, label in ((bare, "without"), (most, f"largest, at weight decay {float(most['weight_decay']):g}")):
            late = findings.shown(part, "late", " nats/step")
            found.append(findings.beyond("L2", f"η = {eta:g}: tangent exponent of the later half, {label}", late))
    return found


def text(summary: xr.Dataset) -> str:
    """What L2 does at each learning rate, and the table of all."""
    lines = [
        "Weight decay contracts every direction by η·decay a step. Whether training is the calmer for it is another "
        "question: it also keeps units from saturating, and saturated units are calm (see the phases at η = 5).",
        "",
        f"| η | weight decay | kept | λ, all cells, first {FITTED} steps | tangent, later half | final loss |",
        "| ---: |" + " ---: |" * 5,
    ]
    for eta in summary["learning_rate"].values:
        for decay in summary["weight_decay"].values:
            row = summary.sel(learning_rate=eta, weight_decay=decay)
            names = ("kept_fraction", "unfiltered", "late", "loss")
            cells = [f"{eta:g}", f"{decay:g}", *(findings.shown(row, name) for name in names)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def figure(dataset: xr.Dataset, summary: xr.Dataset) -> Figure:
    etas, decays = dataset["learning_rate"].values, dataset["weight_decay"].values
    figure = Figure(figsize=(10, 6), layout="constrained")
    rows = figure.subplots(2, len(etas), squeeze=False)
    for ax, eta in zip(rows[0], etas, strict=True):
        for colour, decay in zip(drawing.colours(len(decays)), decays, strict=True):
            distance = dataset["distance"].sel(learning_rate=eta, weight_decay=decay).mean("copy", skipna=False)
            typical = xr.ufuncs.exp(xr.ufuncs.log(distance.where(distance > 0)).mean("seed"))
            ax.plot(distance["time"], typical, color=colour, label=f"weight decay {decay:g}")
        ax.set(yscale="log", xlabel="time t (steps)", title=f"η = {eta:g}")
    rows[0][0].set_ylabel("distance d(t) (L1), geometric mean")
    rows[0][0].legend(fontsize="x-small")
    for ax, eta in zip(rows[1], etas, strict=True):
        part = summary.sel(learning_rate=eta)
        where = np.arange(len(decays))
        drawing.band(ax, xr.DataArray(where), part, "unfiltered", f"ensemble, straightest window of {FITTED} steps")
        drawing.band(ax, xr.DataArray(where), part, "late", "tangent, later half of the run", "tab:red")
        ax.axhline(0, color="black", linewidth=0.5)
        ax.set_xticks(where, [f"{decay:g}" for decay in decays])
        ax.set_xlabel("weight decay")
    rows[1][0].set_ylabel("exponent (nats/step)")
    rows[1][0].legend(fontsize="x-small")
    figure.suptitle(f"Iris, ε = 1e-08, {dataset.sizes['seed']} initialisations × 5 perturbations", fontsize="small")
    return figure
