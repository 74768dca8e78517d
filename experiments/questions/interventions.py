"""Gradient descent with its chaos interfered with: two rates in two subspaces, noise, and rates that switch."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

import chaosjax as cj
from experiments._carrying import carrying

MEMORY = 0.5
"""Of the exponential mean of a frame vector's growth, per step."""

EXPANDING = 0.05
"""Nats per step from which a direction counts fully as expanding; it counts in proportion below, not at all below 0."""

BASES = ("expanding", "random", "sharpest")
"""The leading directions of the tangent map, random ones, and those of the largest Hessian eigenvalues."""

ARMS = (
    ("chaotic", "expanding", "chaotic", "chaotic"),
    ("calm", "expanding", "calm", "calm"),
    *((f"{basis}: out", basis, "chaotic", "nothing") for basis in BASES),
    *((f"{basis}: calm", basis, "chaotic", "calm") for basis in BASES),
    *((f"{basis}: alone chaotic", basis, "calm", "chaotic") for basis in BASES),
)
"""Name, the basis of the subspace, and the learning rates outside and inside of it."""

NOISES = (("none", 0.0, 0.0), ("any direction", 1.0, 0.0), ("own leading directions", 0.0, 1.0))
"""Name, and how much noise there is in all directions and along the run's own leading tangent directions."""

ORDERS = (
    ("chaotic", "chaotic", "chaotic", "chaotic"),
    ("calm", "calm", "calm", "calm"),
    ("chaotic, then calm", "chaotic", "calm", "calm"),
    ("calm, then chaotic", "calm", "chaotic", "chaotic"),
    ("chaos interrupted", "chaotic", "calm", "chaotic"),
    ("a burst of chaos", "calm", "chaotic", "calm"),
)
"""Name, and the learning rates before the first loss, between the two, and after."""


class Tangent(NamedTuple):
    """Orthonormal tangent vectors in rows, and the mean growth of each in nats per step."""

    vectors: Float[Array, "k d"]
    growth: Float[Array, " k"]


class Split(NamedTuple):
    """A phase point with the frames that its update is split by.

    Attributes:
        perturbation: a unit tangent vector of the intervened map, the subspace held as it is.
        grown: what it has grown by, in nats.
    """

    point: PyTree
    expanding: Tangent
    random: Float[Array, "k d"]
    sharpest: Float[Array, "m d"]
    perturbation: Float[Array, " d"]
    grown: Float[Array, ""]


class Shaken(NamedTuple):
    """A phase point under noise, its own frame, and beside it the chaotic run whose expanding part sets the size."""

    point: PyTree
    own: Tangent
    chaotic: PyTree
    expanding: Tangent
    key: PRNGKeyArray


class Switched(NamedTuple):
    """A phase point, and how many of the losses at which the learning rate changes have been passed."""

    point: PyTree
    passed: Float[Array, ""]


def two_rates(system: cj.System, calm: float, k: int) -> cj.System:
    """Gradient descent with one rate in a moving subspace and another outside, ``w ← w − η_out (1 − P) g − η_in P g``.

    ``P = Σ_i a_i q_i q_iᵀ`` over k directions. Those of "expanding" are the leading tangent vectors of the plain map at
    the chaotic rate, ``Q ← orth((1 − ηH) Q)``; a_i is the mean growth of q_i over `EXPANDING`, clipped to [0, 1]. The
    controls have as many directions and the same a_i: fixed random ones, and the eigenvectors of the largest
    eigenvalues, ``C ← orth((1 + ηH) C)``, two vectors more than are used.

    Control parameters: ``learning_rate`` is the chaotic rate, ``arm`` a place in `ARMS`.

    Args:
        system: training by gradient descent, full batch.
        calm: the calm rate.
        k: number of directions.

    `grown` is the growth of a perturbation of the weights under the subspace of the unperturbed run.

    Cost: 2k + 3 Hessian-vector products more per step.
    """
    outer, inner = (jnp.array([("nothing", "calm", "chaotic").index(arm[place]) for arm in ARMS]) for place in (2, 3))
    places = jnp.array([BASES.index(arm[1]) for arm in ARMS])

    def init(key: PRNGKeyArray, theta: Any) -> Split:
        point = system.init(key, theta)
        counts = (k, k, k + 2, 1)
        expanding, random, sharpest, perturbation = (
            _random(point, jax.random.fold_in(key, i), count) for i, count in enumerate(counts)
        )
        zeros = jnp.zeros(k, expanding.dtype)
        return Split(point, Tangent(expanding, zeros), random, sharpest, perturbation[0], zeros[0])

    def step(x: Split, theta: Any, noise: Any) -> Split:
        eta, arm = theta["learning_rate"], theta["arm"].astype(int)
        u, chart, gradient, curvature = _linearized(system, x.point, theta)
        basis = jnp.stack([x.expanding.vectors, x.random, x.sharpest[:k]])[places[arm]]
        rates = jnp.stack([jnp.zeros_like(eta), jnp.full_like(eta, theta["calm_rate"]), eta])

        def answer(gradient: Array) -> Array:
            along = (counted(x.expanding) * (basis @ gradient)) @ basis
            return rates[outer[arm]] * (gradient - along) + rates[inner[arm]] * along

        rows = jnp.concatenate([x.expanding.vectors, x.sharpest, x.perturbation[None]])
        bent = jax.vmap(curvature)(rows)
        sharpest, _ = cj.tangent.orthonormalise(x.sharpest + eta * bent[k:-1])
        perturbation = x.perturbation - answer(bent[-1])
        length = jnp.linalg.norm(perturbation)
        return Split(
            chart(u - answer(gradient)),
            _pushed(x.expanding, bent[:k], eta),
            x.random,
            sharpest,
            perturbation / length,
            x.grown + jnp.log(length),
        )

    return carrying(
        system, init, step, {"learning_rate": None, "arm": 0.0, "calm_rate": calm}, intervention=f"two rates, k={k}"
    )


