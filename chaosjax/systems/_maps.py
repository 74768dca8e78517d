"""Maps of the textbooks, with the exponents they are known to have."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from chaosjax._checks import check_count
from chaosjax._system import System, Theta
from chaosjax.systems._reference import Reference


def logistic(r: float = 4.0) -> System:
    """The logistic map ``x' = r x (1 − x)`` on [0, 1].

    Its attractor is a fixed point for 1 < r < 3, doubles its period at 3 and 1 + √6, has period 3 from 1 + √8, and
    at r = 4 the map is conjugate to the tent map of slope 2: the exponent is ln 2.

    Args:
        r: default of the control parameter ``r``.

    Source: May, Nature 261 (1976) 459; Ulam, von Neumann, Bull. Amer. Math. Soc. 53 (1947) 1120.
    """

    def step(x: Float[Array, ""], theta: Theta, noise: None) -> Float[Array, ""]:
        return theta["r"] * x * (1 - x)

    return System(_in_box(0.1, 0.9), step, theta={"r": r}, attrs={"system": "logistic"})


def tent(slope: float = 1.9999) -> System:
    """The tent map ``x' = slope · min(x, 1 − x)`` on [0, 1]; its exponent is ln slope on every orbit.

    At slope 2 each step shifts one bit out of the mantissa, and every floating-point orbit is exactly 0 after
    some 50 steps: the tangent still grows by ln 2, but distances and series are no longer the map's. The default
    lies just below, where products round and orbits last; its exponent is 5e-5 below ln 2.

    Args:
        slope: default of the control parameter ``slope``, between 1 and 2.
    """

    def step(x: Float[Array, ""], theta: Theta, noise: None) -> Float[Array, ""]:
        return theta["slope"] * jnp.where(x < 0.5, x, 1 - x)

    return System(_in_box(0.1, 0.9), step, theta={"slope": slope}, attrs={"system": "tent"})


def henon(a: float = 1.4, b: float = 0.3) -> System:
    """The Hénon map ``x' = 1 − a x² + y, y' = b x``; its exponents sum to ln |b|.

    Args:
        a: default of the control parameter ``a``.
        b: default of the control parameter ``b``.

    Source: Hénon, Commun. Math. Phys. 50 (1976) 69.
    """

    def step(point: Float[Array, " 2"], theta: Theta, noise: None) -> Float[Array, " 2"]:
        x, y = point
        return jnp.stack([1 - theta["a"] * x**2 + y, theta["b"] * x])

    return System(_in_box(-0.1, 0.1, 2), step, theta={"a": a, "b": b}, attrs={"system": "henon"})


def standard_map(k: float = 1.0) -> System:
    """The standard map ``p' = p + k sin x, x' = x + p'`` (mod 2π), area preserving.

    Orbits start beside the hyperbolic fixed point at the origin, which lies in the connected chaotic sea. At
    k = 1 the sea is barely connected, and orbits stick for long near islands and behind broken tori: exponents
    over 10⁶ steps still scatter by a quarter, those over the first 10⁵ are a fifth too large on average, and 1 %
    takes some 10⁹ steps. Orbits that start uniformly over the torus, islands left out, have the sea's exponent as
    their mean over any time, for its invariant measure is area: 1 % then takes 2·10⁸ steps in all. For large k the
    exponent tends to ln(k/2), and orbits mix within a few steps.

    Args:
        k: default of the control parameter ``k``.

    Source: Chirikov, Phys. Rep. 52 (1979) 263.
    """

    def step(point: Float[Array, " 2"], theta: Theta, noise: None) -> Float[Array, " 2"]:
        x, p = point
        p = p + theta["k"] * jnp.sin(x)
        return jnp.mod(jnp.stack([x + p, p]), 2 * jnp.pi)

    return System(_in_box(0.0, 0.1, 2), step, theta={"k": k}, attrs={"system": "standard_map"})


def cat() -> System:
    """Arnold's cat ``x' = 2x + y, y' = x + y`` (mod 1); its exponents are ±ln((3 + √5)/2) on every orbit.

    Source: Arnold, Avez, Problèmes ergodiques de la mécanique classique (1967).
    """

    def step(point: Float[Array, " 2"], theta: Theta, noise: None) -> Float[Array, " 2"]:
        x, y = point
        return jnp.mod(jnp.stack([2 * x + y, x + y]), 1.0)

    return System(_in_box(0.0, 1.0, 2), step, theta={}, attrs={"system": "cat"})


def doubling_lattice(sites: int = 8, coupling: float = 0.1) -> System:
    """A ring of doubling maps f(x) = 2x mod 1 with diffusive coupling e; see `doubling_lattice_exponents`.

    ``x'_i = (1 − e) f(x_i) + (e/2) (f(x_{i−1}) + f(x_{i+1}))``. The tangent map is the same circulant matrix
    everywhere, so the exponents are exact whatever the orbit does. And it does collapse to 0 within some 50
    steps, as each step shifts a bit out of the mantissa, without coupling (e = 0) and where the coupling
    synchronises the sites; else the coupling's products round and orbits last.

    Args:
        sites: number of maps N, at least 3.
        coupling: default of the control parameter ``coupling``, e between 0 and 1.

    Raises:
        ValueError: fewer than 3 sites.

    Source: Kaneko, Prog. Theor. Phys. 72 (1984) 480.
    """
    sites = check_count("sites", sites, 3, what="a ring of neighbours")

    def step(x: Float[Array, " sites"], theta: Theta, noise: None) -> Float[Array, " sites"]:
        e = theta["coupling"]
        doubled = jnp.mod(2 * x, 1.0)
        return (1 - e) * doubled + e / 2 * (jnp.roll(doubled, 1) + jnp.roll(doubled, -1))

    attrs = {"system": "doubling_lattice", "sites": sites}
    return System(_in_box(0.0, 1.0, sites), step, theta={"coupling": coupling}, attrs=attrs)


def doubling_lattice_exponents(sites: int, coupling: float) -> tuple[float, ...]:
    """The exact spectrum ``ln |2 (1 − e + e cos 2πk/N)|``, k = 0 … N − 1, in nats per step, largest first.

    Args:
        sites: number of maps N.
        coupling: e.
    """
    waves = (math.cos(2 * math.pi * k / sites) for k in range(sites))
    factors = (abs(2 * (1 - coupling + coupling * wave)) for wave in waves)
    return tuple(sorted((math.log(factor) if factor else -math.inf for factor in factors), reverse=True))


def _in_box(low: float, high: float, *shape: int):
    def init(key: PRNGKeyArray, theta: Theta) -> Float[Array, "..."]:
        return jax.random.uniform(key, shape, minval=low, maxval=high)

    return init


_LATTICE = doubling_lattice_exponents(8, 0.1)
_CAT = math.log((3 + math.sqrt(5)) / 2)

REFERENCES = {
    "logistic": Reference(logistic, (math.log(2),), True, "conjugate to the tent map of slope 2"),
    "tent": Reference(tent, (math.log(1.9999),), True, "constant slope"),
    "henon": Reference(
        henon,
        (0.41922, -1.62319),
        False,
        "Sprott, Chaos and Time-Series Analysis (2003), appendix A",
        sum=math.log(0.3),
        kaplan_yorke=1.25827,
    ),
    "standard_map": Reference(
        standard_map, (0.10497, -0.10497), False, "Sprott, Chaos and Time-Series Analysis (2003), appendix A", sum=0.0
    ),
    "cat": Reference(cat, (_CAT, -_CAT), True, "constant tangent map", sum=0.0),
    "doubling_lattice": Reference(doubling_lattice, _LATTICE, True, "circulant tangent map", sum=math.fsum(_LATTICE)),
}
"""Records of the maps at their default control parameters, by name."""
