"""From curvature to chaos: what a tangent vector's growth is made of."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._probe import Cost, Probe, delayed
from chaosjax._spectral_parts import spectrum_of
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition
from chaosjax.probes._eigenvectors import Followed, Wanted, follow, unfollowed
from chaosjax.probes._lyapunov import reported, undelayed

_SAME = 1e-3
"""Largest relative difference between the tangent map and I − ηH that counts as none."""

_ENTRIES = {
    "": "tangent growth since the last record",
    "sharp": "growth along curvature above the threshold",
    "calm": "growth along curvature from 0 to the threshold",
    "negative": "growth along negative curvature",
    "state": "growth along the optimizer's state",
    "unresolved": "growth whose part is uncertain",
    "available_sharp": "growth of a vector that stays sharpest",
    "available_negative": "growth of a vector that stays on the most negative curvature",
    "turning": "growth lost against a vector that stays where expansion is largest",
}


@runtime_checkable
class Threshold(Protocol):
    """The curvature above which a step overshoots, of the control parameters."""

    def __call__(self, theta: Theta, /) -> Any: ...


class Split(NamedTuple):
    """The frame, the Hessian's extreme eigenvectors, and what has come together since the last record."""

    frame: Any
    extremes: Followed
    growth: dict[str, Float[Array, ""]]
    converged: Bool[Array, ""]


def growth_split(
    *,
    start: int = 0,
    reseed: int | None = None,
    products: int = 16,
    turning: bool = True,
    threshold: Threshold | None = None,
    tolerance: float = 1e-3,
    max_products: int = 50,
) -> Probe:
    """Split a tangent vector's growth by the curvature that it comes from.

    With v the unit tangent vector of `lyapunov`, J the step's tangent map and ``v = Σ_P v_P`` its parts, the growth of
    a step is ``g = ln‖J v‖ = Σ_P g_P``,

        ``g_P = g X_P / X,   X_P = ⟨(J − 1) v_P, (J + 1) v⟩,   X = Σ_P X_P = ‖J v‖² − 1``.

    The parts of v in the parameters are its projections on the Hessian's eigenvectors with ``λ > 2/η`` (sharp), ``0 ≤ λ
    ≤ 2/η`` (calm) and ``λ < 0`` (negative); the rest is the optimizer's state. For gradient descent, ``J = 1 − ηH``,
    ``X_P = Σ_{i∈P} c_i² ((1 − ηλ_i)² − 1)`` with ``c_i`` the part of v along eigenvector i: sharp and negative parts
    never lower the growth, the calm part never raises it. No eigenvectors are computed: n Lanczos steps from v resolve
    its spectral measure. Since ``X_P`` goes to 0 at both bounds, few are enough; the sum is exact for any n.

    For gradient descent also the growth of a vector that is always where expansion is largest: ``Σ ln⁺ ‖1 − ηH‖``, as
    ``_available_sharp`` where ``|1 − ηλ_max|`` is the larger of both ends, ``_available_negative`` where ``|1 −
    ηλ_min|`` is. ``_turning = g − both`` is what is lost because eigenvectors turn (or because expansion moves from one
    end to the other): 0 for a vector that has aligned with eigenvectors that stay.

    Records, in nats since the last record: (the probe's name) g; ``_sharp``, ``_calm``, ``_negative``, ``_state``,
    whose sum is g; ``_unresolved``, by how much the parts change when a quarter of the Lanczos steps is left out: an
    estimate of their error, no bound. With `turning` ``_available_sharp``, ``_available_negative`` and ``_turning``,
    whose sum is g, NaN where J is not 1 − ηH; ``_converged``: both ends of the spectrum were, at every step. With
    `reseed` also ``_known``, as `lyapunov`.

    For other optimizers the parts hold by the same equation, with all that the step makes of ``v_P``: with minibatches,
    the noise of their Hessian; with a preconditioner, λ is not preconditioned, so that `threshold` bounds no expansion.

    In float32 parts are right to some 1e-4 nats per step, their sum to 1e-6 (`tests/test_growth_split.py`).

    Args:
        start, reseed: of the frame, as in `lyapunov`.
        products: n, Lanczos steps from v; the number of parameters makes the parts exact.
        turning: also the second split.
        threshold: of λ, from the control parameters; ``2 / learning_rate`` by default.
        tolerance, max_products: of the extreme eigenvalues, as in `sharpness`.

    Raises:
        ValueError: for products below 3, a system without a loss, or one without a ``learning_rate`` and no
            `threshold`.

    Cost: n products and 6 Jacobian-vector products per step, with `turning` 2 to 6 products more. Memory:
    (n + 2·max_products)·d.

    Source: the split of a logarithm in proportion to additive parts is the logarithmic mean Divisia index (Ang, Energy
    Policy 32 (2004) 1131); Gauss quadrature by Lanczos: Golub, Meurant (1994).
    """
    products = check_count("products", products, least=3, what="Lanczos steps from the tangent vector")
    frame = undelayed(start=start, reseed=reseed)
    pushed: Any = frame.update
    wanted = Wanted(1, 1, tolerance, max_products)
    summed = [name for name in _ENTRIES if turning or name not in ("available_sharp", "available_negative", "turning")]

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Split:
        zero = jnp.zeros((), phase(x)[0].dtype)
        extremes = unfollowed(jax.random.fold_in(key, 0), x, wanted)
        return Split(frame.init(key, x, theta), extremes, dict.fromkeys(summed, zero), jnp.bool_(True))

    def update(m: Split, transition: Transition) -> Split:
        v = reported(m.frame)[0]
        sharpest = _threshold(threshold, transition.theta, v.dtype)
        found, is_descent = _parts(transition, v, sharpest, products)
        extremes, converged = m.extremes, m.converged
        if turning:
            extremes, pairs = follow(extremes, transition, transition.hvp, wanted)
            found |= _against_the_largest(found[""], pairs.values, sharpest, is_descent)
            converged &= jnp.all(pairs.converged)
        growth = {name: m.growth[name] + found[name] for name in summed}
        return Split(pushed(m.frame, transition), extremes, growth, converged)

    def emit(m: Split, transition: Transition) -> tuple[Split, dict[str, Array]]:
        memory, framed = frame.emit(m.frame, transition)
        record = dict(m.growth)
        record |= {"converged": m.converged} if turning else {}
        record |= {"known": framed["known"][0]} if reseed is not None else {}
        return Split(memory, m.extremes, jax.tree.map(jnp.zeros_like, m.growth), jnp.ones_like(m.converged)), record

    entries = {name: {"long_name": label} for name, label in _ENTRIES.items()}
    entries["converged"] = {"long_name": "extreme eigenvalues within tolerance, none missed", "units": "1"}
    entries["known"] = {"long_name": "the frame could know its growth", "units": "1"}
    attrs = {"long_name": _ENTRIES[""], "units": "nats", "products": products, "entries": entries}
    attrs |= {"reseed_steps": reseed} if reseed is not None else {}
    cost = Cost(tangents=6, products_per_step=products + turning * max_products)
    return delayed(start, Probe(init, update, emit, attrs=attrs, cost=cost))


