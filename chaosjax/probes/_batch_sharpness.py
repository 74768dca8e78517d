"""Batch sharpness: the curvature of a minibatch's loss along its own gradient."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from chaosjax._checks import check_count
from chaosjax._probe import Cost, Probe, reading
from chaosjax._system import phase
from chaosjax._transition import Transition


def batch_sharpness(minibatches: int = 32) -> Probe:
    r"""The curvature of the minibatches' losses along their own gradients, averaged over minibatches B.

    .. math:: E_B\left[\frac{g_B^⊤ H_B g_B}{|g_B|^2}\right], \qquad \frac{E_B[g_B^⊤ H_B g_B]}{E_B |g_B|^2},

    ``g_B = ∇L_B`` and ``H_B = ∇²L_B``. Both settle at 2/η in training by minibatches of plain SGD (mean-square
    stability along the gradient), while the full-batch sharpness stays below; `batch_sharpness_thresholds` has the
    values with momentum.

    The minibatches are of the training's size, drawn as it draws them, from streams that are independent of the
    training's and of each other.

    Record: the mean of ratios ``[]``, and ``_of_means``, the ratio of means. ``_error`` and ``_of_means_error`` are
    their standard errors: over minibatches for the first, by the delta method for the second.

    Args:
        minibatches: their number, at least 2.

    Raises:
        ValueError: for fewer than 2; when run on a system without a loss, or one that draws no minibatches: there the
            sharpness itself is what matters.

    Cost: per record and minibatch three to four gradients of a minibatch. Memory: that of one.

    Source: Andreyev, Beneventano, Edge of Stochastic Stability, arXiv:2412.20553.
    """
    check_count("minibatches", minibatches, least=2, what="for a standard error")

    def read(transition: Transition) -> dict[str, Array]:
        if transition.noise is None:
            raise ValueError("batch_sharpness: this system draws no minibatches (full batch); use sharpness")
        w = phase(transition.params)[0]

        def along(stream: Array) -> tuple[Array, Array]:
            noise = transition.redraw(stream)
            gradient, curvature = jax.linearize(jax.grad(lambda w: transition.loss_of(w, noise)), w)
            return gradient @ curvature(gradient), gradient @ gradient

        products, squares = lax.map(along, jnp.arange(1, minibatches + 1))
        mean, error = _mean(products / squares)
        of_means = jnp.mean(products) / jnp.mean(squares)
        _, of_means_error = _mean((products - of_means * squares) / jnp.mean(squares))
        return {"": mean, "error": error, "of_means": of_means, "of_means_error": of_means_error}

    units = "loss per squared parameter"
    error = {"long_name": "standard error", "units": units}
    entries = {
        "error": error,
        "of_means": {"long_name": "batch sharpness, ratio of means", "units": units},
        "of_means_error": error,
    }
    attrs = {"long_name": "batch sharpness", "units": units, "entries": entries, "minibatches": minibatches}
    return reading(read, cost=Cost(products=2 * minibatches), **attrs)


def _mean(values: Float[Array, " n"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """A mean and its standard error."""
    return jnp.mean(values), jnp.std(values, ddof=1) / values.size**0.5
