"""Curvature matrices over the parameters as products with a vector: Hessian, Gauss–Newton, what is between, Fisher."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from chaosjax._linalg import LinearMap
from chaosjax._system import Fit, System, Theta, phase

Samples = Int[Array, " b"] | None
"""Indices of training samples; None: all."""


@runtime_checkable
class Operator(Protocol):
    """Makes the product with a curvature matrix at a phase point."""

    def __call__(self, system: System, x: PyTree, theta: Theta, samples: Samples = None, /) -> LinearMap: ...


def parameters(system: System, x: PyTree) -> tuple[Float[Array, " p"], Callable[[Float[Array, " p"]], PyTree]]:
    """Coordinates of a phase point's parameters alone, and the way back into it.

    Returns:
        ``(w, chart)`` with ``w: [p]`` and ``chart(w) -> x``: the phase point with these parameters, all else as it was.
    """
    u, into = phase(x)

    def project(u: Float[Array, " d"]) -> Float[Array, " p"]:
        return phase(system.params(into(u)))[0]

    def embed(w: Float[Array, " p"]) -> Float[Array, " d"]:
        return jax.linear_transpose(project, u)(w)[0]

    w = project(u)
    rest = u - embed(w)
    return w, lambda w: into(rest + embed(w))


def hessian(system: System, x: PyTree, theta: Theta, samples: Samples = None) -> LinearMap:
    """``v -> H v`` with ``H = ∇²L(w)``, L the loss over all training samples or over some.

    Args:
        x: the phase point.
        theta: the control parameters.
        samples: indices of training samples; None: all.

    Raises:
        ValueError: the system has no loss.

    Cost: about two gradients per product.
    """
    loss = system.loss
    if loss is None:
        raise ValueError("curvature: this System has no loss; give System(loss=...)")
    w, chart = parameters(system, x)
    return jax.linearize(jax.grad(lambda w: loss(chart(w), theta, samples)), w)[1]


def gauss_newton(system: System, x: PyTree, theta: Theta, samples: Samples = None) -> LinearMap:
    """``v -> G v`` with ``G = (1/n) Σ_i J_iᵀ ∇²ℓ_i J_i``, J_i the Jacobian of the outputs on sample i.

    The part of the Hessian that the outputs' own curvature has no share in; positive semi-definite for convex ℓ. An
    L2 term is in the Hessian and not in G.

    Raises:
        ValueError: the system does not say how its loss comes about (`System.fit`).

    Cost: about two gradients per product.

    Source: Schraudolph, Neural Computation 14 (2002) 1723.
    """
    outputs, push, pull, fit = _linearized(system, x, theta, samples)
    curve = jax.linearize(jax.grad(lambda outputs: jnp.mean(fit.losses(outputs, samples))), outputs)[1]
    return lambda v: pull(curve(push(v)))


def residual(system: System, x: PyTree, theta: Theta, samples: Samples = None) -> LinearMap:
    """``v -> (H − G) v = (1/n) Σ_i Σ_k ∂ℓ_i/∂f_k ∇²f_k(x_i) v``, plus the L2 term: curvature of the outputs themselves.

    Raises:
        ValueError: as `hessian` and `gauss_newton`.

    Cost: about four gradients per product.
    """
    whole, part = (make(system, x, theta, samples) for make in (hessian, gauss_newton))
    return lambda v: whole(v) - part(v)


def fisher(system: System, x: PyTree, theta: Theta, samples: Samples = None) -> LinearMap:
    """``v -> F v``, F the Fisher matrix ``(1/n) Σ_i E_{y ~ p(y|x_i)} [∇ℓ_i ∇ℓ_iᵀ]`` of the network's own distribution.

    ``F = (1/n) Σ_i J_iᵀ F_i J_i`` with ``F_i = diag(p) − p pᵀ`` for logits (p their softmax) and the identity for the
    means of Gaussians of variance 1. For these it is the Gauss–Newton matrix.

    Raises:
        ValueError: the loss is not known to be minus the logarithm of a likelihood.

    Cost: about two gradients per product.

    Source: Martens, JMLR 21 (2020) 146.
    """
    outputs, push, pull, fit = _linearized(system, x, theta, samples)
    if fit.likelihood not in ("categorical", "gaussian"):
        raise ValueError(
            f"fisher: the loss has the likelihood {fit.likelihood!r}; the Fisher matrix is known for 'categorical' "
            "and 'gaussian' (cross_entropy, squared_error): take empirical_fisher or gauss_newton"
        )
    n = len(outputs)
    if fit.likelihood == "gaussian":
        return lambda v: pull(push(v) / n)
    p = jax.nn.softmax(outputs, axis=-1)

    def product(v: Float[Array, " p"]) -> Float[Array, " p"]:
        tangents = push(v)
        return pull(p * (tangents - jnp.sum(p * tangents, axis=-1, keepdims=True)) / n)

    return product


def empirical_fisher(system: System, x: PyTree, theta: Theta, samples: Samples = None) -> LinearMap:
    """``v -> F v`` with ``F = (1/n) Σ_i g_i g_iᵀ``, g_i the gradient of sample i with its own target, without L2 term.

    It is not the Fisher matrix: it vanishes where all samples are fitted. Under batch normalisation g_i holds what
    sample i does to the other samples' statistics.

    Raises:
        ValueError: the system does not say how its loss comes about (`System.fit`).

    Cost: about two gradients per product.

    Source: Kunstner, Balles, Hennig, NeurIPS 2019, arXiv:1905.12558.
    """
    outputs, push, pull, fit = _linearized(system, x, theta, samples)
    n = len(outputs)
    slopes = jax.grad(lambda outputs: jnp.sum(fit.losses(outputs, samples)))(outputs)

    def product(v: Float[Array, " p"]) -> Float[Array, " p"]:
        return pull(slopes * jnp.sum(slopes * push(v), axis=-1, keepdims=True) / n)

    return product


OPERATORS: dict[str, Operator] = {
    "hessian": hessian,
    "gauss_newton": gauss_newton,
    "residual": residual,
    "fisher": fisher,
    "empirical_fisher": empirical_fisher,
}
"""The operators by the names that `trace` and the probes of the spectrum take."""


def operator(name: str | Operator) -> Operator:
    """A curvature matrix by its name, or as it is.

    Raises:
        ValueError: for an unknown name.
    """
    if isinstance(name, str) and name not in OPERATORS:
        raise ValueError(f"operator={name!r} is not known; choose from {', '.join(OPERATORS)}, or give a function")
    return OPERATORS[name] if isinstance(name, str) else name


def _linearized(
    system: System, x: PyTree, theta: Theta, samples: Samples
) -> tuple[Float[Array, "n outputs"], Callable[[Any], Any], Callable[[Any], Any], Fit]:
    """The outputs, their Jacobian's product with a vector of parameters, and that of its transpose."""
    fit = system.fit
    if fit is None:
        raise ValueError(
            "curvature: this System does not say how its loss comes about from outputs; give System(fit=...), or take "
            "the Hessian"
        )
    w, chart = parameters(system, x)
    outputs, push = jax.linearize(lambda w: fit.outputs(chart(w), theta, samples), w)
    transposed = jax.linear_transpose(push, w)
    return outputs, push, lambda tangents: transposed(tangents)[0], fit
