"""The network and the reduced map side by side: sweeps that start from states of the network's records."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float

import chaosjax as cj
from chaosjax import stats
from experiments.danovski import reduced
from experiments.danovski.units import FROZEN, frequencies_of, phases

LONGEST = 4000
"""Steps of a phase over which exponents are compared, at most."""

SETTLE = 100
"""Steps into a phase from which the reduced map starts, and after which the tangent frames have aligned."""

STEPS = 300
"""Steps of the network from a snapshot, with a full tangent frame."""


def sweeps(dataset: xr.Dataset, run: reduced.Run, system: cj.System, data: cj.datasets.Dataset, eta: float) -> None:
    """Run what the report holds the phases against, each sweep into a store of its own; nothing without a phase at η.

    From the first snapshot of the cells at rest: `spectra`, the network with a full tangent frame, and `beside`, the
    reduced map. From `SETTLE` steps into every phase: `orbits` of the reduced map along the phase, `attractors`, to
    where they end, and `cycles` there. From random starts: `diagram`.
    """
    dataset, frequencies = dataset.load(), frequencies_of(data)
    states, runs = at_rest(dataset, eta), phases(dataset)
    if states is None or not (runs.sizes["phase"] and (runs["eta"] == eta).any()):
        return
    points = jnp.asarray(states["point"].values)
    _, chart = cj.phase(system.init(jax.random.key(0), {"learning_rate": eta}))
    restarted = system._replace(
        init=lambda key, theta: chart(points[theta["cell"].astype(int)]), theta={**(system.theta or {}), "cell": 0.0}
    )
    probes = {
        "loss": cj.probes.loss(),
        "growth": cj.probes.lyapunov(k=points.shape[1]),
        "weights": cj.probes.metric(lambda params: params["layers"][1]["kernel"], dims=("unit", "class")),
    }
    axes = {"learning_rate": [eta], "cell": np.arange(float(len(points)))}
    run("spectra", restarted, probes, axes, steps=STEPS)
    reduced.orbits(run, "beside", frequencies, states["eta_eff"].values, states["logits"].values, STEPS, 1)
    stride = int(dataset["time"][1])
    rates, logits = runs["eta_eff"].values, starts(dataset, runs)
    longest = min(int(runs["steps"].max()), LONGEST) - SETTLE
    reduced.orbits(run, "orbits", frequencies, rates, logits, longest, stride)
    ends = reduced.orbits(run, "attractors", frequencies, rates, logits, reduced.STEPS, reduced.TRANSIENT)
    reduced.orbits(run, "cycles", frequencies, rates, ends["logits"].isel(time=-1).values, reduced.LATE, 1)
    reduced.diagram_orbits(run, frequencies)


def at_rest(dataset: xr.Dataset, eta: float) -> xr.Dataset | None:
    """The seeds whose units stay constant for `STEPS` steps from their first snapshot on; None without such a seed.

    Along ``cell``: `seed`, `eta_eff`, and at the snapshot the phase `point`, the `logits` and which units are `on`.
    """
    cells = dataset.sel(learning_rate=eta).transpose("seed", "time", ...)
    moments = np.flatnonzero(cells["snapshot"].isel(coordinate=0).notnull().any("seed"))
    at, stride = int(moments[1]), int(dataset["time"][1])
    window = cells.isel(time=slice(at, at + STEPS // stride + 1))
    on = (window["units_on"] > 0.5).values
    constant = (window["units_exposure"] < FROZEN).all(("unit", "time")).values & (on == on[:, :1]).all((1, 2))
    seeds = np.flatnonzero(constant)
    if not len(seeds) or (window.sizes["time"] - 1) * stride < STEPS:
        return None
    first = window.isel(time=0, seed=seeds)
    return xr.Dataset(
        {
            "seed": ("cell", first["seed"].values),
            "eta_eff": ("cell", eta * (1 + on[seeds, 0].sum(1))),
            "point": (("cell", "coordinate"), first["snapshot"].values),
            "logits": (("cell", "class"), first["units_logits"].values),
            "on": (("cell", "unit"), on[seeds, 0]),
        }
    )


def starts(dataset: xr.Dataset, runs: xr.Dataset) -> Float[np.ndarray, "phase 3"]:
    """The network's logits `SETTLE` steps into each phase."""
    skip = SETTLE // int(dataset["time"][1])
    logits = dataset["units_logits"].transpose("learning_rate", "seed", "time", ...).values
    return logits[runs["rate"].values, runs["cell"].values, runs["first"].values + skip]


