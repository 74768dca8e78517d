"""Counter-based minibatches: indices as a pure function of key and time."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int, PRNGKeyArray, UInt32

from chaosjax._system import no_noise

_ROUNDS = 8


def minibatches(
    samples: int | None, batch_size: int | None, replacement: bool = False
) -> Callable[[PRNGKeyArray, Array], Int[Array, " b"] | None]:
    """Minibatch indices ``(key, t) -> [batch_size]``: the same key and t give the same indices, in any order of asking.

    Without replacement, step t is entry ``t mod n`` of the permutation of epoch ``t // n``, n = samples // batch_size.

    Raises:
        ValueError: for a batch size that is not between 1 and the number of samples.
    """
    if batch_size is None:
        return no_noise
    if samples is None or batch_size != int(batch_size) or not 1 <= batch_size <= samples:
        raise ValueError(f"batch_size={batch_size!r} must be between 1 and the number of training samples, {samples}")
    if replacement:
        return lambda key, t: jax.random.randint(jax.random.fold_in(key, t), (batch_size,), 0, samples)
    steps_an_epoch = samples // batch_size

    def draw(key: PRNGKeyArray, t: Array) -> Int[Array, " b"]:
        places = (t % steps_an_epoch) * batch_size + jnp.arange(batch_size)
        return permuted(jax.random.fold_in(key, t // steps_an_epoch), places, samples)

    return draw


def permuted(key: PRNGKeyArray, places: Int[Array, " b"], size: int) -> Int[Array, " b"]:
    """The entries at `places` of a random permutation of ``0 … size − 1``, without making the rest of it.

    A Feistel network permutes the next power of four; values outside the range walk on along their cycle until they
    fall inside, which permutes the range. Sorting 60,000 keys for each minibatch would cost more than the step.

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
