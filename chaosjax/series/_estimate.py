"""What every estimator from a scalar series returns."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int

REASONS: dict[int, str] = {
    0: "",
    1: "too short",
    2: "constant",
    3: "not finite",
    4: "no scaling region",
    5: "too few neighbours",
    6: "no saturation",
}
"""Why an estimate is NaN, by the code in its `reason`."""

_CODES = {name: code for code, name in REASONS.items()}


class Estimate(NamedTuple):
    """A value with its 95 % interval, all three NaN wherever `reason` is not 0 (see `REASONS`)."""

    value: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    reason: Int[Array, ""]


def first_reason(*causes: tuple[Bool[Array, ""], str]) -> Int[Array, ""]:
    """Return the code of the first cause that holds, 0 where none does; each cause is (holds, name in `REASONS`)."""
    reason = jnp.int32(0)
    for holds, name in reversed(causes):
        reason = jnp.where(holds, jnp.int32(_CODES[name]), reason)
    return reason


def estimate(
    value: Float[Array, ""], low: Float[Array, ""], high: Float[Array, ""], *causes: tuple[Bool[Array, ""], str]
) -> Estimate:
    """Return the `Estimate`, NaN with the first cause that holds; NaN without a cause is "not finite"."""
    reason = first_reason(*causes, (~jnp.isfinite(value), "not finite"))
    value, low, high = (jnp.where(reason == 0, part, jnp.nan) for part in (value, low, high))
    return Estimate(value, low, high, reason)
