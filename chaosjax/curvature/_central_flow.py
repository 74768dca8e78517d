"""The central flow: the smooth path that gradient descent oscillates around at the edge of stability."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._eigenpairs import eigenpairs
from chaosjax._linalg import unbatched
from chaosjax._system import Loss, Reading, System, Theta, alike, no_noise
from chaosjax.curvature._operators import hessian, parameters
from chaosjax.curvature._self_stabilisation import gradient, second

_ITERATIONS = 200
"""Steps of the projected gradient for Σ of more than one direction."""

_AUDIT = 10
"""After so many steps the search for eigenvectors is made anew, for what the block has not followed."""

_NEAR = 0.99
"""An eigenvalue above this part of 2/η and not among those that are followed makes the prediction void."""


class CentralFlow(NamedTuple):
    """The phase point of a central flow.

    Attributes:
        x: a phase point of the training; only its parameters move.
        vectors: the k leading eigenvectors of the Hessian.
        values: their eigenvalues.
        covariance: Σ, of the oscillation along them.
        next: the eigenvalue after them.
        block: where the next search for eigenvectors starts.
        certified: that search has missed none.
        steps: of the solver, so far.
    """

    x: PyTree
    vectors: Float[Array, "k p"]
    values: Float[Array, " k"]
    covariance: Float[Array, "k k"]
    next: Float[Array, ""]
    block: Float[Array, "b p"]
    certified: Bool[Array, ""]
    steps: Int[Array, ""]


def central_flow(
    system: System, k: int = 1, *, substeps: int = 4, tolerance: float = 1e-3, max_products: int = 60
) -> System:
    """The central flow of full-batch gradient descent, as a system of its own: a step of it is one of the descent's.

        ``dw/dt = −η [∇L + ½ ∇⟨Σ, H⟩]``

    with Σ ⪰ 0 the covariance of the oscillation in the span U of the k leading eigenvectors, the smallest that keeps
    ``UᵀHU ⪯ 2/η``: ``Σ ⪰ 0, d(UᵀHU)/dt ⪯ 0, ⟨Σ, d(UᵀHU)/dt⟩ = 0`` at the edge, 0 below it. For one direction
    ``σ² = 2⟨−∇L, ∇S⟩ / ‖∇S‖²``. Below the edge it is the gradient flow. Sweep it over the axes of the descent, beside
    it, with any probes that need no tangent.

    Metrics, beside those of the training at w: ``predicted_loss``, the time average ``L(w) + ½⟨Σ, UᵀHU⟩`` (at the edge
    ``L + tr Σ/η``); ``predicted_sharpness``; ``predicted_variance``, tr Σ. All three are NaN while an eigenvalue that
    is not among the k is within 1 % of 2/η or above it (take a larger k), or the eigenvectors are not certified.

    Args:
        system: training by plain gradient descent on all samples (``training(problem, optax.sgd)``). Its optimizer is
            not looked at: η is theta's ``learning_rate``.
        k: number of directions that may reach the edge.
        substeps: solver steps per step. Within one, Σ and U are kept, and the flow is solved by Heun's method.
        tolerance: of the eigenvectors, as in `eigenpairs`.
        max_products: largest number of Hessian-vector products per solver step.

    Returns:
        The system; its phase point is a `CentralFlow`. Its tangent map is of no meaning.

    Raises:
        ValueError: the system has no loss or no control parameter ``learning_rate``; substeps or k below 1.

    Cost: per solver step some 5 + 5k(k+5)/2 gradients and 3 to 20 products, two gradients each: 150 to 250 gradients
        per step of the descent for k = 1 and 4 substeps.

    Source: Cohen, Damian, Talwalkar, Kolter, Lee, ICLR 2025, arXiv:2410.24206.
    """
    k, substeps = check_count("k", k), check_count("substeps", substeps)
    if system.loss is None or system.theta is None or "learning_rate" not in system.theta:
        raise ValueError("central_flow: needs a System with a loss and a learning_rate: training(problem, optax.sgd)")
    loss, h = system.loss, 1.0 / substeps

    def located(x: PyTree, block: Array, certified: Array, steps: Array, theta: Theta) -> CentralFlow:
        """Find the eigenvectors at x and solve for Σ."""
        w, _ = parameters(system, x)
        eta = jnp.asarray(theta["learning_rate"], w.dtype)
        rows = min(len(block), w.size)
        pairs = eigenpairs(
            hessian(system, x, theta),
            block[:rows],
            min(k + 1, w.size),
            tolerance=tolerance,
            max_products=max_products,
            trusted=certified & (steps % (_AUDIT * substeps) != 0),
            key=jax.random.fold_in(jax.random.key(0), steps),
        )
        U, values = pairs.vectors[:k], pairs.values
        descent = gradient(system, x, theta)
        slopes = jax.vmap(lambda u: jax.vmap(lambda v: second(descent, w, u, v))(U))(U)
        room = jnp.diag(2 / eta - values[:k]) / (eta * h)
        push = -jnp.einsum("ijp,p->ij", slopes, descent(w)) - room
        covariance = _covariance(slopes, push)
        following = values[k] if values.size > k else -jnp.asarray(jnp.inf, w.dtype)
        block = block.at[:rows].set(pairs.block)
        return CentralFlow(x, U, values[:k], covariance, following, block, pairs.certified, steps)

    def init(key: PRNGKeyArray, theta: Theta) -> CentralFlow:
        x = system.init(key, theta)
        w, _ = parameters(system, x)
        start = jax.random.normal(key, (k + 2, w.size), w.dtype)
        return located(x, start, jnp.bool_(False), jnp.int32(0), theta)

    def substep(state: CentralFlow, theta: Theta) -> CentralFlow:
        w, chart = parameters(system, state.x)
        eta = jnp.asarray(theta["learning_rate"], w.dtype)
        descent, U = gradient(system, state.x, theta), state.vectors

        def field(w: Float[Array, " p"]) -> Float[Array, " p"]:
            turned = state.covariance @ U
            oscillation = jnp.sum(jax.vmap(lambda u, v: second(descent, w, u, v))(U, turned), axis=0)
            return -eta * (descent(w) + 0.5 * oscillation)

        first = field(w)
        w = w + 0.5 * h * (first + field(w + h * first))
        return located(chart(w), state.block, state.certified, state.steps + 1, theta)

    def step(state: CentralFlow, theta: Theta, noise: Any) -> CentralFlow:
        return lax.fori_loop(0, substeps, lambda _, state: alike(substep(state, theta), state), state)

    attrs = {"optimizer": "central flow of gradient descent", "directions": k, "substeps": substeps}
    return _along(system, loss)._replace(init=init, step=step, attrs={**system.attrs, **attrs})


def _along(system: System, loss: Loss) -> System:
    """What a system reads at its phase points, read along a flow, and the flow's predictions."""
    outputs, fit = system.outputs, system.fit
    return system._replace(
        noise=no_noise,
        loss=lambda state, theta, noise: loss(state.x, theta, noise),
        params=lambda state: system.params(state.x),
        metrics=_metrics(system, loss),
        outputs=outputs and (lambda state, theta: outputs(state.x, theta)),
        descent=None,
        fit=fit and fit._replace(outputs=lambda state, theta, noise: fit.outputs(state.x, theta, noise)),
    )


