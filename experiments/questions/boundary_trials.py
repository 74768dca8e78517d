"""Training at places of a grid over two control parameters, and the sweeps that refine its boundary of trainability."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, PRNGKeyArray

import chaosjax as cj
from chaosjax import stats

LAST = 20
"""Losses at the end whose mean is held against the first."""

Map = tuple[tuple[float, float], tuple[float, float]]
"""The range of log10 of the parameter along rows and of that along columns."""


class Tried(NamedTuple):
    """Weights of both layers, the first loss, and the latest ones."""

    first_layer: Float[Array, "width width"]
    second_layer: Float[Array, "width 1"]
    first_loss: Float[Array, ""]
    recent: Float[Array, " last"]


def trained(width: int, activation: str, scaled: bool, points: int, region: Map, single: bool = False) -> cj.System:
    """Two layers without biases, as many samples as parameters, full batch, at one place of a grid.

    ``f(x) = w₂ᵀ φ(W₁ x / √width) / √width``, ``L = ½ ⟨(f − y)²⟩``, x, y and first weights standard normal. Along
    columns lies the learning rate of the first layer, along rows that of the second; or with `scaled` the learning rate
    of both, and a factor on the first weights. A ``place`` is row · points + column; ``nudge`` moves the learning rate
    along columns by some units of its last place. The phase point carries the latest losses and the first. With
    `single` training is in float32, and so is the last place.

    Source: Sohl-Dickstein, arXiv:2402.06184.
    """
    random = np.random.default_rng(0)
    count = width * (width + 1)
    inputs, targets = jnp.asarray(random.normal(size=(count, width))), jnp.asarray(random.normal(size=(count, 1)))
    weights = jnp.asarray(random.normal(size=(width, width))), jnp.asarray(random.normal(size=(width, 1)))
    if single:
        inputs, targets, *weights = (part.astype(jnp.float32) for part in (inputs, targets, *weights))
    bend = {"tanh": jnp.tanh, "identity": lambda x: x}[activation]

    def loss(x: Tried, theta: Any, noise: Any) -> Array:
        found = bend(inputs @ x.first_layer / width**0.5) @ x.second_layer / width**0.5
        return 0.5 * jnp.mean((found - targets) ** 2)

    def parameters(theta: Any) -> tuple[Array, Array, Array]:
        """The rates of both layers, and the scale of first weights."""
        theta = {name: jnp.asarray(value, float) for name, value in theta.items()}
        row, column = jnp.floor(theta["place"] / points), theta["place"] % points
        (low, high), (left, right) = ((theta["bottom"], theta["top"]), (theta["left"], theta["right"]))
        along_rows = 10 ** (low + (high - low) * row / (points - 1))
        along_columns = 10 ** (left + (right - left) * column / (points - 1))
        along_columns *= 1 + theta["nudge"] * jnp.finfo(inputs.dtype).eps
        found = (along_columns, along_columns, along_rows) if scaled else (along_columns, along_rows, jnp.ones(()))
        first, second, scale = (part.astype(inputs.dtype) for part in found)
        return first, second, scale

    def init(key: PRNGKeyArray, theta: Any) -> Tried:
        scale = parameters(theta)[2]
        x = Tried(scale * weights[0], scale * weights[1], jnp.zeros((), inputs.dtype), jnp.full(LAST, jnp.inf))
        return x._replace(first_loss=loss(x, theta, None), recent=x.recent.astype(inputs.dtype))

    def step(x: Tried, theta: Any, noise: Any) -> Tried:
        first, second, _ = parameters(theta)
        value, gradient = jax.value_and_grad(loss)(x, theta, noise)
        recent = jnp.concatenate([x.recent[1:], value[None]])
        return Tried(
            x.first_layer - first * gradient.first_layer,
            x.second_layer - second * gradient.second_layer,
            x.first_loss,
            recent,
        )

    (bottom, top), (left, right) = region
    theta = {"place": 0.0, "nudge": 0.0, "bottom": bottom, "top": top, "left": left, "right": right}
    attrs = {"width": width, "activation": activation, "grid": "learning rate and scale" if scaled else "two rates"}
    return cj.System(init, step, loss=loss, params=lambda x: (x.first_layer, x.second_layer), theta=theta, attrs=attrs)


def ratio() -> cj.Probe:
    """The mean of the last losses over the first: below 1 training has converged, in the words of the study."""
    return cj.probes.reading(lambda transition: jnp.mean(transition.x.recent) / transition.x.first_loss)


def converged(records: xr.Dataset) -> np.ndarray:
    """Which places have converged in the end, as one axis."""
    return np.asarray(records["ratio"].isel(time=-1).fillna(np.inf) < 1).reshape(-1)


def weights_alone(system: cj.System) -> cj.System:
    """The same training with a phase space of weights, for its exponents: what is only remembered would be neutral."""

    loss = system.loss
    assert loss is not None

    def whole(x: tuple[Array, Array]) -> Tried:
        zero = jnp.zeros((), x[0].dtype)
        return Tried(*x, zero, jnp.zeros(LAST, x[0].dtype))

    return system._replace(
        init=lambda key, theta: tuple(system.init(key, theta)[:2]),
        step=lambda x, theta, noise: tuple(system.step(whole(x), theta, noise)[:2]),
        loss=lambda x, theta, noise: loss(whole(x), theta, noise),
        params=lambda x: x,
    )


def sweeps(
    dataset: xr.Dataset,
    beside: Any,
    maps: Mapping[str, Callable[..., cj.System]],
    coarse: int,
    levels: int,
    steps: Sequence[int],
    zooms: int,
    magnification: float,
    audited: int,
) -> None:
    """Refine every map at its boundary, zoom into that of the first, and nudge the learning rate at its finest squares.

    Args:
        dataset: the grid's records.
        beside: ``(name, system, probes, axes, **options) -> records``.
        maps: `trained` by name; "rates" is the one that is zoomed into, nudged and scanned over the number of steps.
        coarse: points of a side of the coarsest grid.
        levels: how often the grid gets twice as fine.
        steps: numbers of steps of that scan.
        zooms: how many times to zoom, each at a place on the boundary of the one before.
        magnification: of each zoom.
        audited: how many places that refinement did not compute are computed after all, and how many are nudged.
    """
    points, random = (coarse - 1) * 2**levels + 1, np.random.default_rng(0)
    run = _Runner(beside, points, coarse, levels, int(dataset["time"][-1]))
    systems = {name: made(points=points) for name, made in maps.items()}
    labels, computed = run.refine("rates", systems["rates"])
    left_out = random.permutation(np.flatnonzero(~computed.ravel()))[:audited]
    if len(left_out):
        run("audit", systems["rates"], left_out)
    for name, system in systems.items():
        if name != "rates":
            run.refine(name, system)
    for fewer in steps:
        run._replace(steps=fewer).refine(f"rates_after_{fewer}", systems["rates"])
    region = {name: float(value or 0.0) for name, value in (systems["rates"].theta or {}).items() if name in SIDES}
    for zoom in range(zooms + 1):
        edge = np.argwhere(stats.boundary(labels))
        if not len(edge):
            return
        if zoom in (0, zooms):
            picked = random.permutation(edge)[:audited]
            sides = {side: [value] for side, value in region.items()}
            places = picked[:, 0] * points + picked[:, 1]
            run(f"nudged_{zoom}", systems["rates"], places, nudge=[-1.0, 0.0, 1.0], **sides)
            if not zoom:
                run("single", maps["rates"](points=points, single=True), places, nudge=[-1.0, 0.0, 1.0], **sides)
        if zoom < zooms:
            region = zoomed(region, edge[len(edge) // 2] / (points - 1), magnification)
            sides = {side: [value] for side, value in region.items()}
            labels, _ = run.refine(f"zoom_{zoom + 1}", systems["rates"], **sides)


SIDES = ("bottom", "top", "left", "right")


def zoomed(region: Mapping[str, float], middle: Sequence[float], magnification: float) -> dict[str, float]:
    """A region smaller by a factor around a place in another, the place in shares of its sides."""
    found = {}
    for (low, high), share in zip((SIDES[:2], SIDES[2:]), middle, strict=True):
        span = region[high] - region[low]
        centre, half = region[low] + share * span, 0.5 * span / magnification
        found |= {low: float(centre - half), high: float(centre + half)}
    return found


def places(points: int) -> np.ndarray:
    """All places of a grid."""
    return np.arange(float(points**2))


class _Runner(NamedTuple):
    """Runs places of a grid into stores beside the job's."""

    beside: Any
    points: int
    coarse: int
    levels: int
    steps: int

    def __call__(self, name: str, system: cj.System, places: np.ndarray, **axes: Any) -> xr.Dataset:
        axes = {"place": np.asarray(places, float), **axes}
        return self.beside(name, system, {"ratio": ratio()}, axes, steps=self.steps, stride=self.steps)

    def refine(self, name: str, system: cj.System, **axes: Any) -> tuple[np.ndarray, np.ndarray]:
        """Labels on the finest grid, and which of them were computed on the way."""
        side = np.arange(self.coarse) * 2**self.levels
        first = self(f"{name}_0", system, np.add.outer(side * self.points, side).ravel(), **axes)
        labels = converged(first).reshape(self.coarse, self.coarse)
        computed = np.ones(labels.shape, bool)
        for level in range(1, self.levels + 1):
            stretch = 2 ** (self.levels - level)

            def label(rows: np.ndarray, columns: np.ndarray, level: int = level, stretch: int = stretch) -> np.ndarray:
                return converged(self(f"{name}_{level}", system, stretch * (rows * self.points + columns), **axes))

            finer = stats.refined(labels, label)
            known = finer.computed.copy()
            known[::2, ::2] = computed
            labels, computed = finer.labels, known
        return labels, computed


def labels_of(parts: Mapping[str, xr.Dataset], name: str, points: int, coarse: int) -> np.ndarray:
    """The labels of a refined map on its finest grid, made again of the records."""
    side, level = (points - 1) // (coarse - 1), 1
    labels = converged(parts[f"{name}_0"]).reshape(coarse, coarse)
    while side > 1:
        side //= 2
        labels = np.repeat(np.repeat(labels, 2, 0), 2, 1)[:-1, :-1]
        if f"{name}_{level}" in parts:
            records = parts[f"{name}_{level}"]
            rows, columns = np.divmod(records["place"].values.astype(int), points)
            labels[rows // side, columns // side] = converged(records)
        level += 1
    return labels
