"""Period detection."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from chaosjax._checks import check_count
from chaosjax.series._compiled import compiled
from chaosjax.series._embedding import checked
from chaosjax.series._estimate import first_reason, is_constant, masked, not_finite


class Period(NamedTuple):
    """The period in samples: 1 a fixed point, 0 no period found; NaN wherever `reason` is not 0 (see `REASONS`)."""

    value: Float[Array, ""]
    reason: Int[Array, ""]


@compiled
def period(x: Float[Array, " n"], max_period: int = 64, *, tail: float = 0.5, tolerance: float = 1e-3) -> Period:
    r"""Find the period of the orbit on which a series ends.

    .. math:: \min \{ p : \max_{t} |x_t - x_{s(t)}| \le \mathtt{tolerance} \cdot (\max x - \min x) \}

    over the last `tail` (a fraction) of x, where s(t) is the sample of the last p with the phase of t. Every cycle
    is compared with the last one, not with the next, so that drift and the near returns of a quasi-periodic
    series do not pass for periods. p = 1 (a fixed point) is a range of mere rounding (64 units in the last place).

    0 says that no p ≤ `max_period` fits: the tail may be chaotic, quasi-periodic, noisy, or still converging. With
    noise of relative size σ take a tolerance of about 10 σ.

    Args:
        x: the series.
        max_period: the longest period looked for, in samples.
        tail: the part of the series, at its end, that is looked at.
        tolerance: of a repetition, relative to the range of that part.

    Returns:
        The period in samples. Reasons: "not finite".

    Raises:
        ValueError: arguments out of range, or a tail shorter than three times `max_period`.

    Cost: n · `max_period` comparisons, memory O(n).
    """
    check_count("max_period", max_period)
    if not 0 < tail <= 1 or not 0 < tolerance < 1:
        raise ValueError(f"need 0 < tail <= 1 and 0 < tolerance < 1, got tail={tail} and tolerance={tolerance}")
    x, _ = checked(x, 1, 1)
    size = int(tail * x.size)
    if size < 3 * max_period:
        raise ValueError(
            f"max_period={max_period} needs a tail of {3 * max_period} samples, got {size} of {x.size}; "
            "lower max_period or raise tail"
        )
    end = x[x.size - size :]
    scale = jnp.max(end) - jnp.min(end)
    back = jnp.arange(size - 1, -1, -1)

    def repeats(p: Int[Array, ""]) -> Bool[Array, ""]:
        last_cycle = size - 1 - back % p
        return jnp.max(jnp.abs(end - end[last_cycle])) <= tolerance * scale

    fits = lax.map(repeats, jnp.arange(1, max_period + 1)) | is_constant(end)
    value = jnp.where(fits.any(), 1 + jnp.argmax(fits), 0).astype(x.dtype)
    return masked(Period(value, first_reason(not_finite(x))))
