"""Figure 8: the exponent of the exponential phase, and how many cells have one, against the radius."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import drawing
import findings
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import stats

EXAMPLES = (1e-14, 1e-8, 1e-4)
"""Radii of the histograms of Λ."""


TEXT = """\
A larger perturbation saturates before the phase of fastest growth is over, so λ depends on ε. The study's filter
(R² > 0.9, Λ > 0.05) can only raise the mean: blue against grey. Red is the tangent's exponent over the very windows
of the kept cells; what it is above the ensemble's is what saturation took."""


def report(dataset: xr.Dataset, folder: Path, published: Mapping[str, Any]) -> None:
    """Writes fig8.png, summary.zarr, findings.json and the table.

    Args:
        published: `exponent` and `kept` by radius, `in_the_text` the exponent that the text gives.
    """
    dataset = dataset.load().squeeze("learning_rate")
    fit = stats.exponential_window(dataset["distance"])
    summary = summarise(dataset, fit)
    summary.to_zarr(folder / "summary.zarr", mode="w", consolidated=False)
    figure(summary, fit, published).savefig(folder / "fig8.png", dpi=150)
    findings.save(folder, found(summary, published), findings.cost(dataset), TEXT)


def summarise(dataset: xr.Dataset, fit: xr.Dataset) -> xr.Dataset:
    """Filtered and unfiltered means by radius, and the tangent's over the very windows of the kept cells."""
    summary = stats.summarise_exponents(fit)
    tangent = stats.finite_time_exponents(dataset["growth"].isel(exponent=0), fit["start"], fit["stop"]).where(
        fit["kept"]
    )
    same = stats.mean_interval(tangent, skipna=True)
    steepest = stats.exponential_window(dataset["distance"], select="slope")["exponent"]
    more = findings.joined(tangent=same, steepest=stats.mean_interval(steepest, skipna=True))
    return summary.merge(more, compat="no_conflicts").assign_attrs(cells=fit.sizes["seed"])


def found(summary: xr.Dataset, published: Mapping[str, Any]) -> list[findings.Finding]:
    cells, small = int(summary.attrs["cells"]), summary.isel(radius=0)
    found = []
    for radius, value in published["exponent"].items():
        if not np.isclose(summary["radius"], float(radius), rtol=1e-6, atol=0).any():
            continue
        row = summary.sel(radius=float(radius), method="nearest")
        found.append(findings.number("8", f"λ, ε = {float(radius):g}", float(value), *findings.triple(row, "filtered")))
        share, low, high = (cells * end for end in findings.triple(row, "kept_fraction"))
        kept = float(published["kept"][radius]) * cells / 500
        found.append(findings.number("8", f"kept of {cells}, ε = {float(radius):g}", kept, share, low, high))
    text = float(published["in_the_text"])
    found.append(findings.number("8", "λ of the text; smallest ε", text, *findings.triple(small, "filtered")))
    for name, label in {
        "unfiltered": "λ of all cells",
        "tangent": "tangent exponent in the windows of the kept cells",
        "steepest": "λ of the steepest window, all cells",
    }.items():
        found.append(findings.beyond("8", f"{label}; smallest ε", findings.shown(small, name)))
    return found


def figure(summary: xr.Dataset, fit: xr.Dataset, published: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    drawing.band(left, summary["radius"], summary, "filtered", "kept cells")
    drawing.band(left, summary["radius"], summary, "unfiltered", "all cells", "tab:grey")
    drawing.band(left, summary["radius"], summary, "tangent", "tangent, windows of the kept cells", "tab:red")
    given = published["exponent"]
    left.plot([float(key) for key in given], list(given.values()), "kx", label="published, read off")
    left.set(xscale="log", xlabel="radius ε", ylabel="exponent λ (nats/step)")
    left.axhline(0, color="black", linewidth=0.5)
    left.legend(fontsize="x-small", loc="lower left")
    drawing.band(middle, summary["radius"], summary, "kept_fraction", "ours")
    given = published["kept"]
    middle.plot([float(key) for key in given], [n / 500 for n in given.values()], "kx", label="published, read off")
    middle.set(xscale="log", xlabel="radius ε", ylabel="fraction kept (R² > 0.9, Λ > 0.05)", ylim=(0, 1))
    middle.legend(fontsize="x-small")
    bins = np.linspace(0, 1, 41)
    for example in EXAMPLES:
        cells = fit.sel(radius=example, method="nearest")
        values = cells["exponent"].where(cells["kept"]).values
        right.hist(values[np.isfinite(values)], bins, histtype="step", density=True, label=f"ε = {example:g}")
    right.set(xlabel="Λ of one initialisation (nats/step)", ylabel="probability density P(Λ)")
    right.legend(fontsize="x-small")
    figure.suptitle(
        f"Iris, η = 1, {fit.sizes['seed']} initialisations × 5 perturbations; bands: 95 %", fontsize="small"
    )
    return figure
