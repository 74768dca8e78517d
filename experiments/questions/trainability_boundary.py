"""Where trainability ends: the dimension of its boundary, what bounds the answer, and the exponent there."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from chaosjax import provenance_of, stats
from experiments import Experiment, Finding, beyond, claim, markdown, number
from experiments.questions.boundary_controls import JULIA, controls, on_coarser_grids
from experiments.questions.boundary_figures import figures
from experiments.questions.boundary_trials import LAST, SIDES, converged, labels_of

PUBLISHED = 1.66
"""Sohl-Dickstein 2024: tanh, full batch, width 16, the median over frames of a zoom."""

LEVELS = (0.0, 0.05)
"""Of the exponent, in nats per step: 0, and the level from which the studies call training chaotic."""

MOST = 0.9
"""Share of the boundary's squares from which on the exponent crosses a level there."""


def summarise(records: Mapping[str, xr.Dataset], least: int, most: int, smooth: float) -> xr.Dataset:
    """Box dimensions of all maps and controls, flips under nudges, and exponents on both sides of the boundary.

    Args:
        records: the grid's with exponents, and those of `boundary_trials.sweeps`.
        least, most: box sizes, in squares of the finest grid.
        smooth: the box dimension up to which a boundary counts as smooth.
    """
    config = provenance_of(records["sweep"])["config"]
    size = config["sizes"][config["size"]]
    coarse, levels = size["coarse"], size["levels"]
    points = (coarse - 1) * 2**levels + 1
    names = [name[:-2] for name in records if name.endswith("_0") and name != "nudged_0"]
    names = sorted(names, key=lambda name: (name != "rates", name))
    labels = {name: labels_of(records, name, points, coarse) for name in names}
    labels |= controls(points)
    dimensions = [stats.box_dimension(each, least, most) for each in labels.values()]
    whole = xr.concat(dimensions, xr.DataArray(np.array(list(labels), dtype=object), dims="map", name="map"))
    shown = xr.DataArray(np.stack(list(labels.values())), dims=("map", "row", "column"))
    regions = [_region(records[f"{name}_0"], config["maps"].get(name.split("_")[0])) for name in names]
    regions += [[np.nan] * 4] * (len(labels) - len(names))
    return whole.assign(
        labels=shown,
        region=(("map", "side"), regions),
        on_coarser_grids=on_coarser_grids(labels["rates"], least, most, coarse),
        computed=("map", [_computed(records, name) for name in names] + [0] * (len(labels) - len(names))),
        **_nudges(records),
        **_audit(records, labels["rates"]),
        **_along(records["sweep"], labels["rates"][:: 2**levels, :: 2**levels]),
    )


def _region(records: xr.Dataset, settings: Any) -> list[float]:
    """Bottom, top, left and right of a map, in log10 of its parameters."""
    if "bottom" in records.coords:
        return [float(records[side].values[0]) for side in SIDES]
    return [float(end) for side in settings["region"] for end in side]


def _computed(records: Mapping[str, xr.Dataset], name: str) -> int:
    return sum(part.sizes["place"] for key, part in records.items() if key.rsplit("_", 1)[0] == name)


def _nudges(records: Mapping[str, xr.Dataset]) -> dict[str, xr.DataArray]:
    """The share of places beside the boundary whose label turns when the learning rate is moved by its last digit."""
    found = {}
    for name in ("nudged_0", "single", *(key for key in records if key.startswith("nudged_") and key != "nudged_0")):
        if name in records:
            ratio = records[name]["ratio"].isel(time=-1).squeeze(list(SIDES), drop=True).fillna(np.inf)
            turned = (ratio < 1) != (ratio < 1).sel(nudge=0.0)
            flips = turned.sel(nudge=[-1.0, 1.0]).any("nudge").drop_vars("place")
            key = {"nudged_0": "flips", "single": "flips_single"}.get(name, "flips_zoomed")
            found[key] = stats.fraction(flips, "place")
    return found


def _audit(records: Mapping[str, xr.Dataset], labels: np.ndarray) -> dict[str, xr.DataArray]:
    if "audit" not in records:
        return {}
    wrong = converged(records["audit"]) != labels.ravel()[records["audit"]["place"].values.astype(int)]
    return {"missed": stats.fraction(xr.DataArray(wrong, dims="place"), "place")}


