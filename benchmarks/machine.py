"""What the machine can do at best: the floor under every other figure."""

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from worker import serve

REPEATS = 5

jax.config.update("jax_enable_x64", True)


def matmul(dtype: str, size: int) -> dict:
    """Peak of a square matrix product in FLOP/s: the better of XLA and, on a CPU, NumPy's BLAS."""
    a = np.random.default_rng(0).normal(size=(size, size)).astype(dtype)
    b, product = jnp.asarray(a), jax.jit(jnp.matmul)
    libraries = {"XLA": lambda: jax.block_until_ready(product(b, b))}
    if jax.default_backend() == "cpu":
        libraries["NumPy"] = lambda: a @ a
    flops = {name: 2 * size**3 / _seconds(run) for name, run in libraries.items()}
    best = max(flops, key=lambda name: flops[name])
    return {"flops": flops[best], "library": best}


def bandwidth(size: int) -> dict:
    """Bytes per second of ``a + 2 b`` over float64 vectors far larger than any cache: two read, one written."""
    a, b = jnp.ones(size), jnp.ones(size)
    triad = jax.jit(lambda a, b: a + 2 * b)
    return {"bytes": 3 * 8 * size / _seconds(lambda: jax.block_until_ready(triad(a, b)))}


def function(name: str, dtype: str, size: int) -> dict:
    """Calls per second of a function of one variable by XLA, on vectors that stay in cache, of all cores at work."""
    apply = {"tanh": jnp.tanh, "exp": jnp.exp, "log": jnp.log, "logistic": jax.nn.sigmoid}[name]
    turns, n = 32, cores()
    x = jnp.linspace(0.5, 1.5, size, dtype=dtype)
    # scaled on the way, so that no turn ends in infinities or is left out
    repeated = jax.jit(lambda x: jax.lax.fori_loop(0, turns, lambda i, y: apply(0.25 * y + x), x))
    with ThreadPoolExecutor(n) as pool:
        seconds = _seconds(lambda: list(pool.map(lambda _: jax.block_until_ready(repeated(x)), range(n))))
    return {"calls": n * turns * size / seconds}


def cores() -> int:
    """Cores that this process may use; an accelerator is one."""
    return len(os.sched_getaffinity(0)) if jax.default_backend() == "cpu" and hasattr(os, "sched_getaffinity") else 1


def describe() -> dict:
    """The processor, the accelerator and the system, in words."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    device = jax.local_devices()[0]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "accelerator": None if device.platform == "cpu" else device.device_kind,
    }


def _seconds(run) -> float:
    run()
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begun)
    return min(taken)


if __name__ == "__main__":
    serve(matmul, bandwidth, function, describe)
