"""Figures 9, 10 and 12: intermittent loss at η = 5, its autocorrelation, and weights that switch on and off."""

from functools import partial

import jax
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import series, stats
from experiments import Experiment, Finding, beyond, claim, panels

WINDOW = 100
"""Steps over which the loss is averaged, and a weight's movement: it is on above `ON` per step, off below `OFF`."""

SUDDEN, SETTLED = 0.1, 500
"""A steady stretch ends where the mean loss of a window is off the last one's by this part, after these steps."""

ON, OFF = 1e-2, 1e-4

SHOWN = 4
"""Initialisations in the pictures."""


def summarise(dataset: xr.Dataset, segment: int, shuffles: int, lags: int) -> xr.Dataset:
    """Find the `memory` ``[bound, seed, lag]`` of the loss in the band of its shuffles, and how weights move.

    Args:
        segment: the last steps, whose autocorrelation is taken up to `lags` and compared with `shuffles` shuffles.

    Returns:
        also `moving`, the mean |Δw| per step of each weight in windows of `WINDOW` steps.
    """
    loss = dataset["loss"].isel(time=slice(-segment, None))
    value = series.apply(partial(series.autocorrelation, lags=lags), loss)["value"].rename(value_0="lag")
    ends = series.apply(partial(series.shuffled_band, key=jax.random.key(0), lags=lags, shuffles=shuffles), loss)
    memory = stats.interval(value, ends["low"].rename(low_0="lag"), ends["high"].rename(high_0="lag"))
    steps = abs(dataset["weights"].diff("time"))
    moving = steps.coarsen(time=min(WINDOW, steps.sizes["time"]), boundary="trim").mean()
    return xr.Dataset({"memory": memory, "moving": moving.rename(time="window")})


def sudden(loss: xr.DataArray) -> xr.DataArray:
    """Where the mean loss of a window differs from that of the window before by `SUDDEN` of it, once `SETTLED`."""
    late = loss.sel(time=slice(SETTLED if loss["time"][-1] > SETTLED else 0, None))
    level = late.coarsen(time=WINDOW, boundary="trim").mean()
    return abs(level.diff("time")) > SUDDEN * level.shift(time=1)


def findings(summary: xr.Dataset, dataset: xr.Dataset) -> list[Finding]:
    changes = sudden(dataset["loss"]).sum("time") * 1.0
    bursts = stats.fraction(changes >= 1)
    changes = stats.mean_interval(changes)
    value, low, high = stats.bounds(summary["memory"].isel(lag=slice(1, None)))
    share = stats.mean_interval(((value < low) | (value > high)).mean("lag"))
    moving, shuffles = summary["moving"], summary.attrs["shuffles"]
    on, off = moving > ON, moving < OFF
    switching = (on.any("window") & off.any("window")).sum("weight")
    some = stats.fraction(switching >= 1)
    weights = stats.mean_interval(switching * 1.0)
    return [
        claim(
            "9", f"intermittent: sudden ends of steady stretches after t = {SETTLED} (mean loss of {WINDOW} steps off "
            f"by {SUDDEN:.0%}), per run", "seen", changes, stats.above(changes, 0.0),
        ),
        claim(
            "12", f"weights switch on and off (mean |Δw| of {WINDOW} steps above {ON:g}, and below {OFF:g}): cells "
            "with some", "shown", some, stats.above(some, 0.5),
        ),
        beyond("9", "runs with such an end", bursts),
        beyond("10", f"lags outside the 95 % band of {shuffles:,} shuffles", share),
        beyond("12", f"weights of {moving.sizes['weight']} that do", weights),
    ]  # fmt: skip


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    return {
        "fig9": figure9(dataset),
        "fig10": figure10(summary["memory"], summary.attrs["segment"]),
        "fig12": figure12(dataset["weights"], summary["moving"]),
    }


def figure9(dataset: xr.Dataset) -> Figure:
    shown = min(SHOWN, dataset.sizes["seed"])
    figure, axes = panels(shown, 2, (10, 1.5 * shown + 0.6), sharex=True)
    for seed, (left, right) in enumerate(axes.reshape(shown, 2)):
        cell = dataset.isel(seed=seed)
        left.plot(cell["time"], cell["loss"], ".", markersize=2, markeredgewidth=0, rasterized=True)
        left.set_ylabel("loss (nats)")
        right.plot(
            cell["time"], cell["norms_params"], ".", markersize=2, markeredgewidth=0, color="C4", rasterized=True
        )
        right.set_ylabel("‖w‖₂")
    for ax in axes[-2:]:
        ax.set_xlabel("time t (steps)")
    figure.suptitle(f"Iris, η = 5: loss and norm of the weights at each step, {shown} initialisations")
    return figure


def figure10(memory: xr.DataArray, segment: int) -> Figure:
    shown = min(SHOWN, memory.sizes["seed"])
    figure, axes = panels(1, shown, (3 * shown, 3), sharey=True)
    value, low, high = stats.bounds(memory.isel(lag=slice(1, None)))
    order = np.argsort(abs(value).mean("lag").values)
    chosen = np.concatenate([order[: shown // 2], order[len(order) - (shown + 1) // 2 :]])
    lag = np.arange(1, memory.sizes["lag"])
    for seed, ax in zip(chosen, axes, strict=True):
        ends = low.isel(seed=seed), high.isel(seed=seed)
        ax.fill_between(lag, *ends, color="C7", alpha=0.4, label="95 % of shuffles")
        ax.plot(lag, value.isel(seed=seed), ".-", markersize=3, linewidth=0.7)
        ax.set(xlabel="lag (steps)", ylim=(-1.05, 1.05), title=f"initialisation {seed}")
    axes[0].set_ylabel("autocorrelation of the loss")
    axes[0].legend()
    title = f"Iris, η = 5, the last {segment:,} steps: the initialisations with least memory, and with most"
    figure.suptitle(title)
    return figure


def figure12(weights: xr.DataArray, moving: xr.DataArray) -> Figure:
    """The initialisation with most switching weights, and those of these that switch most often."""
    switches = (moving > ON).any("window") & (moving < OFF).any("window")
    seed = int(switches.sum("weight").argmax("seed"))
    many = moving.isel(seed=seed)
    changes = ((many > ON).astype(int).diff("window") != 0).sum("window").where(switches.isel(seed=seed), -1)
    chosen = np.sort(np.argsort(changes.values)[-3:])
    figure, (left, right) = panels(1, 2, (10, 4))
    shade = np.log10(np.maximum(many.transpose("weight", "window").values, 1e-8))
    time = many["window"].values
    extent = (time[0] - WINDOW / 2, time[-1] + WINDOW / 2, shade.shape[0] - 0.5, -0.5)
    image = left.imshow(shade, aspect="auto", extent=extent, vmin=-6, vmax=0, interpolation="nearest")
    left.set(xlabel="time t (steps)", ylabel="index of the weight", title=f"initialisation {seed}: all weights")
    figure.colorbar(image, ax=left, label=f"log₁₀ mean |Δw| per step, {WINDOW} steps")
    for weight in chosen:
        right.plot(weights["time"], weights.isel(seed=seed, weight=weight), linewidth=1.2, label=f"weight {weight}")
    right.set(xlabel="time t (steps)", ylabel="value of the weight", title=f"{len(chosen)} that switch most often")
    right.legend(loc="lower left")
    figure.suptitle("Iris, η = 5")
    return figure


report = Experiment(summarise, figures, findings, squeeze="learning_rate")
