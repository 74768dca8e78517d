"""Settings that the questions share."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from chaosjax import stats
from chaosjax._checks import check_count
from chaosjax._jumps import jumps
from chaosjax._precision import working_dtype
from chaosjax._system import System, phase


def seeds_of(theta: Mapping[str, Any], seeds: int) -> dict[str, Any]:
    """Return the axes of a sweep over seeds 0, 1, … at one choice of the control parameters.

    Raises:
        ValueError: `seeds` is no positive integer, or an entry of `theta` is no number.
    """
    seeds = check_count("seeds", seeds)
    if "seed" in theta:
        raise ValueError("theta: 'seed' is no control parameter here; give seeds, how many of them: 0, 1, …")
    for name, value in theta.items():
        if np.ndim(value):
            raise ValueError(f"theta: '{name}' is {value!r}, one number is allowed; ask once per value, or use sweep")
    return {**{name: [value] for name, value in theta.items()}, "seed": np.arange(seeds)}


def default_radius(radius: float | None) -> float:
    """Return the radius of perturbed copies: 1e-8 in float64 and 1e-5 in float32, where None is given."""
    if radius is not None:
        if not radius > 0:
            raise ValueError(f"radius={radius!r} must be above 0: copies that are not perturbed do not part")
        return radius
    return 1e-8 if working_dtype() == np.float64 else 1e-5


def opposed(tangent: xr.DataArray, copies: xr.DataArray, level: float) -> xr.DataArray:
    """Where the intervals of both exponents lie on opposite sides of the level; everywhere if there is no tangent."""
    (known, tangent_low, tangent_high), (copied, copies_low, copies_high) = stats.bounds(tangent), stats.bounds(copies)
    apart = ((tangent_low > level) & (copies_high <= level)) | ((copies_low > level) & (tangent_high <= level))
    return apart if known.notnull().any() else copied.notnull()


def jumps_of(system: System, theta: Mapping[str, float]) -> tuple[str, ...]:
    """Return the operations of the step that jump, which a tangent does not see; defaults of `theta` are filled in."""
    key = jax.random.key(0)
    every = {**{name: value for name, value in (system.theta or {}).items() if value is not None}, **theta}
    x, noise = system.init(key, every), system.noise(key, jnp.int32(0))
    u, chart = phase(x)
    return jumps(lambda u: phase(system.step(chart(u), every, noise))[0], u)
