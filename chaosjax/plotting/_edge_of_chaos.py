"""Exponents, training time and sharpness over the learning rate."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from chaosjax.plotting._band import band
from chaosjax.plotting._style import style
from chaosjax.stats import bounds, format_interval

EXPONENTS = {
    "whole": ("tangent, whole run", "0.45", "-", 0.9),
    "fit": ("ensemble, straightest window (the studies' fit)", "C5", "-", 0.9),
    "steepest_tangent": ("tangent, same window", "C0", "--", 1.6),
    "steepest": ("ensemble, steepest window (the transient)", "C3", "-", 1.6),
}
"""Label, colour, line and width of each exponent that is drawn; bands are those of the wide ones."""

LINEAR = 0.1
"""Below this, sharpness · η/2 stands on a linear axis, which reaches 0."""


@style()
def edge_of_chaos(summary: xr.Dataset, title: str = "") -> Figure:
    """Draw panels over η, the chaotic range shaded: exponents, training time and, where it is known, sharpness · η/2.

    Args:
        summary: intervals ``[bound, learning_rate]``: those of the exponents in `EXPONENTS` that there are (nats per
            step), ``training_time`` (steps), ``reached_fraction`` and, if known, ``stability`` (sharpness over its
            threshold at the end) and ``stability_converged`` (share of seeds, ``[learning_rate]``); the interval
            ``onset`` ``[bound]``; ``chaotic`` ``[learning_rate]``, bool; attrs ``threshold`` and ``score`` (what it is
            of, "test accuracy"), ``level`` (nats per step), ``horizon`` (steps) and, for other optimizers than SGD,
            ``stability`` (what the third panel shows).
        title: above the figure; an empty one leaves it out.
    """
    panels = 3 if "stability" in summary else 2
    figure = Figure(figsize=(7.5, 3 * panels), layout="constrained")
    axes = figure.subplots(panels, sharex=True)
    eta = summary["learning_rate"]
    _exponents(axes[0], summary)
    _training_time(axes[1], summary)
    if "stability" in summary:
        _stability(axes[2], summary)
    for ax in axes:
        shade_chaos(ax, summary)
        ax.margins(x=0.02)
    _onset(axes[0], summary)
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].legend(handles[::-1], labels[::-1], loc="upper left")
    axes[-1].set_xscale("log")
    axes[-1].set_xlabel(f"{eta.attrs.get('long_name', 'learning rate')} η")
    if title:
        figure.suptitle(title)
    return figure


def _onset(ax: Axes, summary: xr.Dataset) -> None:
    onset, eta = float(bounds(summary["onset"])[0]), summary["learning_rate"].values
    if not np.isfinite(onset):
        return
    first = onset <= eta.min()
    left = np.log(onset / eta.min()) > 0.3 * np.log(eta.max() / eta.min())  # where nothing grows yet, if there is room
    ax.annotate(
        f"η_c ≤ {onset:.3g}, the grid's first" if first else f"η_c = {format_interval(summary['onset'])}",
        (onset, 0.4),
        xycoords=("data", "axes fraction"),
        ha="right" if left else "left",
        fontsize="small",
        xytext=(-4 if left else 4, 0),
        textcoords="offset points",
    )


def goal(threshold: float, score: str) -> str:
    """Say what ends the training time: "90% test accuracy", "test R² of 0.9"."""
    return f"{threshold:.0%} {score}" if score.endswith("accuracy") else f"{score} of {threshold:g}"


def _exponents(ax: Axes, summary: xr.Dataset) -> None:
    eta = summary["learning_rate"]
    for name, (label, colour, line, width) in EXPONENTS.items():
        if name in summary:
            opacity, marker = (0.2, ".") if width > 1 else (0, "")
            look = {"linestyle": line, "linewidth": width, "marker": marker}
            band(ax, eta, summary[name], colour=colour, label=label, opacity=opacity, **look)
    ax.axhline(0, color="black", linewidth=0.8)
    if summary.attrs["level"]:
        ax.axhline(summary.attrs["level"], color="black", linewidth=0.6, linestyle="--")
        place = {"xycoords": ("axes fraction", "data"), "xytext": (3, -3), "textcoords": "offset points"}
        ax.annotate(f"{summary.attrs['level']:g}", (1, summary.attrs["level"]), fontsize="small", **place)
    shown = np.concatenate(
        [[0, 1.5 * summary.attrs["level"]], *(bounds(summary[name])[0] for name in EXPONENTS if name in summary)]
    )
    top, bottom = np.nanmax(shown), np.nanmin(shown)
    ax.set_ylim(min(-0.1 * top, 1.2 * bottom), 1.75 * top)
    ax.set_ylabel("exponent λ (nats/step)")


def _training_time(ax: Axes, summary: xr.Dataset) -> None:
    eta = summary["learning_rate"]
    aim = goal(summary.attrs["threshold"], summary.attrs.get("score", "test accuracy"))
    label = f"mean steps to {aim} (if not reached: {summary.attrs['horizon']:g})"
    band(ax, eta, summary["training_time"], colour="C2", label=label)
    ax.set_ylabel("training time (steps)")
    ax.set_ylim(bottom=0)
    reached = ax.twinx()
    share, _, _ = bounds(summary["reached_fraction"])
    reached.plot(eta, share, "o", color="0.4", markersize=3, label="fraction of seeds that reached it (right)")
    reached.set_ylim(-0.05, 1.45)
    reached.set_yticks([0, 0.5, 1])
    reached.set_ylabel("fraction reached")
    (lines, names), (dots, dot_names) = (axis.get_legend_handles_labels() for axis in (ax, reached))
    ax.legend(lines + dots, names + dot_names, loc="upper left")
    top = ax.get_ylim()[1]
    ax.set_ylim(0, 1.4 * top)


def _stability(ax: Axes, summary: xr.Dataset) -> None:
    eta, estimate = summary["learning_rate"].values, bounds(summary["stability"])[0].values
    band(ax, eta, summary["stability"], colour="C1", label="mean over seeds")
    failed = (bounds(summary["reached_fraction"])[0].values == 0) & (eta >= float(bounds(summary["onset"])[0]))
    if failed.any():
        label = "no seed reached the goal; near 0: the loss is flat"
        ax.plot(eta[failed], estimate[failed], "o", color=to_rgba("C1"), mfc="white", markersize=6, label=label)
    if "stability_converged" in summary:
        share = summary["stability_converged"].values
        label = "not converged in some seeds: a lower bound"
        ax.plot(
            eta[share < 1],
            estimate[share < 1],
            "x",
            color="black",
            markersize=6,
            label=label if (share < 1).any() else None,
        )
    if np.isnan(estimate).all():
        ax.annotate("no threshold is known of this optimizer", (0.5, 0.5), xycoords="axes fraction", ha="center")
    ax.axhline(1, color="black", linewidth=0.8)
    ax.set_yscale("symlog", linthresh=LINEAR)
    lowest, highest = ax.get_ylim()
    ax.set_ylim(max(lowest, np.nanmin([-0.02, *estimate])), 30 * max(highest, 3))
    ax.set_ylabel(f"{summary.attrs.get('stability', 'sharpness · η/2')} at the end\n(axis linear below {LINEAR:g})")
    ax.annotate("stability edge", (0.01, 1.15), xycoords=("axes fraction", "data"), fontsize="small")
    ax.legend(loc="upper left")


def shade_chaos(ax: Axes, summary: xr.Dataset) -> None:
    """Draw the onset as a line, and from there each chaotic learning rate with its neighbourhood as a grey band.

    Nothing is drawn where the onset is NaN.

    Args:
        ax: with the learning rate along x.
        summary: the interval ``onset`` ``[bound]``, and ``chaotic`` ``[learning_rate]``, bool.
    """
    onset = float(bounds(summary["onset"])[0])
    if np.isnan(onset):
        return
    ax.axvline(onset, color="0.3", linewidth=0.8, linestyle="-.")
    eta = summary["learning_rate"].values
    edges = np.maximum(onset, [eta[0], *(eta[:-1] * eta[1:]) ** 0.5, eta[-1]])
    for left, right, inside in zip(edges[:-1], edges[1:], summary["chaotic"].values, strict=True):
        if inside and right > left:
            ax.axvspan(left, right, color="0.5", alpha=0.15, linewidth=0)