def _along(grid: xr.Dataset, labels: np.ndarray) -> dict[str, Any]:
    """Exponents over the grid, and how their sign and the labels go together."""
    side = len(labels)
    growth = stats.first_exponent(grid["growth"]).isel(time=slice(1, None))
    exponent = growth.mean("time", skipna=True).values.reshape(side, side)
    loss = grid["loss"]
    ratio = loss.isel(time=slice(-LAST - 1, -1)).mean("time", skipna=False) / loss.isel(time=0)
    again = (ratio.fillna(np.inf) < 1).values.reshape(side, side)
    edge = stats.boundary(labels)

    def crossing(level: float) -> np.ndarray:
        """Squares within one of a square in which the exponent crosses a level."""
        near = np.pad(stats.boundary(exponent > level), 1)
        return np.any([near[a : a + side - 1, b : b + side - 1] for a in range(3) for b in range(3)], axis=0)

    corners = np.stack([labels[a : a + side - 1, b : b + side - 1] for a in (0, 1) for b in (0, 1)])
    values = np.stack([exponent[a : a + side - 1, b : b + side - 1] for a in (0, 1) for b in (0, 1)])
    trains = np.nanmean(np.where(corners, values, np.nan)[:, edge], axis=0) if edge.any() else np.array([np.nan])
    fails = np.nanmean(np.where(corners, np.nan, values)[:, edge], axis=0) if edge.any() else np.array([np.nan])

    def share(flag: np.ndarray) -> xr.DataArray:
        return stats.fraction(xr.DataArray(flag.ravel(), dims="place"), "place")

    nothing = stats.interval(np.nan, np.nan, np.nan)
    return {
        "exponent": (("y", "x"), exponent),
        "rounding": share(labels != again),
        "at_edge": _by_level({level: share(crossing(level)[edge]) if edge.any() else nothing for level in LEVELS}),
        "anywhere": _by_level({level: share(crossing(level)) for level in LEVELS}),
        "chaotic_and_trains": _by_level(
            {level: share((exponent > level)[labels]) if labels.any() else nothing for level in LEVELS}
        ),
        "trains": stats.mean_interval(xr.DataArray(trains, dims="seed"), skipna=True),
        "fails": stats.mean_interval(xr.DataArray(fails, dims="seed"), skipna=True),
        "edge_trains": ("square", trains),
        "edge_fails": ("square", fails),
    }


def _by_level(shares: Mapping[float, xr.DataArray]) -> xr.DataArray:
    return xr.concat(list(shares.values()), xr.DataArray(list(shares), dims="level", name="level"))


def findings(summary: xr.Dataset, records: Mapping[str, Any]) -> list[Finding]:
    smooth, found = summary.attrs["smooth"], []
    of = {name: summary["dimension"].sel(map=name) for name in summary["map"].values}
    found.append(number("control", "D of a line", 1.0, of["a line"]))
    found += [number("control", f"D of a Julia set, {name}", truth, of[name]) for name, (_, truth) in JULIA.items()]
    found.append(
        claim("control", "D of a linear net", f"≤ {smooth:g}", of["linear"], stats.below(of["linear"], smooth))
    )
    for name, said in (("rates", "over both learning rates"), ("scale", "over learning rate and scale")):
        found.append(claim("maps", f"D, {said}", f"> {smooth:g}", of[name], stats.above(of[name], smooth)))
    zooms = sorted(name for name in of if name.startswith("zoom"))
    found += [
        claim("zooms", f"D, {name.replace('_', ' ')}", f"> {smooth:g}", of[name], stats.above(of[name], smooth))
        for name in zooms
    ]
    slopes = summary["median_slope"].sel(map=["rates", *zooms]).rename(map="seed").drop_vars("seed")
    found.append(
        number(
            "zooms",
            "D by the study's estimator, mean over the map and its zooms",
            PUBLISHED,
            stats.mean_interval(slopes, skipna=True),
        )
    )
    after = sorted((name for name in of if "after" in name), key=lambda name: int(name.split("_")[-1]))
    found += [beyond("scan", f"D after {name.split('_')[-1]} steps", of[name], "") for name in after]
    for points in summary["points"].values[summary["points"].values > 0]:
        quantity = f"D of the whole map on {points} × {points} of its points"
        found.append(beyond("scan", quantity, summary["on_coarser_grids"].sel(points=points), ""))
    for name, quantity in (
        ("flips", "places that one last digit of η turns, whole map"),
        ("flips_zoomed", "the same, deepest zoom"),
        ("flips_single", "places that one last digit of η turns in float32, whole map"),
        ("missed", "places away from the boundary that refinement gets wrong"),
    ):
        if name in summary:
            found.append(beyond("floor", quantity, summary[name], ""))
    found.append(
        beyond("floor", "places that another program of the same training labels differently", summary["rounding"], "")
    )
    for level in LEVELS:
        at, anywhere, trains = (
            summary[name].sel(level=level) for name in ("at_edge", "anywhere", "chaotic_and_trains")
        )
        quantity, most = f"boundary squares where λ crosses {level:g}, within one square", stats.above(at, MOST)
        found.append(claim("λ", quantity, f"> {MOST:g}, if it is the boundary", at, most))
        found.append(beyond("λ", "the same of all squares", anywhere, ""))
        found.append(beyond("λ", f"places with λ > {level:g}, of those that train", trains, ""))
    found.append(beyond("λ", "λ on the boundary's side that trains", summary["trains"], "", "nats/step"))
    found.append(beyond("λ", "λ on the side that does not", summary["fails"], "", "nats/step"))
    return found