def compared(records: dict[str, xr.Dataset], runs: xr.Dataset, level: float) -> xr.Dataset:
    """Add to each phase what the reduced map does from the state `SETTLE` steps into it.

    `exponents` of the network, `reduced_exponents` over the same steps, `limit` (exponents of the attractor that the
    reduced map ends on) with its `period`, `one_step` (median error of one step) and `loss_error` (largest error of
    the loss over 100 steps); `chaotic`, whether the attractor's exponent is above `level`.
    """
    dataset, orbits = records["sweep"].transpose("learning_rate", "seed", "time", ...), records["orbits"]
    stride = int(dataset["time"][1])
    skip = SETTLE // stride
    columns: dict[str, Any] = {name: [] for name in ("exponents", "reduced_exponents", "one_step", "loss_error")}
    for n in range(runs.sizes["phase"]):
        i, j, first, last = (int(runs[name][n]) for name in ("rate", "cell", "first", "last"))
        last = min(last, first + LONGEST // stride)
        window = slice(first + 2 * skip + 1, last + 1)
        own = slice(skip + 1, last - first - skip + 1)
        steps = (last - first - 2 * skip) * stride
        columns["exponents"].append(dataset["growth"].values[i, j, window].sum(0) / steps)
        columns["reduced_exponents"].append(orbits["growth"].values[n, own].sum(0) / steps)
        columns["one_step"].append(np.median(dataset["units_error"].values[i, j, window]))
        gap = dataset["loss"].values[i, j, first + skip : first + 2 * skip + 1] - orbits["loss"].values[n, : skip + 1]
        columns["loss_error"].append(np.abs(gap).max())
    columns["limit"] = stats.finite_time_exponents(records["attractors"]["growth"], start=reduced.TRANSIENT).values
    columns["period"] = reduced.period(records["cycles"]).values
    for name, values in columns.items():
        runs[name] = ("phase", "exponent")[: np.ndim(values)], np.array(values)
    return runs.assign(chaotic=runs["limit"].isel(exponent=0) > level)


def spectra(records: dict[str, xr.Dataset], eta: float) -> xr.Dataset:
    """All exponents of the network from its first snapshot on, and the two of the reduced map, after `SETTLE` steps.

    Along ``cell``, those of `at_rest`: `exponents` sorted by size, the two largest of them `leading` beside `reduced`,
    the largest of all others `rest`; `loss` and `reduced_loss` at every step; and the standard deviation in time of
    the output weights of the units that are `at_1` and `at_0`.
    """
    states = at_rest(records["sweep"], eta)
    assert states is not None
    run, beside = records["spectra"].squeeze("learning_rate"), records["beside"]
    full, two = (stats.finite_time_exponents(each["growth"], start=SETTLE).values for each in (run, beside))
    by_size = np.take_along_axis(full, np.argsort(-np.abs(full), axis=1), axis=1)
    spread, on = run["weights"].std("time").mean("class").values, states["on"].values
    return states[["eta_eff", "seed"]].assign(
        leading=(("cell", "exponent"), -np.sort(-by_size[:, :2], axis=1)),
        rest=("cell", np.abs(by_size[:, 2:]).max(1)),
        reduced=(("cell", "exponent"), two),
        loss=(("cell", "time"), run["loss"].values),
        reduced_loss=(("cell", "time"), beside["loss"].values),
        at_1=(("cell", "unit"), np.where(on, spread, np.nan)),
        at_0=(("cell", "unit"), np.where(on, np.nan, spread)),
    )
