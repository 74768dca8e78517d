"""Minibatch SGD against the edge of its batch sharpness, and sharpness-aware minimisation against its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import optax
import xarray as xr
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chaosjax import batch_sharpness_thresholds, provenance_of, sam_threshold, stats
from experiments import Experiment, Finding, beyond, claim, colours, number, panels

Datasets = Mapping[str, xr.Dataset]


def sam(learning_rate: float | Float[Array, ""], radius: float | Float[Array, ""]) -> optax.GradientTransformation:
    """SAM of optax, which takes two steps for one: up by `radius` along the gradient, then down from where it was."""
    ascent = optax.chain(optax.contrib.normalize(), optax.sgd(radius))
    return optax.contrib.sam(optax.sgd(learning_rate), ascent, sync_period=2)


def summarise(datasets: Datasets, late: float) -> xr.Dataset:
    """Medians over the last part of the time, of every run.

    Args:
        late: that part.

    Returns:
        By minibatch ``[batch_size, learning_rate, momentum, seed]`` the medians of `batch` and `of_means`, the two
        batch sharpnesses, and of `full`, the sharpness, each over the small-batch threshold ``2(1 − β)/η``; and
        `error`, the median standard error of `of_means` relative to it. Of SAM ``[learning_rate, radius, seed]`` `sam`
        and `plain`, the medians of the sharpness over SAM's threshold and over 2/η.
    """
    sizes = {name: provenance_of(each)["identity"]["system"]["batch_size"] for name, each in datasets.items()}
    drawn = sorted((name for name in datasets if sizes[name]), key=lambda name: sizes[name])
    rows = [_by_minibatches(datasets[name], late) for name in drawn]
    found = xr.concat(rows, xr.DataArray([sizes[name] for name in drawn], dims="batch_size", name="batch_size"))
    for name in datasets:
        if not sizes[name]:
            rates = datasets[name].rename(learning_rate="sam_learning_rate")
            ratios = {"sam": sam_ratio(rates), "plain": _plain(rates)}
            found = found.assign({key: _late(ratio, late) for key, ratio in ratios.items()})
    return found


def _by_minibatches(dataset: xr.Dataset, late: float) -> xr.Dataset:
    small = small_batches(dataset)
    parts = {"batch": dataset["batch"], "of_means": dataset["batch_of_means"], "full": _sharpness(dataset)}
    medians = {name: _late(part / small, late) for name, part in parts.items()}
    return xr.Dataset({**medians, "error": _late(dataset["batch_of_means_error"] / dataset["batch_of_means"], late)})


def small_batches(dataset: xr.Dataset) -> xr.DataArray:
    """The small-batch threshold ``[learning_rate, momentum]``."""
    return xr.apply_ufunc(lambda *given: batch_sharpness_thresholds(*given)[0], dataset.learning_rate, dataset.momentum)


def sam_ratio(dataset: xr.Dataset) -> xr.DataArray:
    """Sharpness over SAM's threshold for the gradient of that moment; records are at SAM's own steps."""
    rate = dataset.get("learning_rate", dataset.get("sam_learning_rate"))
    return _sharpness(dataset) / xr.apply_ufunc(sam_threshold, rate, dataset["radius"], dataset["norms_grad"])


def _plain(dataset: xr.Dataset) -> xr.DataArray:
    return _sharpness(dataset) * dataset["sam_learning_rate"] / 2


def _sharpness(dataset: xr.Dataset) -> xr.DataArray:
    """NaN where it is not converged."""
    first = dataset.isel(eigenvalue=0)
    return first["sharpness"].where(first["sharpness_converged"].astype(bool))


def _late(values: xr.DataArray, part: float) -> xr.DataArray:
    last = values["time"] >= (1 - part) * float(values["time"][-1])
    return values.where(last, drop=True).median("time")


def over_rates(values: xr.DataArray) -> xr.DataArray:
    """The mean over learning rates and radii, with its interval over seeds."""
    return stats.mean_interval(values.mean([dim for dim in values.dims if "rate" in str(dim) or dim == "radius"]))


def findings(summary: xr.Dataset, datasets: Datasets) -> list[Finding]:
    found, size = [], summary["batch_size"].values
    for beta in summary["momentum"].values:
        ratio = (1 + beta) / (1 - beta)
        for batch in size:
            row, label = summary.sel(momentum=beta, batch_size=batch), f"batches of {batch}, β = {beta:g}"
            means, ratios = over_rates(row["of_means"]), over_rates(row["batch"])
            edge = "2(1 − β)/η" if beta else "2/η"
            if not beta or batch == size[0]:
                found.append(number(label, f"batch sharpness E[gᵀHg]/E|g|² over {edge}", 1.0, means))
            elif batch == size[-1]:
                found.append(number(label, "batch sharpness E[gᵀHg]/E|g|² over 2(1 + β)/η", 1.0, means / ratio))
            else:
                found.append(beyond(label, f"batch sharpness E[gᵀHg]/E|g|² over {edge}", means))
            found.append(beyond(label, f"E[gᵀHg/|g|²] over {edge}", ratios))
            full = over_rates(row["full"])
            if not beta:
                found.append(claim(label, "full-batch sharpness over 2/η", "< 1", full, stats.below(full, 1.0)))
            else:
                found.append(beyond(label, f"full-batch sharpness over {edge}", full))
    if "sam" in summary:
        for radius in summary["radius"].values:
            row = summary.sel(radius=radius)
            label = f"SAM, ρ = {radius:g}"
            found.append(number(label, "sharpness over SAM's threshold", 1.0, over_rates(row["sam"])))
            plain = over_rates(row["plain"])
            found.append(claim(label, "sharpness over 2/η", "< 1", plain, stats.below(plain, 1.0)))
    return found


def figures(summary: xr.Dataset, datasets: Datasets) -> dict[str, Figure]:
    """Ratios over time at the middle learning rate, one seed; and where they settle by batch size."""
    figure, axes = panels(2, 2, (11, 7))
    drawn = {int(size): _of_size(datasets, int(size)) for size in summary["batch_size"].values}
    for ax, beta in zip(axes, summary["momentum"].values, strict=False):
        _over_time(ax, drawn, float(beta))
    _by_size(axes[2], summary)
    others = [each for each in datasets.values() if "radius" in each.dims]
    if others:
        _sam(axes[3], others[0])
    figure.suptitle("over time: the middle learning rate, one seed", fontsize="small")
    return {"stochastic_edge": figure}


def _of_size(datasets: Datasets, size: int) -> xr.Dataset:
    return next(each for each in datasets.values() if provenance_of(each)["identity"]["system"]["batch_size"] == size)


def _over_time(ax: Axes, drawn: Mapping[int, xr.Dataset], beta: float) -> None:
    for colour, (size, dataset) in zip(colours(len(drawn)), drawn.items(), strict=True):
        one = dataset.isel(learning_rate=dataset.sizes["learning_rate"] // 2, seed=0).sel(momentum=beta)
        small = float(batch_sharpness_thresholds(float(one["learning_rate"]), beta)[0])
        mean, error = one["batch_of_means"] / small, one["batch_of_means_error"] / small
        ax.plot(one["time"], mean, color=colour, linewidth=1, label=f"batches of {size}")
        ax.fill_between(one["time"], mean - 2 * error, mean + 2 * error, color=colour, alpha=0.25, linewidth=0)
        ax.plot(one["time"], _sharpness(one) / small, "--", color=colour, linewidth=1)
    ax.axhline(1, color="black", linewidth=0.8)
    if beta:
        ax.axhline((1 + beta) / (1 - beta), color="black", linewidth=0.8, linestyle=":", label="2(1 + β)/η")
    ax.set(
        xlabel="time t (steps)",
        ylabel="over 2(1 − β)/η",
        ylim=(0, None),
        title=f"SGD, β = {beta:g}, η = {float(one.learning_rate):g}",
    )
    _legend(ax, "solid: batch sharpness ± 2 errors; dashed: sharpness")


def _legend(ax: Axes, title: str, columns: int = 3) -> None:
    """Above the curves, in room made for it."""
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    ax.legend(fontsize="x-small", title=title, title_fontsize="x-small", ncols=columns, loc="upper center")


def _by_size(ax: Axes, summary: xr.Dataset) -> None:
    marks = {"of_means": ("o-", "batch sharpness"), "full": ("s--", "sharpness")}
    for i, beta in enumerate(summary["momentum"].values):
        for name, (mark, label) in marks.items():
            rows = [
                over_rates(summary[name].sel(momentum=beta, batch_size=size)) for size in summary["batch_size"].values
            ]
            value, low, high = np.transpose([stats.bounds(row) for row in rows])
            ends, told = (value - low, high - value), f"{label}, β = {beta:g}"
            ax.errorbar(summary["batch_size"], value, ends, fmt=mark, color=f"C{i}", capsize=3, linewidth=1, label=told)
        ax.axhline((1 + beta) / (1 - beta), color=f"C{i}", linewidth=0.8, linestyle=":")
    ax.set(xscale="log", xlabel="batch size", ylabel="over 2(1 − β)/η, late median", ylim=(0, None))
    ax.set_xticks(summary["batch_size"].values, labels=[str(size) for size in summary["batch_size"].values])
    ax.minorticks_off()
    _legend(ax, "dotted: 2(1 + β)/η", 2)


def _sam(ax: Axes, dataset: xr.Dataset) -> None:
    one = dataset.isel(learning_rate=dataset.sizes["learning_rate"] // 2, seed=0)
    rate = float(one["learning_rate"])
    for colour, radius in zip(colours(one.sizes["radius"]), one["radius"].values, strict=True):
        each = one.sel(radius=radius)
        ax.plot(each["time"] / 2, sam_ratio(each), color=colour, linewidth=1, label=f"ρ = {radius:g}")
        ax.plot(each["time"] / 2, _sharpness(each) * rate / 2, "--", color=colour, linewidth=1)
    ax.axhline(1, color="black", linewidth=0.8)
    ax.set(
        xlabel="SAM's steps", ylabel="sharpness over its edge", ylim=(0, None), title=f"SAM, full batch, η = {rate:g}"
    )
    _legend(ax, "solid: over SAM's threshold; dashed: over 2/η")


def words(summary: xr.Dataset, datasets: Datasets) -> dict[str, Any]:
    return {
        "seeds": summary.sizes["seed"],
        "late": f"{summary.attrs['late']:.0%}",
        "error": f"{float(summary['error'].median()):.1%}",
        "rates": ", ".join(f"{rate:g}" for rate in summary["learning_rate"].values),
    }


report = Experiment(summarise, figures, findings, words)
