"""Early phases over c = η λ_0: where loss and sharpness first rise, where training ends, and what width does to it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr
from jaxtyping import Array, Float, PRNGKeyArray, PyTree
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

import chaosjax as cj
from chaosjax import curvature, plotting, stats
from experiments import Experiment, Finding, beyond, claim, colours, number, panels

EARLY = 10
"""Steps within which a rise counts as early."""

TRAINED = 0.5
"""Training accuracy at the end of a network that trains; one whose units have all died has that of a constant."""

RISE = 1e-3
"""Relative rise of the sharpness above its start that counts: the accuracy of a reading."""


NAMES = {"loss": "c_loss", "sharpness": "c_sharp", "most": "c_max"}


class Scaled(NamedTuple):
    """The phase point of training whose learning rate is measured in units of 1/λ_0, and that λ_0."""

    x: PyTree
    first_sharpness: Float[Array, ""]


def training(problem: cj.Problem, optimizer: Any, **options: Any) -> cj.System:
    """Training with η = c/λ_0: the control parameter ``c``, λ_0 the sharpness of each network's own start."""
    system = cj.training(problem, optimizer, **options)
    loss, params, metrics = system.loss, system.params, system.metrics
    assert loss is not None

    def own(state: Scaled, theta: Any) -> dict[str, Any]:
        rest = {name: value for name, value in theta.items() if name != "c"}
        return {**rest, "learning_rate": theta["c"] / state.first_sharpness}

    def init(key: PRNGKeyArray, theta: Any) -> Scaled:
        rest = {name: value for name, value in theta.items() if name != "c"}
        x = system.init(key, {**rest, "learning_rate": jnp.ones(())})
        w, _ = curvature.parameters(system, x)
        start = jax.random.normal(jax.random.fold_in(key, 1), (2, w.size), w.dtype)
        found = curvature.eigenpairs(
            curvature.hessian(system, x, rest), start, 1, tolerance=1e-4, max_products=200, key=key
        )
        return Scaled(x, jnp.where(found.converged[0], found.values[0], jnp.nan))

    return system._replace(
        init=init,
        step=lambda state, theta, noise: state._replace(x=system.step(state.x, own(state, theta), noise)),
        loss=lambda state, theta, noise: loss(state.x, own(state, theta), noise),
        params=lambda state: params(state.x),
        metrics={name: lambda state, theta, read=read: read(state.x, theta) for name, read in metrics.items()},
        outputs=None,
        theta={"c": 1.0},
        attrs={**system.attrs, "learning_rate": "c over the first sharpness"},
        fit=None,
    )


def others(dataset: xr.Dataset, run: Any, data: Any, probes: Any, axes: Any, widths: list[int], steps: int) -> None:
    """The same of other widths, and all of them for longer, without sharpness: to see which train."""
    for width in widths:
        model = cj.models.mlp([width], activation="relu", init="he")
        system = training(cj.supervised(model, data, loss="squared_error"), optax.sgd)
        if width != widths[0]:
            run(f"width_{width}", system, probes, axes, steps=EARLY)
        accuracy = {"accuracy": cj.probes.metric("train_accuracy")}
        run(f"long_{width}", system, accuracy, axes, steps=steps, stride=steps)


def summarise(records: dict[str, xr.Dataset]) -> xr.Dataset:
    """The critical c of each network, ``[width, seed]``."""
    widths = sorted(int(name[5:]) for name in records if name.startswith("long_"))
    early = [records.get(f"width_{width}", records["sweep"]) for width in widths]
    parts = [_critical(part, records[f"long_{width}"]) for width, part in zip(widths, early, strict=True)]
    return xr.concat(parts, xr.DataArray(widths, dims="width", name="width"))


def _critical(early: xr.Dataset, long: xr.Dataset) -> xr.Dataset:
    sharpness, loss = early["sharpness"].isel(eigenvalue=0), early["loss"]
    trained = long["accuracy"].isel(time=-1, drop=True) > TRAINED
    top = loss.fillna(np.inf).max("time") / loss.isel(time=0, drop=True)
    peak = sharpness.fillna(np.inf).max("time") / sharpness.isel(time=0, drop=True)
    c = early["c"]
    return xr.Dataset(
        {
            "loss_peak": top,
            "sharpness_peak": peak,
            "trained": trained,
            "loss": c.where(top > 1).min("c").fillna(np.inf),  # inf: it lies beyond the grid
            "sharpness": c.where(peak > 1 + RISE).min("c").fillna(np.inf),
            "most": c.where(trained).max("c").where(~trained.isel(c=-1), np.inf),  # NaN: none trains
        }
    )


