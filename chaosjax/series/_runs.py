"""Runs of consecutive true entries."""

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Int


def run_lengths(flag: Bool[Array, " n"]) -> Int[Array, " n"]:
    """Return the length of each run of true entries at its last entry, 0 at all others."""
    index = jnp.arange(flag.size, dtype=jnp.int32)
    last_false = lax.cummax(jnp.where(flag, jnp.int32(-1), index))
    ends = flag & ~jnp.append(flag[1:], False)
    return jnp.where(ends, index - last_false, 0)
