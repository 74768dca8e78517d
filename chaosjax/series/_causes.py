"""Why a series has no indicator, whichever it is."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

_ROUNDING = 64
"""Units in the last place by which a converged iteration still jitters."""


def causes(x: Float[Array, " n"]) -> tuple[tuple[Bool[Array, ""], str], ...]:
    """The causes (holds, name in `REASONS`) for which no indicator of x is defined.

    A series is constant when its range is rounding: a converged iteration that flickers in the last bits would
    otherwise be measured as noise.
    """
    return (~jnp.isfinite(x).all(), "not finite"), (is_constant(x), "constant")


def is_constant(x: Float[Array, " n"]) -> Bool[Array, ""]:
    """Whether the range of x is at most 64 units in the last place of its largest value."""
    return jnp.max(x) - jnp.min(x) <= _ROUNDING * jnp.finfo(x.dtype).eps * jnp.max(jnp.abs(x))
