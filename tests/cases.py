"""Small systems and every probe, for the conformance suite: a new instrument is one line here."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.flatten_util import ravel_pytree

import chaosjax as cj

SEEDS = (0, 1)
RATES = (0.05, 0.4, 1e308)  # the last cells diverge


class Case(NamedTuple):
    """A system, the axes of its sweep (six cells), and the theta of one well-behaved cell, seed 1."""

    system: cj.System
    axes: Mapping[str, Sequence[float]]
    theta: Mapping[str, float]


class Pair(NamedTuple):
    """A network written by hand: 2 – 3 (tanh) – 2."""

    init: Any
    apply: Any


def _init_network(key, inputs):
    first, second = jax.random.split(key)
    return {
        "hidden": {"kernel": jax.random.normal(first, (inputs.shape[-1], 3)), "bias": jnp.zeros(3)},
        "head": {"kernel": jax.random.normal(second, (3, 2)), "bias": jnp.zeros(2)},
    }


def _apply_network(params, inputs):
    def layer(h, p):
        return h @ p["kernel"] + p["bias"][None]

    return layer(jnp.tanh(layer(inputs, params["hidden"])), params["head"])


network = Pair(_init_network, _apply_network)


class Normalised(nnx.Module):
    """A network with running averages in its state."""

    def __init__(self, in_shape, out_features, *, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(in_shape[0], 3, rngs=rngs)
        self.norm = nnx.BatchNorm(3, momentum=0.7, rngs=rngs)
        self.head = nnx.Linear(3, out_features, rngs=rngs)

    def __call__(self, inputs):
        return self.head(jnp.tanh(self.norm(self.hidden(inputs))))


class Dropped(nnx.Module):
    """A network with a random key in its state."""

    def __init__(self, in_shape, out_features, *, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(in_shape[0], 6, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(6, out_features, rngs=rngs)

    def __call__(self, inputs):
        return self.head(self.dropout(jnp.tanh(self.hidden(inputs))))


def dataset(samples: int = 10, test: int = 4, seed: int = 0) -> cj.datasets.Dataset:
    """Points of the plane, labelled by their distance to the origin."""
    inputs = np.random.default_rng(seed).standard_normal((samples + test, 2))
    labels = (np.hypot(*inputs.T) > 1.2).astype(int)
    return cj.datasets.Dataset(inputs[:samples], labels[:samples], inputs[samples:], labels[samples:], 2, {"name": "x"})


def problem(model: Any = network, **options: Any) -> cj.Problem:
    """With an L2 term: at a huge learning rate a saturated cross-entropy alone would not diverge."""
    return cj.supervised(model, dataset(), **{"weight_decay": 0.01, **options})


def scheduled(learning_rate, decay=0.9):
    """AdamW under an exponential schedule."""
    return optax.adamw(optax.exponential_decay(learning_rate, 3, decay), weight_decay=1e-2)


heavy_ball = partial(optax.sgd, momentum=0.9)
nesterov = partial(optax.sgd, momentum=0.9, nesterov=True)
# a bias before a batch norm has gradient 0 up to rounding, which RMSprop's default eps would blow up to full steps
damped_rmsprop = partial(optax.rmsprop, eps=1e-3)
OPTIMIZERS = {
    "gd": optax.sgd,
    "heavy_ball": heavy_ball,
    "nesterov": nesterov,
    "adam": optax.adam,
    "rmsprop": optax.rmsprop,
    "adamw_scheduled": scheduled,
}


def logistic() -> cj.System:
    return cj.System(
        init=lambda key, theta: jax.random.uniform(key, (), minval=0.1, maxval=0.9),
        step=lambda x, theta, noise: theta["r"] * x * (1 - x),
        theta={"r": 4.0},
    )


def henon() -> cj.System:
    return cj.System(
        init=lambda key, theta: {"x": 0.1 * jax.random.uniform(key), "y": jnp.zeros(())},
        step=lambda p, theta, noise: {"x": 1 - theta["a"] * p["x"] ** 2 + p["y"], "y": theta["b"] * p["x"]},
        theta={"a": 1.4, "b": 0.3},
    )


def linear() -> cj.System:
    """A linear map with a counter beside its coordinates, and a quadratic loss."""
    matrix = jnp.asarray([[1.1, 0.3, 0.0], [-0.2, 0.9, 0.1], [0.0, 0.4, 0.5]])
    curvature = jnp.asarray([3.0, 1.0, 0.2])
    return cj.System(
        init=lambda key, theta: {"position": jax.random.normal(key, (3,)), "counter": jnp.int32(0)},
        step=lambda x, theta, noise: {
            "position": theta["scale"] * (matrix @ x["position"]),
            "counter": x["counter"] + 1,
        },
        loss=lambda x, theta, noise: 0.5 * jnp.sum(curvature * x["position"] ** 2),
        params=lambda x: x["position"],
        theta={"scale": 1.0},
    )


def _trained(system: cj.System) -> Case:
    return Case(system, {"learning_rate": RATES, "seed": SEEDS}, {"learning_rate": RATES[1]})


# every optimizer once, and beside them each kind of noise and of state that a phase point can hold
CASES = {
    "logistic": Case(logistic(), {"r": (3.2, 3.9, 40.0), "seed": SEEDS}, {"r": 3.9}),
    "henon": Case(henon(), {"a": (1.2, 1.4, 9.0), "seed": SEEDS}, {"a": 1.4, "b": 0.3}),
    "linear": Case(linear(), {"scale": (0.5, 1.0, 1e100), "seed": SEEDS}, {"scale": 1.0}),
    "gd": _trained(cj.training(problem(), optax.sgd)),
    "heavy_ball, minibatches": _trained(cj.training(problem(cj.models.mlp([3])), heavy_ball, batch_size=3)),
    "nesterov, dropout": _trained(cj.training(problem(Dropped), nesterov)),
    "adam, replacement": _trained(cj.training(problem(), optax.adam, batch_size=3, replacement=True)),
    "rmsprop, batch norm": _trained(cj.training(problem(Normalised), damped_rmsprop, batch_size=5)),
    "adamw, schedule": _trained(cj.training(problem(), scheduled)),
}


FULLY_PROBED = ("henon", "linear")
"""Compiling every probe for every system takes minutes: these get all, `TRAINED` those that need a training, the others
the common ones, and all of them all with `pytest --every-probe`."""

TRAINED = "adam, replacement"


def probes_for(name: str, every: bool = False) -> dict[str, cj.Probe]:
    """The probes of a case: every one that its system allows, or the common ones."""
    case = CASES[name]
    system = case.system
    probes = {
        "point": cj.probes.reading(lambda transition: cj.phase(transition.x)[0], dims=("coordinate",)),
        "norms": cj.probes.norms("max", of=("params", "update")),
        "distance": cj.probes.ensemble(radius=1e-3, copies=2),
        "growth": cj.probes.lyapunov(),
    }
    if system.loss is not None:
        probes["loss"] = cj.probes.loss()
    if every or name == TRAINED:
        probes |= _of_training(system)
    if not every and name not in FULLY_PROBED:
        return probes
    spaces = ("phase", "parameters", "pairwise")
    probes |= {
        "parameters": cj.probes.metric(lambda params: ravel_pytree(params)[0], dims=("parameter",)),
        "distance": cj.probes.ensemble(radius=1e-3, copies=2, spaces=spaces, departure=True),
        "late": cj.probes.delayed(8, cj.probes.ensemble(radius=1e-3, copies=2)),
        "renormalised": cj.probes.benettin(radius=1e-3, every=2),
        "weights": cj.probes.weights(),
        "travel": cj.probes.travel(),
    }
    if name != "logistic":  # of one dimension
        probes["frame"] = cj.probes.lyapunov(k=2, every=2)._replace(dims=("vector",))
        probes["gali"] = cj.probes.gali()
        probes["reseeded"] = cj.probes.lyapunov(k=2, reseed=4)._replace(dims=dict.fromkeys(("", "known"), ("vector",)))
    if system.loss is not None:
        probes |= {
            "ablation": cj.probes.ablation(side_by_side=7),
            "gradient": cj.probes.norms("l1", of=("grad",)),
            "spectrum": cj.probes.spectral_density(vectors=2, depth=2),
            "trace": cj.probes.curvature_trace(vectors=3),
            "sharpness": cj.probes.every(6, cj.probes.sharpness(tolerance=1e-12)),
            "split": cj.probes.growth_split(turning=False, threshold=lambda theta: 1.5),
        }
    return probes


def _values(probe: cj.Probe) -> cj.Probe:
    """A probe of eigenvalues without their residuals, which are rounding, and the products that these take."""

    def emit(m, transition):
        m, record = probe.emit(m, transition)
        return m, {entry: value for entry, value in record.items() if entry in ("", "threshold", "converged")}

    return probe._replace(emit=emit)


def _of_training(system: cj.System) -> dict[str, cj.Probe]:
    """The probes that only a training has, and two that treat its optimizer's state apart."""
    if "train_accuracy" not in system.metrics:
        return {}
    return {
        "accuracy": cj.probes.metric("train_accuracy"),
        "batch_loss": cj.probes.loss(minibatch=True),
        "parted": cj.probes.ensemble(1e-3, 2, spaces=("function", "prediction"), noise="independent"),
        "travel": cj.probes.travel(),
        "ablation": cj.probes.ablation(side_by_side=7),
        "sharpness_of_steps": cj.probes.every(6, _values(cj.probes.preconditioned_sharpness(tolerance=1e-12))),
        **({"batch_sharpness": cj.probes.batch_sharpness(3)} if system.attrs["batch_size"] else {}),
        "alignment": cj.probes.alignment(tolerance=1e-12),
        "trace": cj.probes.curvature_trace("gauss_newton", vectors=3, per_layer=True),
    }
