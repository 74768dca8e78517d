"""Hidden units that are constant over all samples: where they are, how long for, and what the network does then."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, PyTree

import chaosjax as cj
from experiments.danovski import reduced

FROZEN = 0.01
"""A unit within this of 0, or of 1, on every sample counts as constant."""

SHORTEST = 300
"""Steps of the shortest stretch of constant units that counts as a phase."""


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