def _threshold(threshold: Threshold | None, theta: Theta, dtype: Any) -> Float[Array, ""]:
    if threshold is not None:
        return jnp.asarray(threshold(theta), dtype)
    if "learning_rate" not in theta:
        raise ValueError("growth_split: there is no learning_rate to make 2 / learning_rate of: give a threshold")
    return 2 / jnp.asarray(theta["learning_rate"], dtype)


def _parts(
    transition: Transition, v: Float[Array, " d"], sharpest: Float[Array, ""], products: int
) -> tuple[dict[str, Float[Array, ""]], Bool[Array, ""]]:
    """The growth of v and its parts, and whether the step is gradient descent with the rate 2 / sharpest."""
    w = transition.project(v)
    spectrum = spectrum_of(transition.hvp, w, products)
    sharp = jax.vmap(transition.embed)(spectrum.part(sharpest, jnp.inf))
    negative = jax.vmap(transition.embed)(spectrum.part(-jnp.inf, 0.0))
    state = v - transition.embed(w)
    image = transition.push(v)
    images = transition.pushed(jnp.stack([*sharp, *negative, state]))
    X = (images - jnp.stack([*sharp, *negative, state])) @ (image + v)
    whole = (image - v) @ (image + v)
    growth = jnp.log(jnp.linalg.norm(image))
    small = jnp.abs(whole) < 1e-6
    scale = jnp.where(small, 0.5 - whole / 4, growth / jnp.where(small, 1.0, whole))
    found = {
        "": growth,
        "sharp": scale * X[0],
        "calm": growth - scale * (X[0] + X[2] + X[4]),
        "negative": scale * X[2],
        "state": scale * X[4],
        "unresolved": jnp.abs(scale) * jnp.maximum(jnp.abs(X[0] - X[1]), jnp.abs(X[2] - X[3])),
    }
    descended = v - 2 / sharpest * transition.embed(spectrum.image)
    off = jnp.linalg.norm(image - descended) / jnp.linalg.norm(image)
    return found, off <= _SAME


def _against_the_largest(
    growth: Float[Array, ""], ends: Float[Array, " 2"], sharpest: Float[Array, ""], is_descent: Bool[Array, ""]
) -> dict[str, Float[Array, ""]]:
    """The logarithm of the largest factor of ``1 − ηH`` where it is above 1, by its end, and what the growth lacks."""
    top, bottom = jnp.abs(1 - 2 * ends / sharpest)
    sharp = jnp.where(top >= bottom, jnp.maximum(jnp.log(top), 0.0), 0.0)
    negative = jnp.where(top < bottom, jnp.maximum(jnp.log(bottom), 0.0), 0.0)
    found = {"available_sharp": sharp, "available_negative": negative, "turning": growth - sharp - negative}
    return {name: jnp.where(is_descent, value, jnp.nan) for name, value in found.items()}
