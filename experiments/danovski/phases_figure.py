"""The figure of `danovski.phases`."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.danovski.beside import SETTLE
from experiments.danovski.units import SHORTEST

NARROW = 0.1
"""Share of the run below which a phase has no room for words; its colour tells."""


def figure(dataset: xr.Dataset, runs: xr.Dataset, beside: xr.Dataset, diagram: xr.DataArray, eta: float) -> Figure:
    """One run, the bifurcation diagram, the reduced map beside the network step by step, and how long phases last."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(2, 2)
    one_run(axes[0, 0], dataset, runs, eta)
    bifurcation(axes[0, 1], runs, diagram)
    side_by_side(axes[1, 0], beside)
    lifetimes(axes[1, 1], runs)
    figure.suptitle(
        f"Iris, 4–10(sigmoid)–3, {dataset.sizes['seed']} initialisations × {int(dataset['time'][-1]):,} steps; "
        "η_eff = η (1 + units stuck at 1)"
    )
    return figure


def one_run(ax: Axes, dataset: xr.Dataset, runs: xr.Dataset, eta: float) -> None:
    """The loss of the run that shows most kinds of phase, chaos among them."""
    ours = runs.isel(phase=runs["eta"].values == eta)
    kinds = {
        int(cell): (bool(group["chaotic"].any()), len({*zip(group["on"].values, group["chaotic"].values, strict=True)}))
        for cell, group in ours.groupby("cell")
    }
    cell = max(kinds, key=lambda cell: kinds[cell])
    losses = dataset["loss"].sel(learning_rate=eta).isel(seed=cell)
    ax.plot(losses["time"], losses, ".", markersize=1.5, color="black", rasterized=True)
    for n in np.flatnonzero(ours["cell"].values == cell):
        phase = ours.isel(phase=n)
        first, last = (float(losses["time"][int(phase[end])]) for end in ("first", "last"))
        colour = "C3" if phase["chaotic"] else "C0"
        ax.axvspan(first, last, color=colour, alpha=0.2, linewidth=0)
        word = "chaos" if phase["chaotic"] else "fixed" if phase["period"] == 1 else "cycle"
        if last - first > NARROW * float(losses["time"][-1]):
            ax.text((first + last) / 2, 0.99, f"η_eff\n{float(phase['eta_eff']):g}\n{word}", va="top", ha="center",
                    transform=ax.get_xaxis_transform())  # fmt: skip
    ax.set(xlabel="time t (steps)", ylabel="loss (nats)", ylim=(0, float(losses[SETTLE // 10 :].max()) * 1.4))
    ax.set_title(f"η = {eta:g}, seed {int(losses['seed'])}; shaded: all hidden units constant")


def bifurcation(ax: Axes, runs: xr.Dataset, diagram: xr.DataArray) -> None:
    """Leading exponents of the reduced map over η_eff, and of the network in each phase."""
    for start in diagram.transpose("start", ...):
        ax.plot(diagram["eta_eff"], start, ".", color="grey", markersize=2, label="_")
    ax.plot([], [], ".", color="grey", label="reduced map, random starts")
    for i, (eta, group) in enumerate(runs.groupby("eta")):
        label = f"network, phases at η = {eta:g}"
        ax.plot(group["eta_eff"], group["exponents"][:, 0], "o", color=f"C{i}", markersize=4, alpha=0.6, label=label)
    ax.axhline(0, color="black", linewidth=0.5)
    ax.set(xlabel="effective learning rate η_eff", ylabel="leading exponent λ (nats/step)")
    ax.set(xlim=(2.5, 32.5), ylim=(-0.9, 1.7))
    ax.legend(loc="upper right")
    ax.set_title("The network's λ is the reduced map's, or 0")


def side_by_side(ax: Axes, beside: xr.Dataset) -> None:
    """The loss of a chaotic and of the slowest quiet cell, beside the reduced map's."""
    leading = beside["reduced"].isel(exponent=0)
    quiet = leading.where(leading < 0)
    chosen = [(leading, "C3", "chaos")] if (leading > 0).any() else []
    chosen += [(quiet, "C0", "cycle")] if quiet.notnull().any() else []
    for ranking, colour, word in chosen:
        cell = beside.isel(cell=int(ranking.argmax("cell")), time=slice(0, 101))
        label = f"network, {word} at η_eff = {float(cell['eta_eff']):g}, seed {int(cell['seed'])}"
        ax.plot(cell["loss"], "-", color=colour, linewidth=1, label=label)
        ax.plot(cell["reduced_loss"], "k.", markersize=3, label="_")
    ax.plot([], [], "k.", label="reduced map from the same logits")
    ax.set(xlabel="steps since the common state", ylabel="loss (nats)")
    ax.set_ylim(0, ax.get_ylim()[1] * 1.35)
    ax.legend(loc="upper right")
    ax.set_title("A hundred steps from the same state")


def lifetimes(ax: Axes, runs: xr.Dataset) -> None:
    """How long each phase lasted, against what its beginning tells."""
    for ended, marker, label in ((True, "o", "ended"), (False, ">", "still on when the run ended")):
        group = runs.isel(phase=runs["ended"].values == ended)
        ax.plot(group["steps"], group["lifetime"], marker, markersize=4, alpha=0.6, linestyle="", label=label)
    ends = np.array([SHORTEST, 1.2 * float(runs["steps"].max())])
    ax.plot(ends, ends, "k-", linewidth=0.8, label="equal")
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="length of the phase (steps)",
        ylabel="expected length (steps),\nfrom the phase's steps 50–150",
    )
    ax.set_ylim(SHORTEST / 2, 1e11)
    ax.legend(loc="upper left")
    ax.set_title("A phase ends when a unit comes unstuck")
