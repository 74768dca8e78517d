"""L2 regularisation: divergence and exponents against its strength, at the three learning rates of the study."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import plotting, stats
from experiments import Experiment, Finding, beyond, colours, initialisations, markdown, panels


def summarise(dataset: xr.Dataset, fitted: int) -> xr.Dataset:
    """Average by η and weight decay: the study's fit, the tangent's exponent of the later half, the final loss.

    Args:
        fitted: steps that the study fits exponential windows to.
    """
    fit = stats.exponential_window(dataset["distance"].sel(time=slice(0, fitted)))
    start = int(dataset["time"][dataset.sizes["time"] // 2])
    late = stats.finite_time_exponents(stats.first_exponent(dataset["growth"]), start=start)
    loss = dataset["loss"].isel(time=-1, drop=True)
    return stats.summarise_exponents(fit).assign(late=stats.mean_interval(late), loss=stats.mean_interval(loss))


def findings(summary: xr.Dataset, dataset: xr.Dataset) -> list[Finding]:
    found = []
    for eta in summary["learning_rate"].values:
        row = summary.sel(learning_rate=eta)
        late, _, highest = stats.bounds(row["late"])
        calm = row["weight_decay"].values[(highest < 0).values]
        first = f"{calm[0]:g}" if len(calm) else "none of them"
        found.append(beyond("L2", f"η = {eta:g}: weight decay from which copies approach in the end", first))
        bare, most = row.isel(weight_decay=0), row.isel(weight_decay=int(late.argmax("weight_decay")))
        for part, label in ((bare, "without"), (most, f"largest, at weight decay {float(most['weight_decay']):g}")):
            quantity = f"η = {eta:g}: tangent exponent of the later half, {label}"
            found.append(beyond("L2", quantity, part["late"], unit="nats/step"))
    return found


def words(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, str]:
    header = ("η", "weight decay", "kept", f"λ, all cells, first {summary.attrs['fitted']} steps")
    rows = []
    for eta in summary["learning_rate"].values:
        for decay in summary["weight_decay"].values:
            row = summary.sel(learning_rate=eta, weight_decay=decay)
            names = ("kept_fraction", "unfiltered", "late", "loss")
            rows.append([f"{eta:g}", f"{decay:g}", *(stats.format_interval(row[name]) for name in names)])
    return {"table": markdown((*header, "tangent, later half", "final loss"), rows)}


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    etas, decays = dataset["learning_rate"].values, dataset["weight_decay"].values
    figure, axes = panels(2, len(etas), (10, 6))
    rows, fitted = axes.reshape(2, -1), summary.attrs["fitted"]
    for ax, eta in zip(rows[0], etas, strict=True):
        for colour, decay in zip(colours(len(decays)), decays, strict=True):
            distance = dataset["distance"].sel(learning_rate=eta, weight_decay=decay)
            distance = stats.mean_over_copies(distance)
            typical = xr.ufuncs.exp(xr.ufuncs.log(distance.where(distance > 0)).mean("seed"))
            ax.plot(distance["time"], typical, color=colour, label=f"weight decay {decay:g}")
        ax.set(yscale="log", xlabel="time t (steps)", title=f"η = {eta:g}")
    rows[0][0].set_ylabel("distance d(t) (L1), geometric mean")
    figure.legend(*rows[0][0].get_legend_handles_labels(), loc="outside right upper")
    for ax, eta in zip(rows[1], etas, strict=True):
        part = summary.sel(learning_rate=eta)
        where = np.arange(len(decays))
        plotting.band(ax, where, part["unfiltered"], label=f"ensemble, straightest window of {fitted} steps")
        plotting.band(ax, where, part["late"], colour="C3", label="tangent, later half of the run")
        ax.axhline(0, color="black", linewidth=0.5)
        ax.set_xticks(where, [f"{decay:g}" for decay in decays], rotation=30)
        ax.set_xlabel("weight decay")
    rows[1][0].set_ylabel("exponent (nats/step)")
    figure.legend(*rows[1][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle(f"Iris, ε = 1e-08, {initialisations(dataset)}")
    return {"l2": figure}


report = Experiment(summarise, figures, findings, words)
