"""Figures 9, 10 and 12: intermittent loss at η = 5, its autocorrelation, and weights that switch on and off."""

from functools import partial
from pathlib import Path

import findings
import jax
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import series, stats

QUIET = 0.01
"""A loss is quiet while it changes by less than this from step to step, in nats, for `SHORTEST` steps or more."""

SHORTEST = 50

WINDOW = 100
"""Steps over which a weight's mean movement per step says whether it is on (above `ON`) or off (below `OFF`)."""

ON, OFF = 1e-2, 1e-4

SHOWN = 4
"""Initialisations in the pictures."""


def report(dataset: xr.Dataset, folder: Path, segment: int, shuffles: int, lags: int) -> None:
    """Writes fig9.png, fig10.png, fig12.png, findings.json and the table.

    Args:
        segment: the last steps, whose autocorrelation is taken up to `lags` and compared with `shuffles` shuffles.
    """
    dataset = dataset.load().squeeze("learning_rate")
    memory = correlated(dataset["loss"].isel(time=slice(-segment, None)), shuffles, lags)
    moving = movement(dataset["weights"])
    figure9(dataset).savefig(folder / "fig9.png", dpi=150)
    figure10(memory, segment).savefig(folder / "fig10.png", dpi=150)
    figure12(dataset["weights"], moving).savefig(folder / "fig12.png", dpi=150)
    findings.save(folder, found(dataset, memory, moving, shuffles), findings.cost(dataset))


def correlated(loss: xr.DataArray, shuffles: int, lags: int) -> xr.Dataset:
    """Autocorrelation of each series and the band of its shuffles, over ``[seed, lag]``."""
    value = series.over(partial(series.autocorrelation, lags=lags), loss)["value"].rename(value_0="lag")
    band = partial(series.shuffled_band, key=jax.random.key(0), lags=lags, shuffles=shuffles)
    ends = series.over(band, loss)
    return xr.Dataset(
        {"value": value, "low": ends["low"].rename(low_0="lag"), "high": ends["high"].rename(high_0="lag")}
    )


def movement(weights: xr.DataArray) -> xr.DataArray:
    """Mean |Δw| per step of each weight in windows of `WINDOW` steps."""
    steps = abs(weights.diff("time"))
    return steps.coarsen(time=min(WINDOW, steps.sizes["time"]), boundary="trim").mean()


def found(dataset: xr.Dataset, memory: xr.Dataset, moving: xr.DataArray, shuffles: int) -> list[findings.Finding]:
    quiet = series.over(partial(series.laminar, threshold=QUIET, min_length=SHORTEST), dataset["loss"])
    fraction = stats.mean_interval(quiet["fraction"])
    bursts = stats.fraction((quiet["number"] >= 1) & (quiet["fraction"] < 0.95))
    outside = (memory["value"] < memory["low"]) | (memory["value"] > memory["high"])
    share = stats.mean_interval(outside.isel(lag=slice(1, None)).mean("lag"))
    on, off = moving > ON, moving < OFF
    switching = (on.any("time") & off.any("time")).sum("weight")
    some = stats.fraction(switching >= 1)
    return [
        findings.claim(
            "9",
            f"intermittent: cells with quiet phases (change < {QUIET:g} nats for {SHORTEST} steps) between bursts",
            "all shown",
            findings.shown(bursts),
            findings.above(bursts, 0.5),
            "" if bursts["estimate"] == 1 else "not in every initialisation",
        ),
        findings.claim(
            "12",
            f"weights switch on and off (mean |Δw| of {WINDOW} steps above {ON:g}, and below {OFF:g}): cells with some",
            "shown",
            findings.shown(some),
            findings.above(some, 0.5),
        ),
        findings.beyond("9", "quiet part of the run", findings.shown(fraction)),
        findings.beyond("10", f"lags outside the 95 % band of {shuffles:,} shuffles", findings.shown(share)),
        findings.beyond("12", "weights of 83 that do", findings.shown(stats.mean_interval(switching.astype(float)))),
    ]


def figure9(dataset: xr.Dataset) -> Figure:
    shown = min(SHOWN, dataset.sizes["seed"])
    figure = Figure(figsize=(10, 1.5 * shown + 0.6), layout="constrained")
    rows = figure.subplots(shown, 2, sharex=True, squeeze=False)
    for seed, (left, right) in enumerate(rows):
        cell = dataset.isel(seed=seed)
        left.plot(cell["time"], cell["loss"], linewidth=0.3)
        left.set_ylabel("loss (nats)")
        right.plot(cell["time"], cell["norms_params"], linewidth=0.5, color="tab:purple")
        right.set_ylabel("‖w‖₂")
    for ax in rows[-1]:
        ax.set_xlabel("time t (steps)")
    figure.suptitle(f"Iris, η = 5: loss and norm of the weights, {shown} initialisations", fontsize="small")
    return figure


def figure10(memory: xr.Dataset, segment: int) -> Figure:
    shown = min(SHOWN, memory.sizes["seed"])
    figure = Figure(figsize=(3 * shown, 3), layout="constrained")
    for seed, ax in enumerate(figure.subplots(1, shown, sharey=True, squeeze=False)[0]):
        cell = memory.isel(seed=seed, lag=slice(1, None))
        lag = np.arange(1, memory.sizes["lag"])
        ax.fill_between(lag, cell["low"], cell["high"], color="tab:grey", alpha=0.4, label="95 % of shuffles")
        ax.plot(lag, cell["value"], ".-", markersize=3, linewidth=0.7)
        ax.set(xlabel="lag (steps)", ylim=(-1.05, 1.05), title=f"initialisation {seed}")
        if seed == 0:
            ax.set_ylabel("autocorrelation of the loss")
            ax.legend(fontsize="x-small")
    figure.suptitle(f"Iris, η = 5, the last {segment:,} steps", fontsize="small")
    return figure


def figure12(weights: xr.DataArray, moving: xr.DataArray) -> Figure:
    """The initialisation with most switching weights, and three of these."""
    switches = (moving > ON).any("time") & (moving < OFF).any("time")
    seed = int(switches.sum("weight").argmax("seed"))
    many = moving.isel(seed=seed)
    changes = ((many > ON).astype(int).diff("time") != 0).sum("time").where(switches.isel(seed=seed), -1)
    chosen = np.sort(np.argsort(changes.values)[-3:])
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    shade = np.log10(np.maximum(many.transpose("weight", "time").values, 1e-8))
    time = many["time"].values
    extent = (time[0] - WINDOW / 2, time[-1] + WINDOW / 2, shade.shape[0] - 0.5, -0.5)
    image = left.imshow(shade, aspect="auto", extent=extent, vmin=-6, vmax=0, interpolation="nearest")
    left.set(xlabel="time t (steps)", ylabel="weight", title=f"initialisation {seed}: all weights")
    figure.colorbar(image, ax=left, label=f"log₁₀ mean |Δw| per step, {WINDOW} steps")
    for weight in chosen:
        right.plot(weights["time"], weights.isel(seed=seed, weight=weight), linewidth=0.5, label=f"weight {weight}")
    right.set(xlabel="time t (steps)", ylabel="weight")
    right.legend(fontsize="x-small")
    figure.suptitle("Iris, η = 5", fontsize="small")
    return figure