def shaken(system: cj.System, calm: float, k: int) -> cj.System:
    """Calm gradient descent with noise as large as the part of a chaotic run's update along its expanding directions.

    ``w ← w − η_calm g(w) + s n``, n a unit vector, random at every step: of any direction, or in the span of the run's
    own k leading tangent vectors. ``s = η |Σ_i a_i q_i q_iᵀ g|`` at the same time in the run at the chaotic rate from
    the same initial weights.

    Control parameters: ``learning_rate`` is the chaotic rate, ``arm`` a place in `NOISES`.

    Cost: one gradient and 2k Hessian-vector products more per step.
    """
    anywhere, along = (jnp.array([arm[place] for arm in NOISES]) for place in (1, 2))

    def init(key: PRNGKeyArray, theta: Any) -> Shaken:
        point = system.init(key, theta)
        first = Tangent(_random(point, jax.random.fold_in(key, 1), k), jnp.zeros(k, cj.phase(point)[0].dtype))
        return Shaken(point, first, point, first, jax.random.fold_in(key, 2))

    def step(x: Shaken, theta: Any, noise: Any) -> Shaken:
        eta, arm = theta["learning_rate"], theta["arm"].astype(int)
        u, chart, gradient, curvature = _linearized(system, x.point, theta)
        v, _, beside, bent = _linearized(system, x.chaotic, theta)
        key, one, two = jax.random.split(x.key, 3)
        size = eta * jnp.linalg.norm(counted(x.expanding) * (x.expanding.vectors @ beside))
        kicks = anywhere[arm] * cj.tangent.orthonormalise(jax.random.normal(one, (1, u.size), u.dtype))[0][0]
        kicks += along[arm] * cj.tangent.orthonormalise(jax.random.normal(two, (1, k), u.dtype))[0][0] @ x.own.vectors
        moved = u - theta["calm_rate"] * gradient + jnp.where(arm == 0, 0.0, size) * kicks
        own = _pushed(x.own, jax.vmap(curvature)(x.own.vectors), theta["calm_rate"])
        expanding = _pushed(x.expanding, jax.vmap(bent)(x.expanding.vectors), eta)
        return Shaken(chart(moved), own, chart(v - eta * beside), expanding, key)

    return carrying(
        system, init, step, {"learning_rate": None, "arm": 0.0, "calm_rate": calm}, intervention=f"noise, k={k}"
    )


def switched(system: cj.System, calm: float, losses: tuple[float, float]) -> cj.System:
    """Training whose learning rate changes when the loss first falls to `losses[0]`, and again at `losses[1]`.

    Control parameters: ``learning_rate`` is the chaotic rate, ``arm`` a place in `ORDERS`.

    Cost: one loss more per step.
    """
    is_chaotic = jnp.array([[rate == "chaotic" for rate in rates] for _, *rates in ORDERS])

    def init(key: PRNGKeyArray, theta: Any) -> Switched:
        point = system.init(key, {"learning_rate": theta["learning_rate"]})
        return Switched(point, jnp.zeros((), cj.phase(point)[0].dtype))

    def step(x: Switched, theta: Any, noise: Any) -> Switched:
        assert system.loss is not None
        loss = system.loss(x.point, {}, None)
        passed = jnp.maximum(x.passed, sum(1.0 * (loss <= level) for level in losses))
        chaotic = is_chaotic[theta["arm"].astype(int), passed.astype(int)]
        rate = jnp.where(chaotic, theta["learning_rate"], theta["calm_rate"])
        return Switched(system.step(x.point, {"learning_rate": rate}, noise), passed)

    theta = {"learning_rate": None, "arm": 0.0, "calm_rate": calm}
    return carrying(system, init, step, theta, intervention="rates that switch at losses {}, {}".format(*losses))


def counted(frame: Tangent) -> Float[Array, " k"]:
    """How much each direction counts as expanding, from 0 to 1."""
    return jnp.clip(frame.growth / EXPANDING, 0.0, 1.0)


def _pushed(frame: Tangent, bent: Float[Array, "k d"], eta: Array) -> Tangent:
    """The frame one step of plain gradient descent on; `bent`: the Hessian's products with its vectors."""
    vectors, growth = cj.tangent.orthonormalise(frame.vectors - eta * bent)
    return Tangent(vectors, MEMORY * frame.growth + (1 - MEMORY) * growth)


def _linearized(system: cj.System, point: PyTree, theta: Any) -> tuple[Array, Any, Array, Any]:
    u, chart = cj.phase(point)
    loss = system.loss
    assert loss is not None
    gradient, curvature = jax.linearize(jax.grad(lambda u: loss(chart(u), theta, None)), u)
    return u, chart, gradient, curvature


def _random(point: PyTree, key: PRNGKeyArray, k: int) -> Float[Array, "k d"]:
    u, _ = cj.phase(point)
    return cj.tangent.orthonormalise(jax.random.normal(key, (k, u.size), u.dtype))[0]