def findings(summary: xr.Dataset, records: dict[str, xr.Dataset]) -> list[Finding]:
    widest, end = summary.isel(width=-1), float(summary["c"][-1])
    wide, narrow = int(widest["width"]), int(summary["width"][0])
    found = _order(summary)
    loss = _told(widest["loss"], end)
    if not isinstance(loss, str):
        found.append(number("catapult", f"c_loss at width {wide}", 2.0, loss))
    for name, label, published in (("loss", "c_loss", "> 0"), ("sharpness", "c_sharp", None), ("most", "c_max", None)):
        octaves = xr.ufuncs.log2(summary[name].isel(width=0) / widest[name]).where(xr.ufuncs.isfinite)
        kept = octaves.dropna("seed")
        what = f"{label} falls with width: octaves from {narrow} to {wide}, {kept.sizes['seed']} seeds"
        difference = stats.mean_interval(octaves, skipna=True)
        if published:
            found.append(claim("catapult", what, published, difference, stats.above(difference, 0.0)))
        else:
            found.append(beyond("catapult", what, difference))
    found.append(_largest(widest["most"], end, wide))
    for width in summary["width"].values:
        row = summary.sel(width=width)
        for name, label in NAMES.items():
            found.append(beyond("catapult", f"{label} at width {width}", _told(row[name], end)))
    return found


def _largest(values: xr.DataArray, end: float, width: int) -> Finding:
    quantity, told = f"c_max at width {width}, ReLU", _told(values, end)
    if isinstance(told, str):
        return claim("catapult", quantity, "12", told, None, "not within the grid")
    return number("catapult", quantity, 12.0, told)


def _told(values: xr.DataArray, end: float) -> xr.DataArray | str:
    """The mean, or that some values lie beyond the grid, where a mean of the others would be too small."""
    outside = int(np.isinf(values).sum())
    if outside:
        return f"beyond {end:g} for {outside} of {values.size} seeds"
    none = int(np.isnan(values).sum())
    return f"no c trains for {none} of {values.size} seeds" if none else _mean(values)


def _mean(values: xr.DataArray) -> xr.DataArray:
    """The geometric mean over the seeds; NaN where a value lies beyond the grid."""
    return xr.ufuncs.exp(stats.mean_interval(xr.ufuncs.log(values.where(xr.ufuncs.isfinite(values).all("seed")))))


def _order(summary: xr.Dataset) -> list[Finding]:
    """Of how many networks the critical values stand in order, all three and in pairs; those beyond the grid count."""
    found = []
    for first, second in (("loss", "sharpness"), ("sharpness", "most")):
        one, other = summary[first], summary[second]
        decided = (xr.ufuncs.isfinite(one) | xr.ufuncs.isfinite(other)) & one.notnull() & other.notnull()
        for width in summary["width"].values:
            here = decided.sel(width=width).values
            if not here.any():
                continue
            holds = (one <= other).sel(width=width).values[here]
            part = stats.fraction(xr.DataArray(holds, dims="network"), over="network")
            what = f"networks of width {width} with {NAMES[first]} ≤ {NAMES[second]}, of {here.sum()}"
            found.append(claim("catapult", what, "all", part, stats.above(part, 0.5)))
    return found


def figures(summary: xr.Dataset, records: dict[str, xr.Dataset]) -> dict[str, Figure]:
    figure, (left, middle, right) = panels(1, 3, (11, 3.8))
    widths = summary["width"].values
    for colour, width in zip(colours(len(widths)), widths, strict=True):
        row = summary.sel(width=width)
        for ax, name in ((left, "loss_peak"), (middle, "sharpness_peak")):
            seen = row[name].where(np.isfinite(row[name]))
            ax.plot(row["c"], xr.ufuncs.exp(xr.ufuncs.log(seen).mean("seed")), color=colour, label=f"width {width}")
    for ax, what in ((left, "loss"), (middle, "sharpness")):
        ax.axvline(2, color="black", linewidth=0.5)
        ax.set(xscale="log", yscale="log", xlabel="c = η λ₀", ylabel=f"largest {what} of {EARLY} steps / first")
        ax.legend(fontsize="x-small")
    named = {"loss": "c_loss: loss rises", "sharpness": "c_sharp: sharpness rises", "most": "c_max: most that trains"}
    for i, (name, label) in enumerate(named.items()):
        interval = _mean(summary[name])
        plotting.band(right, summary["width"], interval, colour=f"C{i}", label=label)
    right.axhline(2, color="black", linewidth=0.5)
    right.set(xscale="log", yscale="log", xlabel="width", ylabel="critical c, mean over seeds")
    right.set_xticks(widths, labels=[str(width) for width in widths])
    right.minorticks_off()
    right.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    right.yaxis.set_major_formatter("{x:g}")
    right.legend(fontsize="x-small")
    figure.suptitle(
        f"{summary.sizes['seed']} seeds; means of logarithms over the networks that stay finite", fontsize="small"
    )
    return {"catapult": figure}


def words(summary: xr.Dataset, records: dict[str, xr.Dataset]) -> dict[str, Any]:
    """Samples, steps and the grid's spacing, from the records."""
    known = cj.provenance_of(records["sweep"])["identity"]["system"]["dataset"]
    octaves = np.log2(summary["c"].values)
    long = records[f"long_{int(summary['width'][0])}"]
    spacing = float(octaves[1] - octaves[0])
    return {
        "samples": known["train_samples"],
        "steps": int(long["time"][-1]),
        "spacing": spacing,
        "end": float(summary["c"][-1]),
    }


report = Experiment(summarise, figures, findings, words)
