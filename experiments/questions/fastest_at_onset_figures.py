"""The maps of fastest learning rate, exponent and speed-up, and the rules of thumb."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from chaosjax import stats
from experiments import panels
from experiments.questions import rule_of_thumb
from experiments.questions.maps import draw_map


def figures(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    return {"map": _map(summary), "rules": _rules(summary), "width": _width(summary)}


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
            f"λ at the fastest η, nats/step  (×: below {level:g}, =: at it, within {factor:g})",
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


WIDTHS = {
    "Iris, 4–n(sigmoid)–3": ("iris_narrow", "iris_sigmoid", "iris_20", "iris_wide"),
    "digits, 64–n(tanh)–10": ("digits_narrow", "digits_tanh", "digits_wide"),
}


def _width(summary: xr.Dataset) -> Figure:
    """Onset and fastest learning rate over the width of the hidden layer, by initialisation scale."""
    figure, axes = panels(1, len(WIDTHS), (9, 3.6))
    share = float(summary["share"][summary.sizes["share"] // 2])
    names = [str(name) for name in summary["network"].values]
    for ax, (title, networks) in zip(axes, WIDTHS.items(), strict=True):
        rows = summary.isel(network=[names.index(name) for name in networks if name in names]).sel(share=share)
        known = rows["counts"] & rows["found"]
        drawn = False
        for place, scale in enumerate(summary["init_scale"].values):
            for name, line, mark, label in (("onset", "-", "|", "η_c"), ("fastest", "--", "o", "fastest η")):
                values = rows[name].where(known).sel(init_scale=scale).transpose("bound", "network").values
                drawn |= bool(np.isfinite(values).any())
                low, high = np.clip(values[0] - values[1], 0, None), np.clip(values[2] - values[0], 0, None)
                at = rows["width"].values * 1.03 ** (2 * place - 2 + (name == "fastest"))
                ax.errorbar(
                    at, values[0], (low, high), ls=line, marker=mark, color=f"C{place}", markersize=4, linewidth=1,
                    label=f"{label}, scale {scale:g}",
                )  # fmt: skip
        if drawn:
            ax.set(xscale="log", yscale="log")
        ax.set(xlabel="hidden units n", title=title)
        ax.set_xticks(rows["width"].values, [f"{width}" for width in rows["width"].values])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set(major_formatter="{x:g}", minor_formatter="{x:g}")
    axes[0].set_ylabel("learning rate η")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    figure.suptitle(f"to {share:.0%} of the best mean test accuracy; 95 % intervals", fontsize="small")
    return figure
