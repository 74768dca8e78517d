"""Appendix S2: the exponent over the learning rate for MNIST with pixels of 0 to 255."""

from pathlib import Path

import findings
import matplotlib
import numpy as np
import xarray as xr
from edge_of_chaos import title_of
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chaosjax import stats
from chaosjax.plotting._edge_of_chaos import band

LEVEL = 0.05
"""Exponent in nats per step above which a window counts as chaotic: the study's."""

SATURATION = 0.1
"""Share of its largest value at which a distance is no longer small."""

RULES = {
    "filtered": ("best R², kept cells (R² > 0.9, Λ > 0.05)", "tab:blue", "-"),
    "unfiltered": ("best R², all cells", "tab:cyan", "-"),
    "tangent": ("tangent, windows of the best R²", "tab:cyan", ":"),
    "steepest": ("steepest window, all cells", "tab:red", "-"),
    "steepest_tangent": ("tangent, windows of the steepest", "tab:red", ":"),
    "whole": ("tangent, whole run", "0.35", "-"),
}
"""Label, colour and line of each fitting rule."""


def report(dataset: xr.Dataset, folder: Path) -> None:
    """Writes s2.png, summary.zarr, findings.json and the table."""
    dataset = dataset.load()
    summary = summarise(dataset)
    summary.to_zarr(folder / "summary.zarr", mode="w", consolidated=False)
    figure(dataset, summary).savefig(folder / "s2.png", dpi=150)
    findings.save(folder, found(summary), findings.cost(dataset), text(dataset, summary))


def summarise(dataset: xr.Dataset) -> xr.Dataset:
    """Means over seeds of each of `RULES` by learning rate, and `saturation`, the steps until d(t) is a tenth of its
    largest value, of cells that grow tenfold: an exponential phase is no longer than that."""
    growth, distance = dataset["growth"].isel(exponent=0), dataset["distance"].mean("copy", skipna=False)
    fit, steep = (stats.exponential_window(dataset["distance"], select=select) for select in ("r2", "slope"))
    relative = distance / distance.max("time")
    saturated = stats.first_passage(relative, SATURATION)["first_passage"]
    cells = {
        "tangent": stats.finite_time_exponents(growth, fit["start"], fit["stop"]),
        "steepest": steep["exponent"],
        "steepest_tangent": stats.finite_time_exponents(growth, steep["start"], steep["stop"]),
        "whole": stats.finite_time_exponents(growth),
        "saturation": saturated.where(relative.isel(time=0, drop=True) < SATURATION),
    }
    means = {name: stats.mean_interval(values.astype(float), skipna=True) for name, values in cells.items()}
    parts = [part.drop_attrs().reset_coords(drop=True) for part in (stats.summarise_exponents(fit), *means.values())]
    return xr.merge([parts[0], findings.joined(**dict(zip(means, parts[1:], strict=True)))])


def found(summary: xr.Dataset) -> list[findings.Finding]:
    first, rest = summary.isel(learning_rate=0), summary.isel(learning_rate=slice(1, None))
    chaotic = rest["learning_rate"].values[(rest["steepest_low"] > LEVEL).values]
    spans = f"above {LEVEL:g} at η = {', '.join(f'{eta:g}' for eta in chaotic)}" if len(chaotic) else "nowhere above"
    ours = f"{findings.shown(first, 'steepest')} at η = {float(first['learning_rate']):g}; {spans}"
    lines = [findings.beyond("S2", "λ, steepest window", ours, "the appendix's figures are not at hand")]
    for eta in summary["learning_rate"].values:
        row = summary.sel(learning_rate=eta)
        growth = findings.shown(row, "whole", " nats/step")
        lines.append(findings.beyond("S2", f"tangent exponent of the whole run, η = {eta:g}", growth))
    return lines


def table(summary: xr.Dataset) -> str:
    """The exponent by every rule and learning rate."""
    lines = ["| η | kept | " + " | ".join(label for label, _, _ in RULES.values()) + " |"]
    lines.append("| ---: |" + " ---: |" * (len(RULES) + 1))
    for eta in summary["learning_rate"].values:
        row = summary.sel(learning_rate=eta)
        cells = [f"{eta:g}", f"{float(row['kept_fraction']):.0%}", *(findings.shown(row, name) for name in RULES)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def text(dataset: xr.Dataset, summary: xr.Dataset) -> str:
    data = dataset.attrs["identity"]["system"]["dataset"]
    saturation = ", ".join(
        f"{findings.shown(summary.sel(learning_rate=eta), 'saturation')} at η = {eta:g}"
        for eta in summary["learning_rate"].values
        if np.isfinite(summary["saturation"].sel(learning_rate=eta))
    )
    return f"""\
{data["train_samples"]:,} samples, {dataset.sizes["seed"]} initialisations × {dataset.sizes["copy"]} perturbations,
{int(dataset["time"][-1])} steps. Left: distances, and dashed what the tangent says they would be if they stayed small.
Right: the exponent by each rule.

Steps until the distance is a tenth of its largest value, where it grows tenfold: {saturation or "none does"}. The
shortest window of the study's fit has 30 steps: where saturation comes sooner, a fitted exponent averages growth and
saturation, and only the tangent measures the growth. The appendix's own figures are not at hand, so nothing here is
held against a published number.

{table(summary)}"""


def figure(dataset: xr.Dataset, summary: xr.Dataset) -> Figure:
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _distances(left, dataset)
    for name, (label, colour, line) in RULES.items():
        band(right, summary, name, colour=colour, label=label, linestyle=line)
    eta = summary["learning_rate"].values
    right.set_xlim(eta[0] / 1.5, eta[-1] * 1.5)
    right.axhline(0, color="black", linewidth=0.6)
    right.axhline(LEVEL, color="black", linewidth=0.6, linestyle="--")
    right.set(xscale="log", xlabel="learning rate η", ylabel="exponent λ (nats/step)")
    right.legend(fontsize="x-small", loc="upper left", title=f"dashed: {LEVEL:g}", title_fontsize=7)
    figure.suptitle(f"{title_of(dataset)}; bands: 95 %", fontsize="small")
    return figure


def _distances(ax: Axes, dataset: xr.Dataset) -> None:
    distance = dataset["distance"].mean("copy", skipna=False)
    tangent = xr.ufuncs.log(distance.isel(time=0)) + dataset["growth"].isel(exponent=0).cumsum("time")
    top = 10 * float(distance.max())
    colours = matplotlib.colormaps["plasma"](np.linspace(0, 0.9, distance.sizes["learning_rate"]))
    for eta, colour in zip(distance["learning_rate"].values, colours, strict=True):
        cells = distance.sel(learning_rate=eta)
        ax.plot(cells["time"], cells.transpose("time", "seed"), color=colour, linewidth=0.4, alpha=0.5)
        typical = np.exp(xr.ufuncs.log(cells.where(cells > 0)).mean("seed"))
        ax.plot(cells["time"], typical, color=colour, linewidth=1.8, label=f"η = {eta:g}")
        small = tangent.sel(learning_rate=eta).mean("seed")
        ax.plot(small["time"], np.exp(small.where(small < np.log(top))), "--", color=colour, linewidth=1)
    ax.set(yscale="log", xlabel="time t (steps)", ylabel="distance d(t) to the unperturbed run (L1)")
    ax.set_ylim(top=top)
    ax.legend(
        fontsize="x-small",
        ncols=2,
        loc="lower right",
        bbox_to_anchor=(1, 0.07),
        title="dashed: the tangent's",
        title_fontsize=7,
    )