def words(summary: xr.Dataset, records: Mapping[str, Any]) -> dict[str, Any]:
    grid, points = records["sweep"], summary.sizes["row"]
    rows = []
    for name in summary["map"].values:
        own = summary.sel(map=name)
        slopes = ", ".join(f"{slope:.2f}" for slope in own["local_slope"].values[:-1])
        cells = int(own["computed"])
        rows.append(
            [
                name.replace("_", " "),
                stats.format_interval(own["dimension"]),
                f"{float(own['median_slope']):.2f}",
                slopes,
                f"{cells:,}" if cells else "",
            ]
        )
    others = [provenance_of(part) for name, part in records.items() if name != "sweep"]
    identity = provenance_of(grid)["identity"]["system"]
    return {
        **summary.attrs,
        "table": markdown(
            ("boundary", "D", "median slope", "local slopes, from 1 to 2, 2 to 4, … squares", "places computed"),
            rows,
            "lrrrr",
        ),
        "steps": int(grid["time"][-1]),
        "width": identity["width"],
        "points": points,
        "last": LAST,
        "seconds": f"{sum(each['wall_seconds'] + each['compile_seconds'] for each in others):.0f}",
        "gradients": f"{sum(each['cost']['steps'] for each in others):.2g}",
        "flips": _said(summary, "flips"),
        "edge_flips": _said(summary, "flips_zoomed"),
        "single_flips": _said(summary, "flips_single"),
        "at_zero": stats.format_interval(summary["at_edge"].sel(level=LEVELS[0])),
        "at_level": stats.format_interval(summary["at_edge"].sel(level=LEVELS[1])),
        "level": LEVELS[1],
        "positive": stats.format_interval(summary["chaotic_and_trains"].sel(level=LEVELS[0])),
        "trains": stats.format_interval(summary["trains"]),
        "fails": stats.format_interval(summary["fails"], "nats/step"),
        "slopes": _slopes(summary),
        "resolutions": _resolutions(summary, points),
        "share": f"{float(summary['computed'].sel(map='rates')) / points**2:.0%}",
    }


def _said(summary: xr.Dataset, name: str) -> str:
    return stats.format_interval(summary[name]) if name in summary else "an unknown share"


def _slopes(summary: xr.Dataset) -> str:
    zooms = [name for name in summary["map"].values if name.startswith("zoom")]
    slopes = summary["local_slope"].sel(map=zooms).isel(size=slice(None, -1))
    return f"{float(slopes.min()):.2f} to {float(slopes.max()):.2f}" if zooms else "unknown"


def _resolutions(summary: xr.Dataset, points: int) -> str:
    """D of the whole map on its coarser grids and on its own, and whether it has settled."""
    coarser = summary["on_coarser_grids"].sortby("points")
    found = [coarser.sel(points=n) for n in coarser["points"].values] + [summary["dimension"].sel(map="rates")]
    sides = [*map(int, coarser["points"].values), points]
    estimates = [float(stats.bounds(dimension)[0]) for dimension in found]
    grows = all(a < b for a, b in pairwise(estimates))
    listed = ", ".join(f"{stats.format_interval(one)} on {n} × {n}" for n, one in zip(sides, found, strict=True))
    verdict = "still rises, so that finer grids may find more" if grows else "does not rise throughout"
    return f"{listed} points; the estimate {verdict}"


report = Experiment(summarise, figures, findings, words)
