"""The loss around a phase point: along directions, in planes, and on the way to another one."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._eigenpairs import eigenpairs
from chaosjax._system import Loss, System, Theta
from chaosjax.curvature._operators import hessian, parameters


class Path(NamedTuple):
    """The loss on the straight way between two networks.

    Attributes:
        fractions: s from 0 to 1.
        losses: ``L((1 − s) a + s b)``.
        barrier: ``max_s [L((1 − s) a + s b) − (1 − s) L(a) − s L(b)]`` over these s, at least 0; NaN with a loss.
    """

    fractions: Float[Array, " n"]
    losses: Float[Array, " n"]
    barrier: Float[Array, ""]


class Valley(NamedTuple):
    """Whether a point lies in a valley or on a saddle, by the smallest eigenvalue of the Hessian.

    Attributes:
        smallest: Ritz value: the smallest eigenvalue is not above it.
        residual: an eigenvalue lies within it of `smallest`.
        sharpness: the largest eigenvalue, of the same search.
        gradient: ‖∇L‖. Where it is not small the point is not stationary, and `saddle` says that the slope it lies on
            curves downwards.
        saddle: a direction of negative curvature is known, ``smallest < −tolerance · ‖H‖``.
        valley: none is there down to that: ``smallest − residual ≥ −2 · tolerance · ‖H‖``, and none was missed. Where
            both are false it is not known.
        products: Hessian-vector products used.
    """

    smallest: Float[Array, ""]
    residual: Float[Array, ""]
    sharpness: Float[Array, ""]
    gradient: Float[Array, ""]
    saddle: Bool[Array, ""]
    valley: Bool[Array, ""]
    products: Int[Array, ""]


def along(
    system: System,
    x: PyTree,
    theta: Theta,
    directions: Float[Array | np.ndarray, "k p"],
    distances: Float[Array | np.ndarray, " n"],
    *,
    side_by_side: int = 16,
) -> Float[Array, "k n"]:
    """The loss on lines through a phase point: ``L(w + s_j d_i)``, over all training samples.

    Directions are taken as they are: eigenvectors (`eigenpairs`), or Lyapunov vectors in the phase space, whose part in
    the parameters ``system.params`` picks, have length 1, random ones may have any.

    Args:
        directions: rows d_i over the raveled parameters.
        distances: s_j, in units of the directions' length.
        side_by_side: losses computed in one batched call.

    Raises:
        ValueError: the system has no loss.

    Cost: one loss per value.
    """
    loss_at = _loss_at(system, x, theta)
    w, _ = parameters(system, x)
    directions, distances = jnp.asarray(directions, w.dtype), jnp.asarray(distances, w.dtype)
    count = jnp.arange(directions.shape[0] * distances.size)

    def one(i: Int[Array, ""]) -> Float[Array, ""]:
        return loss_at(w + distances[i % distances.size] * directions[i // distances.size])

    return lax.map(one, count, batch_size=side_by_side).reshape(-1, distances.size)


def plane(
    system: System,
    x: PyTree,
    theta: Theta,
    directions: Float[Array | np.ndarray, "2 p"],
    first: Float[Array | np.ndarray, " n"],
    second: Float[Array | np.ndarray, " m"],
    *,
    side_by_side: int = 16,
) -> Float[Array, "n m"]:
    """The loss in a plane through a phase point: ``L(w + a_i d_1 + b_j d_2)``, over all training samples.

    Args:
        directions: two rows over the raveled parameters.
        first: a_i.
        second: b_j.
        side_by_side: losses computed in one batched call.

    Raises:
        ValueError: the system has no loss.

    Cost: one loss per value.

    Source: Li, Xu, Taylor, Studer, Goldstein, NeurIPS 2018, arXiv:1712.09913.
    """
    loss_at = _loss_at(system, x, theta)
    w, _ = parameters(system, x)
    directions, first, second = (jnp.asarray(part, w.dtype) for part in (directions, first, second))

    def one(i: Int[Array, ""]) -> Float[Array, ""]:
        return loss_at(w + first[i // second.size] * directions[0] + second[i % second.size] * directions[1])

    found = lax.map(one, jnp.arange(first.size * second.size), batch_size=side_by_side)
    return found.reshape(first.size, second.size)


def interpolation(
    system: System, a: PyTree, b: PyTree, theta: Theta, points: int = 25, *, side_by_side: int = 16
) -> Path:
    """The loss on the straight way from the parameters of one phase point to those of another, and its barrier.

    Two copies that trained from nearly the same start have no barrier between them while they are in one valley. Other
    networks may differ by the order of their hidden units alone: `aligned` takes that out first.

    Args:
        a: gives all but the parameters: optimizer state, running averages.
        b: another phase point of the same system.
        points: losses, both ends included.
        side_by_side: losses computed in one batched call.

    Raises:
        ValueError: fewer than 3 points, or the system has no loss.

    Cost: one loss per point.

    Source: Frankle, Dziugaite, Roy, Carbin, ICML 2020, arXiv:1912.05671 (barrier); Goodfellow, Vinyals, Saxe, ICLR
        2015, arXiv:1412.6544.
    """
    points = check_count("points", points, 3, what="the ends and at least one between")
    loss_at = _loss_at(system, a, theta)
    here, there = parameters(system, a)[0], parameters(system, b)[0]
    s = jnp.linspace(0, 1, points, dtype=here.dtype)
    losses = lax.map(lambda s: loss_at((1 - s) * here + s * there), s, batch_size=side_by_side)
    above = losses - (1 - s) * losses[0] - s * losses[-1]
    return Path(s, losses, jnp.max(above.at[0].set(0.0).at[-1].set(0.0)) + 0 * jnp.sum(losses))


def valley(
    system: System,
    x: PyTree,
    theta: Theta,
    key: PRNGKeyArray,
    *,
    tolerance: float = 1e-3,
    max_products: int = 100,
) -> Valley:
    """Saddle or valley: the sign of the Hessian's smallest eigenvalue at a phase point, as far as it can be known.

    A Ritz value is not below the smallest eigenvalue, so a negative one proves negative curvature. That there is none
    takes a search that is certified to have missed nothing (`eigenpairs`).

    Args:
        key: of the search's random directions.
        tolerance: relative to ‖H‖: curvature that counts as 0, and the largest residual.
        max_products: largest number of products.

    Raises:
        ValueError: the system has no loss.

    Cost: 20 to 60 Hessian-vector products where the bottom of the spectrum is not apart from the rest.
    """
    w, _ = parameters(system, x)
    rows = min(4, w.size)
    start = jax.random.normal(key, (rows, w.size), w.dtype)
    k = 1 if w.size > 1 else 0
    pairs = eigenpairs(
        hessian(system, x, theta), start, k, 1, tolerance=tolerance, max_products=max(max_products, rows), key=key
    )
    smallest, residual = pairs.values[-1], pairs.residuals[-1]
    scale = tolerance * jnp.max(jnp.abs(pairs.values))
    gradient = jnp.linalg.norm(jax.grad(_loss_at(system, x, theta))(w))
    return Valley(
        smallest=smallest,
        residual=residual,
        sharpness=pairs.values[0],
        gradient=gradient,
        saddle=smallest < -scale,
        valley=pairs.certified & (smallest >= -scale) & (smallest - residual >= -2 * scale),
        products=pairs.products,
    )


def _loss_at(system: System, x: PyTree, theta: Theta):
    loss: Loss | None = system.loss
    if loss is None:
        raise ValueError("curvature: this System has no loss; give System(loss=...)")
    _, chart = parameters(system, x)
    return lambda w: loss(chart(w), theta, None)
