"""Series whose nature is known, for the tests of their indicators."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

KEY = jax.random.key(0)
GOLDEN = (np.sqrt(5) - 1) / 2


@partial(jax.jit, static_argnums=(0, 2))
def logistic(n, r, skip=1000, x0=0.3):
    def step(x, _):
        x = r * x * (1 - x)
        return x, x

    return jax.lax.scan(step, jnp.asarray(x0, float), None, length=n + skip)[1][skip:]


@partial(jax.jit, static_argnums=(1, 2))
def autoregressive(key, n, phi):
    noise = jax.random.normal(key, (n + 200,))
    return jax.lax.scan(lambda x, e: (phi * x + e,) * 2, 0.0, noise)[1][200:]


def lorenz(n, dt=0.02):
    def field(u):
        x, y, z = u
        return jnp.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    def step(u, _):
        k1 = field(u)
        k2 = field(u + dt / 2 * k1)
        k3 = field(u + dt / 2 * k2)
        k4 = field(u + dt * k3)
        u = u + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return u, u[0]

    return jax.jit(lambda u: jax.lax.scan(step, u, None, length=n + 2000)[1][2000:])(jnp.ones(3))


def circle(n):
    return jnp.asarray(np.cos(2 * np.pi * GOLDEN * np.arange(n)))


def white(n, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(n))


def asymmetry(x):
    """Skewness of the increments: 0 for every series that looks the same reversed in time."""
    d = x[1:] - x[:-1]
    return jnp.mean(d**3) / jnp.mean(d**2) ** 1.5
