"""What is learned: a loss over parameters, and the quantities read off a network."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from chaosjax._precision import working_dtype
from chaosjax._system import Theta
from chaosjax.datasets import Dataset
from chaosjax.models._functional import Functional, functional

LossFunction = Callable[[Float[Array, "n outputs"], Float[Array, "n outputs"]], Float[Array, " n"]]
"""Loss of each sample from outputs and targets; class labels arrive one-hot."""


class Problem(NamedTuple):
    """A learning problem as pure functions.

    Attributes:
        init: ``(key, theta) -> (params, state)``; state is what the network carries beside parameters, or ``()``.
        loss: ``(params, state, theta, indices | None) -> (loss, state)``, over the samples of those indices, or all.
        metrics: named scalars, ``(params, state) -> []``.
        outputs: the network's outputs on the test samples, ``(params, state) -> [n, outputs]``.
        samples: number of training samples, which minibatches are drawn from.
        theta: the control parameters the problem takes, with their defaults.
        attrs: plain values that say what the problem is.
    """

    init: Callable[[PRNGKeyArray, Theta], tuple[PyTree, PyTree]]
    loss: Callable[..., tuple[Float[Array, ""], PyTree]]
    metrics: Mapping[str, Callable[[PyTree, PyTree], Array]] = {}
    outputs: Callable[[PyTree, PyTree], Float[Array, "n outputs"]] | None = None
    samples: int | None = None
    theta: Mapping[str, float | None] = {}
    attrs: Mapping[str, Any] = {}


def squared_error(outputs: Float[Array, "n outputs"], targets: Float[Array, "n outputs"]) -> Float[Array, " n"]:
    """``½ Σ_k (f_k − y_k)²`` of each sample."""
    return 0.5 * jnp.sum((outputs - targets) ** 2, axis=-1)


def cross_entropy(outputs: Float[Array, "n outputs"], targets: Float[Array, "n outputs"]) -> Float[Array, " n"]:
    """``−Σ_k y_k ln softmax(f)_k`` of each sample, in nats."""
    return -jnp.sum(targets * jax.nn.log_softmax(outputs), axis=-1)


LOSSES: dict[str, LossFunction] = {"cross_entropy": cross_entropy, "squared_error": squared_error}


def supervised(
    model: Any,
    dataset: Dataset,
    loss: str | LossFunction = "cross_entropy",
    weight_decay: float = 0.0,
    dtype: Any = None,
) -> Problem:
    """Supervised learning, ``L(w) = (1/n) Σ_i ℓ(f(x_i; w), y_i) + ½ weight_decay ‖w‖²``.

    Control parameters: ``weight_decay`` (L2 over all parameters) and ``init_scale`` (factor on the initial
    parameters). Metrics: ``train_loss``, ``test_loss`` (without the L2 term) and, for classes,
    ``train_accuracy`` and ``test_accuracy``.

    Args:
        model: see `models.functional`: a network builder of `chaosjax.models`, any Flax NNX module's builder, or
            anything with ``init(key, inputs)`` and ``apply(params, inputs)``.
        loss: "cross_entropy", "squared_error" (½ sum over outputs, mean over samples), or a function of outputs
            and targets that returns one loss a sample.
        dtype: of data and parameters; default float64 under x64, else float32.

    Raises:
        ValueError: for an unknown loss, or a network whose outputs do not have the targets' shape.
        TypeError: for a model of no known kind.
    """
    if isinstance(loss, str) and loss not in LOSSES:
        raise ValueError(f"loss={loss!r} is not known; choose from {', '.join(LOSSES)}, or give a function")
    sample_loss = LOSSES[loss] if isinstance(loss, str) else loss
    dtype = jnp.dtype(dtype or working_dtype())
    train = _arrays(dataset.train_inputs, dataset.train_targets, dataset.outputs, dtype)
    test = _arrays(dataset.test_inputs, dataset.test_targets, dataset.outputs, dtype)
    network = functional(model, train[0][:1], dataset.outputs, dtype)
    _check_outputs(network, train)

    def init(key: PRNGKeyArray, theta: Theta) -> tuple[PyTree, PyTree]:
        params, state = network.init(key)
        scale = jnp.asarray(theta.get("init_scale", 1.0), dtype)
        return jax.tree.map(lambda leaf: scale * leaf, params), state

    def objective(params: PyTree, state: PyTree, theta: Theta, indices: Int[Array, " b"] | None = None):
        inputs, targets = train if indices is None else (train[0][indices], train[1][indices])
        outputs, state = network.apply(params, state, inputs, training=True)
        value = jnp.mean(sample_loss(outputs, targets))
        decay = theta.get("weight_decay", weight_decay)
        if isinstance(decay, (int, float)) and decay == 0:
            return value, state
        squares = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
        return value + 0.5 * jnp.asarray(decay, dtype) * squares, state

    def reading(measure, data):
        return lambda params, state: measure(network.apply(params, state, data[0], training=False)[0], data[1])

    metrics = {
        "train_loss": reading(lambda outputs, targets: jnp.mean(sample_loss(outputs, targets)), train),
        "test_loss": reading(lambda outputs, targets: jnp.mean(sample_loss(outputs, targets)), test),
    }
    if dataset.train_targets.ndim == 1 or "classes" in dataset.attrs:
        metrics |= {"train_accuracy": reading(accuracy, train), "test_accuracy": reading(accuracy, test)}
    return Problem(
        init,
        objective,
        metrics,
        outputs=lambda params, state: network.apply(params, state, test[0], training=False)[0],
        samples=len(train[0]),
        theta={"weight_decay": None if weight_decay == 0 else weight_decay, "init_scale": None},
        attrs={
            "dataset": {**dataset.attrs, "checksum": dataset.checksum},
            "model": describe(model),
            "loss": describe(loss),
            "weight_decay": weight_decay,
            "dtype": str(dtype),
        },
    )


def accuracy(outputs: Float[Array, "n outputs"], targets: Float[Array, "n outputs"]) -> Float[Array, ""]:
    """Fraction of samples whose largest output is the largest target; NaN outputs give NaN."""
    hits = jnp.argmax(outputs, axis=-1) == jnp.argmax(targets, axis=-1)
    finite = jnp.all(jnp.isfinite(outputs))
    return jnp.where(finite, jnp.mean(hits, dtype=outputs.dtype), jnp.nan)


def _arrays(inputs, targets, outputs: int, dtype) -> tuple[Array, Array]:
    """On the device once. Labels become one-hot: picking a logit by index would make every gradient a scatter."""
    targets = np.eye(outputs)[targets] if targets.ndim == 1 else targets
    return jnp.asarray(inputs, dtype), jnp.asarray(targets, dtype)


def _check_outputs(network: Functional, train: tuple[Array, Array]) -> None:
    params, state = jax.eval_shape(network.init, jax.random.key(0))
    outputs, _ = jax.eval_shape(
        lambda params, state: network.apply(params, state, train[0][:1], training=True), params, state
    )
    if outputs.shape != train[1][:1].shape:
        raise ValueError(
            f"model: gives outputs of shape {outputs.shape[1:]} a sample, the targets have {train[1].shape[1:]}; "
            "set its output width (a builder that takes out_features is told)"
        )


def describe(thing: Any) -> str:
    """A function, partial, module or name in words that are the same in every process."""
    if isinstance(thing, str):
        return thing
    if isinstance(thing, partial):
        bound = [describe(value) for value in thing.args]
        bound += [f"{key}={describe(value)}" for key, value in sorted(thing.keywords.items())]
        return f"{describe(thing.func)}({', '.join(bound)})"
    if hasattr(thing, "__qualname__"):
        return f"{thing.__module__}.{thing.__qualname__}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(thing))
