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

GRADIENTS = {"steps": 1.0, "tangents": 2.0, "products": 2.0, "losses": 0.5}
"""What a step, a tangent product, a Hessian-vector product and a loss cost, in gradients."""

SIDE_BY_SIDE, SMALL_SECONDS = 64, 2e-3
"""So many networks are timed side by side where one step of one takes less than this: together they are faster."""


def forecast(sweep: Mapping[str, Any], long_seconds: float = LONG_SECONDS) -> float:
    """Time a step and say, on standard error, how long all of them will take if that is long.

    ``seconds = step · cells · (steps + 2 tangents + 2 products + losses / 2)``, by the probes' declared cost.

    Args:
        sweep: the arguments of `chaosjax.sweep`.

    Returns:
        the seconds.
    """
    system, axes = sweep["system"], sweep["axes"]
    theta = {name: value for name, value in (system.theta or {}).items() if value is not None}
    theta |= {name: float(np.median(values)) for name, values in axes.items() if name != "seed"}
    key = jax.random.key(0)
    noise = system.noise(key, jnp.int32(0))

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
    steps, stride = sweep["steps"], sweep.get("stride", 1)
    weights = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(lambda: system.params(system.init(key, theta)))))
    total = {"steps": steps, "tangents": 0, "products": 0, "losses": 0}
    for probe in sweep["probes"].values():
        total = {kind: total[kind] + count for kind, count in probe.cost.of_run(steps, stride, weights).items()}
    members = sum(GRADIENTS[kind] * count for kind, count in total.items()) / steps
    cells = prod(len(values) for values in axes.values())
    seconds = one * members * cells * steps
    if seconds > long_seconds:
        print(
            f"about {words(seconds)}: {cells:,} cells × {sweep['steps']:,} steps × {members:.3g} gradients of "
            f"{1e3 * one:.3g} ms on {jax.local_devices()[0].device_kind}. Ctrl-C stops it, and the same command "
            "with the same folder goes on",
            file=sys.stderr,
        )
    return seconds


def words(seconds: float) -> str:
    """Seconds as hours, or minutes."""
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.0f} min"
