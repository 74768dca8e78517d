"""Figures 9, 10 and 12: intermittent loss at η = 5, its autocorrelation, and weights that switch on and off."""

from functools import partial
from pathlib import Path

import findings
import jax
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import series, stats

WINDOW = 100
"""Steps over which the loss is averaged, and a weight's movement: it is on above `ON` per step, off below `OFF`."""

SUDDEN, SETTLED = 0.1, 500
"""A steady stretch ends where the mean loss of a window is off the last one's by this part, after these steps."""

ON, OFF = 1e-2, 1e-4

SHOWN = 4
"""Initialisations in the pictures."""


TEXT = """\
Figure 9: loss and norm of the weights. Figure 10: autocorrelation of the loss at the end, for the initialisations
with least memory and with most. Figure 12: how much each weight moves, and three that switch. What the patterns are
is worked out under *Figures 9 to 12 explained*."""


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
    findings.save(folder, found(dataset, memory, moving, shuffles), findings.cost(dataset), TEXT)


def correlated(loss: xr.DataArray, shuffles: int, lags: int) -> xr.Dataset:
    """Autocorrelation of each series and the band of its shuffles, over ``[seed, lag]``."""
    value = series.apply(partial(series.autocorrelation, lags=lags), loss)["value"].rename(value_0="lag")
    band = partial(series.shuffled_band, key=jax.random.key(0), lags=lags, shuffles=shuffles)
    ends = series.apply(band, loss)
    return xr.Dataset(
        {"value": value, "low": ends["low"].rename(low_0="lag"), "high": ends["high"].rename(high_0="lag")}
    )


def movement(weights: xr.DataArray) -> xr.DataArray:
    """Mean |Δw| per step of each weight in windows of `WINDOW` steps."""
    steps = abs(weights.diff("time"))
    return steps.coarsen(time=min(WINDOW, steps.sizes["time"]), boundary="trim").mean()


def sudden(loss: xr.DataArray) -> xr.DataArray:
    """Where the mean loss of a window differs from that of the window before by `SUDDEN` of it, once `SETTLED`."""
    late = loss.sel(time=slice(SETTLED if loss["time"][-1] > SETTLED else 0, None))
    level = late.coarsen(time=WINDOW, boundary="trim").mean()
    return abs(level.diff("time")) > SUDDEN * level.shift(time=1)


def found(dataset: xr.Dataset, memory: xr.Dataset, moving: xr.DataArray, shuffles: int) -> list[findings.Finding]:
    changes = sudden(dataset["loss"]).sum("time") * 1.0
    bursts = stats.fraction(changes >= 1)
    changes = stats.mean_interval(changes)
    outside = (memory["value"] < memory["low"]) | (memory["value"] > memory["high"])
    share = stats.mean_interval(outside.isel(lag=slice(1, None)).mean("lag"))
    on, off = moving > ON, moving < OFF
    switching = (on.any("time") & off.any("time")).sum("weight")
    some = stats.fraction(switching >= 1)
    return [
        findings.claim(
            "9",
            f"intermittent: sudden ends of steady stretches after t = {SETTLED} (mean loss of {WINDOW} steps off by "
            f"{SUDDEN:.0%}), per run",
            "seen",
            findings.shown(changes),
            findings.above(changes, 0.0),
        ),
        findings.claim(
            "12",
            f"weights switch on and off (mean |Δw| of {WINDOW} steps above {ON:g}, and below {OFF:g}): cells with some",
            "shown",
            findings.shown(some),
            findings.above(some, 0.5),
        ),
        findings.beyond("9", "runs with such an end", findings.shown(bursts)),
        findings.beyond("10", f"lags outside the 95 % band of {shuffles:,} shuffles", findings.shown(share)),
        findings.beyond("12", "weights of 83 that do", findings.shown(stats.mean_interval(switching * 1.0))),
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
    order = np.argsort(abs(memory["value"].isel(lag=slice(1, None))).mean("lag").values)
    chosen = np.concatenate([order[: shown // 2], order[len(order) - (shown + 1) // 2 :]])
    for place, (seed, ax) in enumerate(
        zip(chosen, figure.subplots(1, shown, sharey=True, squeeze=False)[0], strict=True)
    ):
        cell = memory.isel(seed=seed, lag=slice(1, None))
        lag = np.arange(1, memory.sizes["lag"])
        ax.fill_between(lag, cell["low"], cell["high"], color="tab:grey", alpha=0.4, label="95 % of shuffles")
        ax.plot(lag, cell["value"], ".-", markersize=3, linewidth=0.7)
        ax.set(xlabel="lag (steps)", ylim=(-1.05, 1.05), title=f"initialisation {seed}")
        if place == 0:
            ax.set_ylabel("autocorrelation of the loss")
            ax.legend(fontsize="x-small")
    figure.suptitle(
        f"Iris, η = 5, the last {segment:,} steps: the initialisations with least memory, and with most",
        fontsize="small",
    )
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
