"""Losses of samples, and what is read off outputs beside them."""

from typing import Any, Protocol, runtime_checkable

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


@jax.custom_jvp
def cross_entropy(outputs: Float[Array, "n outputs"], targets: Float[Array, "n outputs"]) -> Float[Array, " n"]:
    """The cross-entropy ``−Σ_k y_k ln softmax(f)_k`` of each sample, in nats; the targets of a sample sum to 1."""
    # one logarithm per sample: of log_softmax the compiler takes one per output, a tenth of a small network's step
    largest = jnp.max(outputs, axis=-1)
    spread = jnp.log(jnp.sum(jnp.exp(outputs - largest[..., None]), axis=-1))
    return spread - (jnp.sum(targets * outputs, axis=-1) - largest)


def _differentiated(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    zero = jax.custom_derivatives.SymbolicZero
    moving = [i for i, tangent in enumerate(tangents) if not isinstance(tangent, zero)]

    def plain(*moved: Array) -> Float[Array, " n"]:
        outputs, targets = (moved[moving.index(i)] if i in moving else primals[i] for i in range(2))
        return -jnp.sum(targets * jax.nn.log_softmax(outputs), axis=-1)

    slope = jax.jvp(plain, tuple(primals[i] for i in moving), tuple(tangents[i] for i in moving))[1]
    return cross_entropy(*primals), slope


cross_entropy.defjvp(_differentiated, symbolic_zeros=True)


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
