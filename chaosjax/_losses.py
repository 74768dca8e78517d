"""Losses of samples, and what is read off outputs beside them."""

from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@runtime_checkable
class LossFunction(Protocol):
    """Loss of each sample from outputs and targets; class labels arrive one-hot."""

    def __call__(
        self, outputs: Float[Array, "n outputs"], targets: Float[Array, "n outputs"], /
    ) -> Float[Array, " n"]: ...


def squared_error(outputs: Float[Array, "n outputs"], targets: Float[Array, "n outputs"]) -> Float[Array, " n"]:
    """The squared error ``½ Σ_k (f_k − y_k)²`` of each sample."""
    return 0.5 * jnp.sum((outputs - targets) ** 2, axis=-1)


def cross_entropy(outputs: Float[Array, "n outputs"], targets: Float[Array, "n outputs"]) -> Float[Array, " n"]:
    """The cross-entropy ``−Σ_k y_k ln softmax(f)_k`` of each sample, in nats."""
    return -jnp.sum(targets * jax.nn.log_softmax(outputs), axis=-1)


LOSSES: dict[str, LossFunction] = {"cross_entropy": cross_entropy, "squared_error": squared_error}

LIKELIHOODS = {"cross_entropy": "categorical", "squared_error": "gaussian"}


def accuracy(outputs: Float[Array, "n outputs"], targets: Float[Array, "n outputs"]) -> Float[Array, ""]:
    """Return the fraction of samples whose largest output is the largest target; NaN outputs give NaN."""
    hits = jnp.argmax(outputs, axis=-1) == jnp.argmax(targets, axis=-1)
    finite = jnp.all(jnp.isfinite(outputs))
    return jnp.where(finite, jnp.mean(hits, dtype=outputs.dtype), jnp.nan)


def r_squared(outputs: Float[Array, "n outputs"], targets: Float[Array, "n outputs"]) -> Float[Array, ""]:
    """Return the coefficient of determination ``R² = 1 − Σ ‖f_i − y_i‖² / Σ ‖y_i − ȳ‖²``; NaN for equal targets."""
    spread = jnp.sum((targets - jnp.mean(targets, axis=0, keepdims=True)) ** 2)
    return 1 - jnp.where(spread > 0, jnp.sum((outputs - targets) ** 2) / spread, jnp.nan)
