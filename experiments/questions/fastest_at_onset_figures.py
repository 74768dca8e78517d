"""The maps of fastest learning rate, exponent and speed-up, and the rules of thumb."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from chaosjax import stats
from experiments import panels
from experiments.questions import rule_of_thumb
from experiments.questions.maps import draw_map


def figures(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    return {"map": _map(summary), "rules": _rules(summary)}


def _map(summary: xr.Dataset) -> Figure:
    """Networks down the page; initialisation scales, and within each the targets, across."""
    level, factor = summary.attrs["level"], summary.attrs["factor"]
    figure, axes = panels(1, 3, (14, 2.0 + 0.32 * summary.sizes["network"]), sharey=True)
    known = summary["counts"] & summary["found"]
    parts: list[tuple[str, str, str, Any, str]] = [
        (
            f"fastest η over η_c  (×: near η_c, within {factor:g}, none is as fast)",
            "ratio",
            "near",
            LogNorm(1 / 16, 16),
            "RdBu",
        ),
        (
            f"λ at the fastest η, nats/step  (×: not above {level:g})",
            "exponent",
            "chaotic",
            TwoSlopeNorm(level, -0.1, 0.5),
            "RdBu_r",
        ),
        ("speed-up over the best η below η_c  (×: slower, =: equal)", "speed_up", "gain", LogNorm(1 / 4, 4), "PiYG"),
    ]
    for ax, (title, name, answer, norm, colours) in zip(axes, parts, strict=True):
        values = stats.bounds(summary[name])[0].where(known).transpose("network", "init_scale", "share")
        draw_map(ax, values, norm, colours, summary[answer])
        ax.set_xlabel("initialisation scale (1: LeCun)")
        ax.set_title(title, fontsize="small")
    axes[0].set_yticks(range(summary.sizes["network"]), summary.attrs["labels"], fontsize="small")
    shares = ", ".join(f"{share:.0%}" for share in summary["share"].values)
    figure.suptitle(
        f"within each scale the targets from left to right: {shares} of the best mean test accuracy; "
        "grey: does not learn, or no onset; ?: undecided",
        fontsize="small",
    )
    return figure


def _rules(summary: xr.Dataset) -> Figure:
    """What each rule predicts of networks it was not fitted to, and what following it costs."""
    chosen = [rule for rule in rule_of_thumb.RULES if rule in list(summary["rule"].values)]
    figure, axes = panels(1, 2, (11, 0.8 + 0.5 * len(chosen)), sharey=True)
    generator = np.random.default_rng(0)
    for place, rule in enumerate(chosen):
        for ax, name in zip(axes, ("rule_error", "rule_price"), strict=True):
            part = summary[name].sel(rule=rule)
            for saturating, colour in ((True, "C0"), (False, "C1")):
                values = part.isel(network=np.flatnonzero(summary["saturating"].values == saturating)).values.ravel()
                values = values[np.isfinite(values)]
                values = np.exp(values) if name == "rule_error" else values
                at = place + generator.uniform(-0.25, 0.25, len(values))
                label = {True: "sigmoid, tanh", False: "ReLU, GELU"}[saturating] if place == 0 else None
                ax.plot(values, at, ".", color=colour, markersize=4, alpha=0.6, label=label)
    left, right = axes
    left.set(xscale="log", xlabel="predicted η over fastest η")
    right.set(xscale="log", xlabel="training time at the predicted η over the least")
    left.axvspan(1 / 2, 2, color="0.9", zorder=0)
    left.axvline(1, color="black", linewidth=0.8)
    left.set_yticks(range(len(chosen)), chosen, fontsize="small")
    left.set_ylim(len(chosen) - 0.5, -0.5)
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize="small")
    for ax in axes:
        ax.xaxis.set(major_formatter="{x:g}", minor_formatter=NullFormatter())
    figure.suptitle("each point is a case of a network that the rule was not fitted to", fontsize="small")
    return figure
