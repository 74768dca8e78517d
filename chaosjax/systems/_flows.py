"""Flows of vector fields, as maps over one time step: the textbooks' own and any other."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol, runtime_checkable

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._system import System, Theta
from chaosjax.systems._reference import Reference


@runtime_checkable
class Field(Protocol):
    """A vector field, dx/dt at x: x holds floats alone, and dx/dt has its structure and shapes."""

    def __call__(self, x: PyTree, theta: Theta, /) -> PyTree: ...


@runtime_checkable
class Start(Protocol):
    """The first phase point."""

    def __call__(self, key: PRNGKeyArray, theta: Theta, /) -> PyTree: ...


RK4 = diffrax.ButcherTableau(
    c=np.array([1 / 2, 1 / 2, 1.0]),
    a_lower=(np.array([1 / 2]), np.array([0.0, 1 / 2]), np.array([0.0, 0.0, 1.0])),
    b_sol=np.array([1 / 6, 1 / 3, 1 / 3, 1 / 6]),
    b_error=np.zeros(4),
)
"""The classic Runge–Kutta method of order 4, which diffrax leaves out."""


def flow(
    field: Field,
    time_step: float,
    init: Start,
    *,
    theta: Mapping[str, float | None] | None = None,
    solver: diffrax.AbstractSolver | diffrax.ButcherTableau = diffrax.Dopri8(),  # noqa: B008 (immutable)
    substeps: int = 1,
    attrs: Mapping[str, Any] | None = None,
) -> System:
    """The flow of ``dx/dt = field(x, theta)`` as the map ``x(t) -> x(t + time_step)``, for any phase point x.

    Each step of the map is `substeps` equal steps of a Runge–Kutta method, of fixed size: the map is as smooth as
    the field, and its tangent map is the derivative of what is computed. Exponents of the map are in nats per step;
    divided by ``time_step``, which ``attrs`` carry, they are the flow's, in nats per unit time. A driven field takes
    its clock as one more coordinate.

    Args:
        field: ``(x, theta) -> dx/dt``.
        time_step: time between two phase points.
        init: ``(key, theta) -> x``.
        theta: control parameters with their defaults, as in `System`.
        solver: any explicit Runge–Kutta method of diffrax, or a tableau such as `RK4`. An implicit method would map
            x to whichever root its solver finds.
        substeps: steps of the solver in one of the map.
        attrs: plain values that say what the system is.

    Raises:
        ValueError: a time step that is not positive and finite, substeps below 1, a solver that is no explicit
            Runge–Kutta method, and, on the first step, a field of other structure or shapes than x.

    Cost: stages · substeps evaluations of the field per step (Dopri8 has 13 stages).

    Source: Hairer, Nørsett, Wanner, Solving Ordinary Differential Equations I (1993), section II.5 (Dopri8).
    """
    if not (math.isfinite(time_step) and time_step > 0):
        raise ValueError(f"flow: time_step={time_step!r} must be positive and finite")
    substeps = check_count("substeps", substeps)
    advance = _explicit(_tableau(solver), time_step / substeps)

    def step(x: PyTree, theta: Theta, noise: None) -> PyTree:
        def velocity(x: PyTree) -> PyTree:
            return field(x, theta)

        _check_field(x, jax.eval_shape(velocity, x))
        return lax.scan(lambda x, _: (advance(velocity, x), None), x, None, substeps)[0]

    return System(init, step, theta=theta, attrs={**(attrs or {}), "time_step": float(time_step)})


def lorenz(sigma: float = 10.0, rho: float = 28.0, beta: float = 8 / 3, time_step: float = 0.02) -> System:
    """The Lorenz flow ``dx/dt = σ(y − x), dy/dt = x(ρ − z) − y, dz/dt = xy − βz``, of divergence −(σ + 1 + β).

    Args:
        sigma: default of the control parameter ``sigma``, σ.
        rho: default of the control parameter ``rho``, ρ.
        beta: default of the control parameter ``beta``, β.
        time_step: time between two phase points.

    Source: Lorenz, J. Atmos. Sci. 20 (1963) 130.
    """

    def field(point: Float[Array, " 3"], theta: Theta) -> Float[Array, " 3"]:
        x, y, z = point
        return jnp.stack([theta["sigma"] * (y - x), x * (theta["rho"] - z) - y, x * y - theta["beta"] * z])

    theta = {"sigma": sigma, "rho": rho, "beta": beta}
    init = _around((0.0, 0.0, rho - 1), (10.0, 10.0, 10.0))
    return flow(field, time_step, init, theta=theta, attrs={"system": "lorenz"})


def rossler(a: float = 0.2, b: float = 0.2, c: float = 5.7, time_step: float = 0.05) -> System:
    """The Rössler flow ``dx/dt = −y − z, dy/dt = x + ay, dz/dt = b + z(x − c)``, of divergence a + x − c.

    Args:
        a: default of the control parameter ``a``.
        b: default of the control parameter ``b``.
        c: default of the control parameter ``c``.
        time_step: time between two phase points.

    Source: Rössler, Phys. Lett. A 57 (1976) 397.
    """

    def field(point: Float[Array, " 3"], theta: Theta) -> Float[Array, " 3"]:
        x, y, z = point
        return jnp.stack([-y - z, x + theta["a"] * y, theta["b"] + z * (x - theta["c"])])

    init = _around((0.0, 0.0, 0.0), (5.0, 5.0, 0.0))
    return flow(field, time_step, init, theta={"a": a, "b": b, "c": c}, attrs={"system": "rossler"})


def lorenz_96(sites: int = 40, forcing: float = 8.0, time_step: float = 0.05) -> System:
    """The Lorenz-96 ring ``dx_i/dt = (x_{i+1} − x_{i−2}) x_{i−1} − x_i + F``, of divergence −N.

    Args:
        sites: number of variables N, at least 4.
        forcing: default of the control parameter ``forcing``, F.
        time_step: time between two phase points.

    Raises:
        ValueError: fewer than 4 sites.

    Source: Lorenz, Predictability: a problem partly solved, ECMWF seminar (1996).
    """
    sites = check_count("sites", sites, 4, what="a ring of neighbours")

    def field(x: Float[Array, " sites"], theta: Theta) -> Float[Array, " sites"]:
        return (jnp.roll(x, -1) - jnp.roll(x, 2)) * jnp.roll(x, 1) - x + theta["forcing"]

    init = _around((2.0,) * sites, (4.0,) * sites)
    attrs = {"system": "lorenz_96", "sites": sites}
    return flow(field, time_step, init, theta={"forcing": forcing}, attrs=attrs)


Velocity = Callable[[PyTree], PyTree]
Advance = Callable[[Velocity, PyTree], PyTree]


def _tableau(solver: Any) -> diffrax.ButcherTableau:
    tableau = getattr(solver, "tableau", solver)
    if not isinstance(tableau, diffrax.ButcherTableau) or tableau.implicit:
        raise ValueError(
            f"flow: solver of type {type(solver).__name__} must be an explicit Runge–Kutta method of diffrax, such as "
            "Dopri8(), or an explicit ButcherTableau"
        )
    return tableau


def _explicit(tableau: diffrax.ButcherTableau, h: float) -> Advance:
    """diffrax's own loop over stages takes up to twice the time, and cannot be differentiated in both directions."""
    weights = np.trim_zeros(tableau.b_sol, "b")

    def moved(x: PyTree, weights: np.ndarray, slopes: PyTree) -> PyTree:
        return jax.tree.map(lambda x, ks: x + jnp.tensordot(jnp.asarray(h * weights, ks.dtype), ks, 1), x, slopes)

    def advance(velocity: Velocity, x: PyTree) -> PyTree:
        slopes = jax.tree.map(lambda k: k[None], velocity(x))
        for row in tableau.a_lower[: len(weights) - 1]:
            slope = velocity(moved(x, row, slopes))
            slopes = jax.tree.map(lambda ks, k: jnp.concatenate([ks, k[None]]), slopes, slope)
        return moved(x, weights, slopes)

    return advance


