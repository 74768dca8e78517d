"""Hidden units that are constant over all samples: where they are, how long for, and what the network does then."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, PyTree

import chaosjax as cj
from danovski import reduced

FROZEN = 0.01
"""A unit within this of 0, or of 1, on every sample counts as constant."""

SHORTEST = 300
"""Steps of the shortest stretch of constant units that counts as a phase."""

LONGEST = 4000
"""Steps of a phase over which exponents are compared, at most."""

SETTLE = 100
"""Steps into a phase from which the reduced map starts, and after which the tangent frames have aligned."""


def probe(dataset: cj.datasets.Dataset) -> cj.Probe:
    """Hidden units of a network of one hidden sigmoid layer, and how well the reduced map holds.

    Records `on` (mean output of each unit over the samples), `exposure` (the largest distance of a unit from a constant
    0 or 1, over all samples and the steps since the last record), `logits` (mean over the samples) and `error` (of one
    step of the reduced map in the differences of these logits, the largest since the last record).
    """
    inputs = jnp.asarray(dataset.train_inputs)
    frequencies = jnp.asarray(frequencies_of(dataset))
    plane = jnp.asarray(reduced.PLANE)

    def activity(params: PyTree) -> tuple[Float[Array, "n unit"], Float[Array, " class"]]:
        hidden, out = params["layers"][0], params["layers"][1]
        h = jax.nn.sigmoid(inputs @ hidden["kernel"] + hidden["bias"][None])
        return h, jnp.mean(h, axis=0) @ out["kernel"] + out["bias"]

    def exposure(h: Float[Array, "n unit"]) -> Float[Array, " unit"]:
        return jnp.minimum(jnp.max(h, axis=0), jnp.max(1 - h, axis=0))

    def init(key, x, theta):
        h, z = activity(x.params)
        return exposure(h), jnp.zeros((), z.dtype)

    def update(m, transition):
        h, z = activity(transition.params)
        h_next, z_next = activity(transition.y.params)
        rate = transition.theta["learning_rate"] * (1 + jnp.sum(jnp.mean(h, axis=0) > 0.5))
        off = plane @ (z_next - z + rate * (jax.nn.softmax(z) - frequencies))
        return jnp.maximum(m[0], exposure(h_next)), jnp.maximum(m[1], jnp.max(jnp.abs(off)))

    def emit(m, transition):
        h, z = activity(transition.params)
        record = {"exposure": m[0], "error": m[1], "on": jnp.mean(h, axis=0), "logits": z}
        return (exposure(h), jnp.zeros_like(m[1])), record

    dims = {"exposure": ("unit",), "error": (), "on": ("unit",), "logits": ("class",)}
    return cj.Probe(init, update, emit, dims, attrs={"long_name": "hidden units", "units": "1"})


def snapshot() -> cj.Probe:
    """The whole phase point."""
    return cj.probes.reading(lambda t: cj.phase(t.x)[0], dims=("coordinate",), long_name="phase point", units="1")


def frequencies_of(dataset: cj.datasets.Dataset) -> Float[np.ndarray, " class"]:
    return np.bincount(dataset.train_targets, minlength=dataset.outputs) / len(dataset.train_targets)


def phases(dataset: xr.Dataset) -> xr.Dataset:
    """Every stretch of at least `SHORTEST` steps in which all units are constant, and as many at 1.

    Variables along ``phase``: indices `rate` and `cell` of the learning rate and the seed, `first` and `last` of the
    records; `on` units at 1, `ended` before the run did, and the `lifetime` in steps that `lifetime` expected.
    """
    constant = (dataset["units_exposure"] < FROZEN).all("unit")
    code = (dataset["units_on"] > 0.5).sum("unit").where(constant, -1).transpose("learning_rate", "seed", "time").values
    exposure = dataset["units_exposure"].transpose("learning_rate", "seed", "time", "unit").values
    stride = int(dataset["time"][1])
    rows = []
    for i, j in np.ndindex(code.shape[:2]):
        edges = [0, *(np.flatnonzero(np.diff(code[i, j])) + 1), code.shape[2]]
        for first, end in pairwise(edges):
            if code[i, j, first] >= 0 and (end - 1 - first) * stride >= SHORTEST:
                expected = lifetime(exposure[i, j, first:end], stride)
                rows.append((i, j, first, end - 1, code[i, j, first], end < code.shape[2], expected))
    names = ("rate", "cell", "first", "last", "on", "ended", "lifetime")
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    table = {name: ("phase", np.array(column)) for name, column in zip(names, columns, strict=True)}
    found = xr.Dataset(table)
    if not rows:
        return found
    found["eta"] = "phase", dataset["learning_rate"].values[found["rate"].values]
    found["eta_eff"] = found["eta"] * (1 + found["on"])
    found["steps"] = (found["last"] - found["first"]) * stride
    return found


def lifetime(exposure: Float[np.ndarray, "time unit"], stride: int) -> float:
    """Steps until a unit's exposure a is `FROZEN` again, from steps 50 to 150 alone; infinite where none will be.

    The force on a nearly constant unit is proportional to its derivative, a itself: da/dt = ±c a² once averaged over
    the orbit of the logits. So 1/a is a straight line, to infinity or to 0.
    """
    t = np.arange(50 // stride, 150 // stride + 1)
    with np.errstate(divide="ignore"):
        slope, offset = np.polyfit(t * stride, np.minimum(1 / exposure[t], 1e15), 1)
        left = np.where(slope < 0, (1 / FROZEN - offset) / slope, np.inf)
    return float(left.min())


def compare(dataset: xr.Dataset, runs: xr.Dataset, frequencies: Float[np.ndarray, " class"]) -> xr.Dataset:
    """The reduced map from the state `SETTLE` steps into every phase, beside the network.

    Adds to each phase `exponents` of the network, `reduced_exponents` over the same steps, `limit` (exponents of the
    attractor that the reduced map ends on) with its `period`, `one_step` (median error of one step) and `loss_error`
    (largest error of the loss over 100 steps).
    """
    stride = int(dataset["time"][1])
    skip = SETTLE // stride
    records = dataset.transpose("learning_rate", "seed", "time", ...)
    starts = runs["rate"].values, runs["cell"].values, runs["first"].values + skip
    logits = records["units_logits"].values[starts]
    rates = runs["eta_eff"].values
    orbits = reduced.orbits(frequencies, rates, logits, min(int(runs["steps"].max()), LONGEST) - SETTLE, stride)
    columns = {name: [] for name in ("exponents", "reduced_exponents", "one_step", "loss_error")}
    for n in range(runs.sizes["phase"]):
        i, j, first, last = (int(runs[name][n]) for name in ("rate", "cell", "first", "last"))
        last = min(last, first + LONGEST // stride)
        window = slice(first + 2 * skip + 1, last + 1)
        own = slice(skip + 1, last - first - skip + 1)
        steps = (last - first - 2 * skip) * stride
        columns["exponents"].append(records["growth"].values[i, j, window].sum(0) / steps)
        columns["reduced_exponents"].append(orbits["growth"].values[n, own].sum(0) / steps)
        columns["one_step"].append(np.median(records["units_error"].values[i, j, window]))
        gap = records["loss"].values[i, j, first + skip : first + 2 * skip + 1] - orbits["loss"].values[n, : skip + 1]
        columns["loss_error"].append(np.abs(gap).max())
    limit = reduced.attractors(frequencies, rates, logits)
    runs = runs.assign(
        {
            name: (("phase", "exponent")[: np.ndim(values)], np.array(values))
            for name, values in {**columns, "limit": limit.exponents, "period": limit.period}.items()
        }
    )
    runs["chaotic"] = runs["limit"].isel(exponent=0) > reduced.CHAOS
    return runs


def spectra(
    dataset: xr.Dataset, system: cj.System, frequencies: Float[np.ndarray, " class"], eta: float
) -> xr.Dataset | None:
    """All exponents of the network over 200 steps, 100 after its first snapshot, and the two of the reduced map.

    Along ``cell``, the seeds whose units stay constant meanwhile: `exponents` sorted by size, the two largest of them
    `leading` beside `reduced`, the largest of all others `rest`; `loss` and `reduced_loss` at every step; and the
    standard deviation in time of the output weights of the units that are `at_1` and `at_0`. None without such a seed.
    """
    cells = dataset.sel(learning_rate=eta)
    moments = np.flatnonzero(cells["snapshot"].isel(coordinate=0).notnull().any("seed"))
    at, steps, stride = int(moments[1]), 300, int(dataset["time"][1])
    window = cells.isel(time=slice(at, at + steps // stride + 1))
    on = (window["units_on"] > 0.5).transpose("seed", "time", "unit").values
    constant = (window["units_exposure"] < FROZEN).all(("unit", "time")).values & (on == on[:, :1]).all((1, 2))
    seeds = np.flatnonzero(constant)
    if not len(seeds) or (window.sizes["time"] - 1) * stride < steps:
        return None
    at_one, rates = on[seeds, 0], eta * (1 + on[seeds, 0].sum(1))
    points = jnp.asarray(window["snapshot"].isel(time=0).transpose("seed", ...).values[seeds])
    _, chart = cj.phase(system.init(jax.random.key(0), {"learning_rate": eta}))
    restarted = system._replace(
        init=lambda key, theta: chart(points[theta["cell"].astype(int)]), theta={**(system.theta or {}), "cell": 0.0}
    )
    probes = {
        "loss": cj.probes.loss(),
        "growth": cj.probes.lyapunov(k=points.shape[1]),
        "weights": cj.probes.metric(lambda params: params["layers"][1]["kernel"], dims=("unit", "class")),
    }
    axes = {"learning_rate": [eta], "cell": np.arange(float(len(seeds)))}
    run = cj.sweep(restarted, probes, axes, steps=steps, progress=False).squeeze("learning_rate")
    logits = window["units_logits"].isel(time=0).transpose("seed", ...).values[seeds]
    beside = reduced.orbits(frequencies, rates, logits, steps, 1)
    full, two = (cj.stats.finite_time_exponents(each["growth"], start=SETTLE).values for each in (run, beside))
    by_size = np.take_along_axis(full, np.argsort(-np.abs(full), axis=1), axis=1)
    spread = run["weights"].std("time").mean("class").values
    return xr.Dataset(
        {
            "eta_eff": ("cell", rates),
            "seed": ("cell", cells["seed"].values[seeds]),
            "leading": (("cell", "exponent"), -np.sort(-by_size[:, :2], axis=1)),
            "rest": ("cell", np.abs(by_size[:, 2:]).max(1)),
            "reduced": (("cell", "exponent"), two),
            "loss": (("cell", "time"), run["loss"].values),
            "reduced_loss": (("cell", "time"), beside["loss"].values),
            "at_1": (("cell", "unit"), np.where(at_one, spread, np.nan)),
            "at_0": (("cell", "unit"), np.where(at_one, np.nan, spread)),
        }
    )