def _metrics(system: System, loss: Loss) -> dict[str, Reading]:
    """Those of the training, and the predictions, NaN where too few directions are followed."""

    def metric(read: Reading) -> Reading:
        def known(state: CentralFlow, theta: Theta) -> Float[Array, ""]:
            void = ~state.certified | (state.next > _NEAR * 2 / theta["learning_rate"])
            return jnp.where(void, jnp.nan, read(state, theta))

        return known

    def average(state: CentralFlow, theta: Theta) -> Float[Array, ""]:
        return loss(state.x, theta, None) + 0.5 * jnp.sum(jnp.diagonal(state.covariance) * state.values)

    inner = {name: lambda state, theta, read=read: read(state.x, theta) for name, read in system.metrics.items()}
    return {
        **inner,
        "predicted_loss": metric(average),
        "predicted_sharpness": metric(lambda state, theta: state.values[0]),
        "predicted_variance": metric(lambda state, theta: jnp.trace(state.covariance)),
    }


def _covariance(slopes: Float[Array, "k k p"], push: Float[Array, "k k"]) -> Float[Array, "k k"]:
    """The Σ ⪰ 0 that minimises ``½⟨Σ, A Σ⟩ − ⟨push, Σ⟩``, ``(A Σ)_ij = ½ ∇H_ij · Σ_kl Σ_kl ∇H_kl``.

    Its conditions are those of the flow: Σ ⪰ 0, A Σ − push ⪰ 0, and their inner product 0.
    """
    k = len(push)
    flat = slopes.reshape(k * k, -1)
    A = 0.5 * flat @ flat.T
    size = jnp.trace(A)
    if k == 1:
        return jnp.maximum(push, 0.0) / jnp.where(size > 0, size, jnp.inf)
    rate = 1 / jnp.where(size > 0, size, jnp.inf)

    def iterate(_: Int[Array, ""], search: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        found, ahead, weight = search
        new = _semidefinite(ahead - rate * ((A @ ahead.ravel()).reshape(k, k) - push))
        restarted = jnp.sum((ahead - new) * (new - found)) > 0
        following = jnp.where(restarted, 1.0, (1 + jnp.sqrt(1 + 4 * weight**2)) / 2)
        momentum = jnp.where(restarted, 0.0, (weight - 1) / following)
        return new, new + momentum * (new - found), following

    zero = jnp.zeros_like(push)
    return lax.fori_loop(0, _ITERATIONS, iterate, (zero, zero, jnp.ones((), push.dtype)))[0]


def _semidefinite(matrix: Float[Array, "k k"]) -> Float[Array, "k k"]:
    """The nearest positive semi-definite matrix."""
    values, vectors = unbatched(jnp.linalg.eigh)((matrix + matrix.T) / 2)
    return (vectors * jnp.maximum(values, 0.0)[None]) @ vectors.T
