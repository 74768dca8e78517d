"""Statistics of laminar phases: intermittency."""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from chaosjax._checks import check_count
from chaosjax.series._compiled import compiled
from chaosjax.series._embedding import checked
from chaosjax.series._estimate import first_reason, masked, not_finite
from chaosjax.series._runs import run_lengths


class Laminar(NamedTuple):
    """Laminar phases, lengths in samples; all NaN wherever `reason` is not 0 (see `REASONS`).

    `number`, `mean` (with the 95 % interval `low`, `high`), `longest` and `ccdf` are those of complete phases;
    `fraction` is the laminar part of all samples; `ccdf` entry k is the fraction of phases of 2^k samples or more.
    """

    number: Float[Array, ""]
    mean: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    longest: Float[Array, ""]
    fraction: Float[Array, ""]
    ccdf: Float[Array, " octave"]
    reason: Int[Array, ""]


@compiled
def laminar_phases(
    x: Float[Array, " n"],
    threshold: float | Float[Array, ""],
    *,
    period: int = 1,
    reference: float | Float[Array, ""] | None = None,
    min_length: int = 1,
) -> Laminar:
    r"""Measure the quiet phases of a series that is interrupted by bursts.

    Sample t is laminar where it nearly repeats itself, or stays near a `reference`:

    .. math:: |x_{t+p} - x_t| < \mathtt{threshold} \quad\text{or}\quad |x_t - \mathtt{reference}| < \mathtt{threshold}

    A phase is a maximal run of at least `min_length` such samples. One that touches either end of x is incomplete
    and not counted, which favours short phases unless they are all much shorter than x. How the mean length and its
    distribution scale with the distance ε from the onset tells the kinds of intermittency apart: mean ∝ ε^(−1/2)
    with a longest phase (type I), ∝ 1/ε with an exponential tail (III), and length^(−3/2) (on-off).

    The interval of the mean is the normal one of independent phases, NaN below two; the mean of none is NaN.

    Args:
        x: the series.
        threshold: in units of x, an array to vary it under vmap.
        period: p, the period of the laminar orbit in samples; not used with a `reference`.
        reference: in units of x, the value near which a laminar series stays.
        min_length: the shortest run that counts as a phase, in samples.

    Returns:
        `Laminar`. Reasons: "not finite".

    Raises:
        ValueError: a `period` or `min_length` below 1, or a series not longer than `period` + 1.

    Cost: O(n).

    Source: Pomeau, Manneville, Commun. Math. Phys. 74 (1980) 189; Heagy, Platt, Hammel, Phys. Rev. E 49 (1994) 1140.
    """
    x, _ = checked(x, 1, 1)
    check_count("period", period, 1, x.size - 2, "the length of the series less two")
    check_count("min_length", min_length)
    deviation = x[period:] - x[:-period] if reference is None else x - reference
    quiet = jnp.abs(deviation) < threshold
    lengths = run_lengths(quiet)
    index = jnp.arange(quiet.size)
    complete = (index < quiet.size - 1) & (index - lengths >= 0) & (lengths >= min_length)
    lengths = jnp.where(complete, lengths, 0)

    number = jnp.sum(complete).astype(x.dtype)
    mean = jnp.sum(lengths) / number
    variance = jnp.sum(jnp.where(complete, (lengths - mean) ** 2, 0.0)) / (number - 1)
    margin = 1.96 * jnp.sqrt(variance / number)
    octaves = 2 ** jnp.arange(math.ceil(math.log2(x.size)))
    ccdf = jnp.sum(lengths[None] >= octaves[:, None], axis=1) / number
    measures = (number, mean, mean - margin, mean + margin, jnp.max(lengths), jnp.mean(quiet, dtype=x.dtype), ccdf)
    return masked(Laminar(*(measure.astype(x.dtype) for measure in measures), reason=first_reason(not_finite(x))))
