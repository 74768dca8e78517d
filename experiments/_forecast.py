"""How long a sweep will take, said before it starts."""

import sys
import time
from collections.abc import Mapping
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

LONG_SECONDS = 900.0
"""A forecast below this is not worth a word."""

TANGENT = 2.0
"""What a tangent product costs, in gradients."""

SIDE_BY_SIDE, SMALL_SECONDS = 64, 2e-3
"""So many networks are timed side by side where one step of one takes less than this: together they are faster."""


def forecast(sweep: Mapping[str, Any], long_seconds: float = LONG_SECONDS) -> float:
    """Time a step and say, on standard error, how long all of them will take if that is long.

    ``seconds = step · cells · steps · (1 + copies + 2 k)``, without what other probes cost.

    Args:
        sweep: the arguments of `chaosjax.sweep`.

    Returns:
        the seconds.
    """
    system, axes = sweep["system"], sweep["axes"]
    theta = {name: value for name, value in (system.theta or {}).items() if value is not None}
    theta |= {name: float(np.median(values)) for name, values in axes.items() if name != "seed"}
    noise = system.noise(jax.random.key(0), jnp.int32(0))

    def timed(count: int) -> float:
        keys = jax.random.split(jax.random.key(0), count)
        x = jax.jit(jax.vmap(lambda key: system.init(key, theta)))(keys)
        step = jax.jit(jax.vmap(lambda x: system.step(x, theta, noise)))
        x, times = jax.block_until_ready(step(x)), []
        for _ in range(3):
            begun = time.perf_counter()
            jax.block_until_ready(step(x))
            times.append((time.perf_counter() - begun) / count)
        return min(times)

    one = timed(1)
    one = timed(SIDE_BY_SIDE) if one < SMALL_SECONDS else one
    members = 1 + sum(p.attrs.get("copies", 0) + TANGENT * p.attrs.get("k", 0) for p in sweep["probes"].values())
    cells = prod(len(values) for values in axes.values())
    seconds = one * members * cells * sweep["steps"]
    if seconds > long_seconds:
        print(
            f"about {words(seconds)}: {cells:,} cells × {sweep['steps']:,} steps × {members:g} gradients of "
            f"{1e3 * one:.3g} ms on {jax.local_devices()[0].device_kind}. Ctrl-C stops it, and the same command "
            "with the same folder goes on",
            file=sys.stderr,
        )
    return seconds


def words(seconds: float) -> str:
    """Seconds as hours, or minutes."""
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.0f} min"
