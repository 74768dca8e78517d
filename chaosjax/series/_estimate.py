"""What every estimator of a scalar series returns, and why it has no value."""

from typing import Any, NamedTuple, TypeVar

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

Cause = tuple[Bool[Array, ""], str]
"""Whether a cause holds, and its name in `REASONS`."""

Record = TypeVar("Record")

_CODES = {name: code for code, name in REASONS.items()}

_ROUNDING = 64
"""Units in the last place by which a converged iteration still jitters."""


class Estimate(NamedTuple):
    """A value with its 95 % interval, all three NaN wherever `reason` is not 0 (see `REASONS`)."""

    value: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    reason: Int[Array, ""]


def estimate(value: Float[Array, ""], low: Float[Array, ""], high: Float[Array, ""], *causes: Cause) -> Estimate:
    """Return the `Estimate`, NaN with the first cause that holds; NaN without a cause is "not finite"."""
    return masked(Estimate(value, low, high, first_reason(*causes, (~jnp.isfinite(value), "not finite"))))


def masked(record: Record) -> Record:
    """Return a named tuple of arrays with NaN in each field but `reason`, wherever `reason` is not 0."""
    fields: Any = record
    reason = fields.reason
    return fields._make(part if part is reason else jnp.where(reason == 0, part, jnp.nan) for part in fields)


def first_reason(*causes: Cause) -> Int[Array, ""]:
    """Return the code of the first cause that holds, 0 where none does."""
    reason = jnp.int32(0)
    for holds, name in reversed(causes):
        reason = jnp.where(holds, jnp.int32(_CODES[name]), reason)
    return reason


def causes(x: Float[Array, " n"]) -> tuple[Cause, Cause]:
    """Return the causes for which no indicator of x is defined: it is not finite, or constant.

    A series is constant when its range is rounding: a converged iteration that flickers in the last bits would
    otherwise be measured as noise.
    """
    return not_finite(x), (is_constant(x), "constant")


def not_finite(x: Float[Array, " n"]) -> Cause:
    return ~jnp.isfinite(x).all(), "not finite"


def is_constant(x: Float[Array, " n"]) -> Bool[Array, ""]:
    """Whether the range of x is at most 64 units in the last place of its largest value."""
    return jnp.max(x) - jnp.min(x) <= _ROUNDING * jnp.finfo(x.dtype).eps * jnp.max(jnp.abs(x))
