"""Figure 8: the exponent of the exponential phase, and how many cells have one, against the radius."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import plotting, stats
from experiments import Experiment, Finding, beyond, initialisations, number, panels

EXAMPLES = (1e-14, 1e-8, 1e-4)
"""Radii of the histograms of Λ."""


def summarise(dataset: xr.Dataset, published: Mapping[str, Any]) -> xr.Dataset:
    """Average by radius, with the study's filter and without, beside the tangent in the windows of the kept cells.

    Args:
        published: `exponent` and `kept` by radius, the latter of so many `cells`; `in_the_text` the text's exponent.
    """
    fit = stats.exponential_window(dataset["distance"])
    tangent = stats.tangent_in_windows(dataset["growth"], fit).where(fit["kept"])
    steepest = stats.exponential_window(dataset["distance"], select="slope")["exponent"]
    summary = stats.summarise_exponents(fit)
    summary["tangent"] = stats.mean_interval(tangent, skipna=True)
    summary["steepest"] = stats.mean_interval(steepest, skipna=True)
    return summary.assign(kept_exponent=fit["exponent"].where(fit["kept"]))


def findings(summary: xr.Dataset, dataset: xr.Dataset) -> list[Finding]:
    published, cells, small = summary.attrs["published"], dataset.sizes["seed"], summary.isel(radius=0)
    found = []
    for radius, value in published["exponent"].items():
        if not np.isclose(summary["radius"], float(radius), rtol=1e-6, atol=0).any():
            continue
        row = summary.sel(radius=float(radius), method="nearest")
        found.append(number("8", f"λ, ε = {float(radius):g}", value, row["filtered"]))
        kept = published["kept"][radius] * cells / published["cells"]
        found.append(number("8", f"kept of {cells}, ε = {float(radius):g}", kept, cells * row["kept_fraction"]))
    found.append(number("8", "λ of the text; smallest ε", published["in_the_text"], small["filtered"]))
    for name, label in {
        "unfiltered": "λ of all cells",
        "tangent": "tangent exponent in the windows of the kept cells",
        "steepest": "λ of the steepest window, all cells",
    }.items():
        found.append(beyond("8", f"{label}; smallest ε", small[name]))
    return found


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    figure, (left, middle, right) = panels(1, 3, (11, 3.6))
    radius, published = summary["radius"], summary.attrs["published"]
    plotting.band(left, radius, summary["filtered"], label="kept cells")
    plotting.band(left, radius, summary["unfiltered"], colour="C7", label="all cells")
    plotting.band(left, radius, summary["tangent"], colour="C3", label="tangent, windows of the kept cells")
    given = published["exponent"]
    left.plot([float(key) for key in given], list(given.values()), "kx", label="published, read off")
    left.set(xscale="log", xlabel="radius ε", ylabel="exponent λ (nats/step)")
    left.axhline(0, color="black", linewidth=0.5)
    left.set_ylim(top=1.6 * left.get_ylim()[1])
    left.legend(loc="upper right")
    plotting.band(middle, radius, summary["kept_fraction"], label="ours")
    given = published["kept"]
    middle.plot(
        [float(key) for key in given],
        [n / published["cells"] for n in given.values()],
        "kx",
        label="published, read off",
    )
    middle.set(xscale="log", xlabel="radius ε", ylabel="fraction kept (R² > 0.9, Λ > 0.05)", ylim=(0, 1))
    middle.legend()
    bins = np.linspace(0, 1, 41)
    for example in EXAMPLES:
        values = summary["kept_exponent"].sel(radius=example, method="nearest").values
        right.hist(values[np.isfinite(values)], bins, histtype="step", density=True, label=f"ε = {example:g}")
    right.set(xlabel="Λ of one initialisation (nats/step)", ylabel="probability density P(Λ)")
    right.legend()
    figure.suptitle(f"Iris, η = 1, {initialisations(dataset)}; bands: 95 %")
    return {"fig8": figure}


report = Experiment(summarise, figures, findings, squeeze="learning_rate")
