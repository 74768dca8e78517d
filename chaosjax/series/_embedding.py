"""Delay embedding, and the Theiler window of a series."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from chaosjax._checks import check_count


def embed(x: Float[Array, " n"], dimension: int, delay: int = 1) -> Float[Array, "points dimension"]:
    r"""Return the delay vectors of a scalar series.

    .. math:: y_i = (x_i, x_{i+τ}, …, x_{i+(m-1)τ}), \quad i = 0 … n - 1 - (m - 1) τ

    Args:
        x: the series.
        dimension: m.
        delay: τ, in samples.

    Raises:
        ValueError: a dimension or delay below 1, or an embedding longer than the series.

    Source: Takens, Lecture Notes in Mathematics 898 (1981) 366.
    """
    x, points = checked(x, dimension, delay)
    return jnp.stack([x[j * delay : j * delay + points] for j in range(dimension)], axis=1)


def mean_period(x: Float[Array, " n"]) -> Float[Array, ""]:
    r"""Return the mean period of a series in samples, the inverse of its power spectrum's mean frequency.

    .. math:: 1/\bar f, \quad \bar f = \sum_{f > 0} f |\hat x(f)|² \Big/ \sum_{f > 0} |\hat x(f)|²

    It is 4 for white noise, 3 to 4 for chaotic maps, the period of a periodic signal, of the order of the length
    for a drift, and NaN for a constant. Neighbours closer in time than that are neighbours along one stretch of the
    orbit.

    Cost: O(n log n), by FFT.

    Source: Rosenstein, Collins, De Luca, Physica D 65 (1993) 117.
    """
    power = jnp.abs(jnp.fft.rfft(x - jnp.mean(x))[1:]) ** 2
    frequency = jnp.asarray(jnp.fft.rfftfreq(x.size)[1:], power.dtype)
    return jnp.sum(power) / jnp.sum(power * frequency)


def theiler_window(x: Float[Array, " n"], theiler: int | None) -> Float[Array, ""]:
    """The window asked for, or the mean period rounded up."""
    if theiler is None:
        return jnp.ceil(mean_period(x))
    if isinstance(theiler, int):
        check_count("theiler", theiler, 0, what="or None for the mean period")
    return jnp.asarray(theiler, x.dtype)


def as_floats(x: Float[Array, " n"]) -> Float[Array, " n"]:
    """The series in single precision or better, also from integers or a numpy array."""
    x = jnp.asarray(x)
    return x.astype(jnp.promote_types(x.dtype, jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) else float)


def checked(
    x: Float[Array, " n"], dimension: int, delay: int, ahead: int = 0, least: int = 1
) -> tuple[Float[Array, " n"], int]:
    """The series as floats, and the number of its delay vectors that have `ahead` more samples after them.

    Raises:
        ValueError: not a series, a dimension or delay below 1, or fewer than `least` such vectors.
    """
    if jnp.ndim(x) != 1:
        raise ValueError(f"x has shape {jnp.shape(x)}; it must be one series [n], use vmap or series.apply for several")
    check_count("dimension", dimension)
    check_count("delay", delay)
    x = as_floats(x)
    points = x.size - (dimension - 1) * delay - ahead
    if points < least:
        raise ValueError(
            f"x has {x.size} samples; dimension={dimension}, delay={delay} and {ahead} steps ahead need at least "
            f"{x.size - points + least}: give a longer series or a smaller embedding or horizon"
        )
    return x, points
