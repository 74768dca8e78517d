"""Counter-based minibatches: indices as a pure function of key and time."""

from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int, PRNGKeyArray, UInt32

from chaosjax._checks import check_count
from chaosjax._system import no_noise

_ROUNDS = 8


@runtime_checkable
class Draw(Protocol):
    """Sample indices of step t, or None for all samples; a pure function of key and t."""

    def __call__(self, key: PRNGKeyArray, t: Int[Array, ""], /) -> Int[Array, " b"] | None: ...


def minibatches(samples: int | None, batch_size: int | None, replacement: bool = False) -> Draw:
    """Draw minibatches: the same key and t give the same indices ``[batch_size]``, in any order of asking.

    Without replacement, step t is entry ``t mod n`` of the permutation of epoch ``t // n``, n = samples // batch_size.

    Args:
        samples: number of training samples.
        batch_size: samples per step; None stands for all of them, without a draw.
        replacement: draw each minibatch anew, from all samples.

    Raises:
        ValueError: the batch size is not between 1 and the number of samples.
    """
    if batch_size is None:
        return no_noise
    if samples is None:
        raise ValueError(f"batch_size={batch_size!r}, but the problem names no number of samples; set it, or take None")
    check_count("batch_size", batch_size, 1, samples, "the number of training samples")
    if replacement:
        return lambda key, t: jax.random.randint(jax.random.fold_in(key, t), (batch_size,), 0, samples)
    steps_per_epoch = samples // batch_size

    def draw(key: PRNGKeyArray, t: Array) -> Int[Array, " b"]:
        places = (t % steps_per_epoch) * batch_size + jnp.arange(batch_size)
        return permuted(jax.random.fold_in(key, t // steps_per_epoch), places, samples)

    return draw


def permuted(key: PRNGKeyArray, places: Int[Array, " b"], size: int) -> Int[Array, " b"]:
    """Return the entries at `places` of a random permutation of ``0 … size − 1``, without making the rest of it.

    A Feistel network permutes the next power of four; values outside the range walk on along their cycle until they
    fall inside, which permutes the range.

    Cost: O(b), whatever the size; sorting 60,000 keys for each minibatch would cost more than the step.

    Source: Black, Rogaway, Ciphers with arbitrary finite domains, CT-RSA 2002.
    """
    half = max(1, -(-(size - 1).bit_length() // 2))
    mask = jnp.uint32(2**half - 1)
    keys = jax.random.bits(key, (_ROUNDS,), jnp.uint32)

    def once(value: UInt32[Array, " b"]) -> UInt32[Array, " b"]:
        left, right = value >> half, value & mask
        for round_key in keys:
            left, right = right, left ^ (_mixed(right ^ round_key) & mask)
        return (left << half) | right

    def walk(value: UInt32[Array, " b"]) -> UInt32[Array, " b"]:
        return jnp.where(value < size, value, once(value))

    value = lax.while_loop(lambda value: jnp.any(value >= size), walk, once(places.astype(jnp.uint32)))
    return value.astype(jnp.int32)


def _mixed(value: UInt32[Array, " b"]) -> UInt32[Array, " b"]:
    """MurmurHash3's finaliser: every input bit moves every output bit."""
    value = (value ^ (value >> 16)) * jnp.uint32(0x85EBCA6B)
    value = (value ^ (value >> 13)) * jnp.uint32(0xC2B2AE35)
    return value ^ (value >> 16)