def _check_field(x: PyTree, slope: PyTree) -> None:
    def shapes(tree: PyTree) -> PyTree:
        return jax.tree.map(jnp.shape, tree)

    if jax.tree.structure(x) != jax.tree.structure(slope) or shapes(x) != shapes(slope):
        raise ValueError(
            f"flow: the field returned shapes {shapes(slope)} at a point of {shapes(x)}; return dx/dt of x"
        )


def _around(centre: tuple[float, ...], reach: tuple[float, ...]) -> Start:
    def init(key: PRNGKeyArray, theta: Theta) -> Float[Array, " n"]:
        return jnp.asarray(centre) + jnp.asarray(reach) * jax.random.uniform(key, (len(centre),), minval=-1.0)

    return init


REFERENCES = {
    "lorenz": Reference(
        lorenz,
        (0.9056, 0.0, -14.5723),
        False,
        "Sprott, Chaos and Time-Series Analysis (2003), appendix A",
        sum=-(10 + 1 + 8 / 3),
        kaplan_yorke=2.06215,
        positive=1,
        time_step=0.02,
        transient=2500,
    ),
    "lorenz_wolf": Reference(
        partial(lorenz, sigma=16.0, rho=45.92, beta=4.0),
        (1.50, 0.0, -22.46),
        False,
        "Wolf, Swift, Swinney, Vastano, Physica D 16 (1985) 285; the last, −32.4 bits, is known to ± .035",
        sum=-(16.0 + 1 + 4),
        positive=1,
        time_step=0.02,
        transient=2500,
    ),
    "rossler": Reference(
        rossler,
        (0.0714, 0.0, -5.3943),
        False,
        "Sprott, Chaos and Time-Series Analysis (2003), appendix A",
        kaplan_yorke=2.0132,
        positive=1,
        time_step=0.05,
        transient=4000,
    ),
    "lorenz_96": Reference(
        lorenz_96,
        (1.7,),
        False,
        "Lorenz, Emanuel, J. Atmos. Sci. 55 (1998) 399",
        sum=-40.0,
        kaplan_yorke=27.1,
        positive=13,
        time_step=0.05,
        transient=2000,
    ),
}
"""Records of the flows at their default control parameters, by name."""
