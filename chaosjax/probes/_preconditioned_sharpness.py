"""Preconditioned sharpness: the Hessian as the optimizer sees it, beside the threshold of its stability."""

from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float

from chaosjax._linalg import LinearMap
from chaosjax._probe import Probe
from chaosjax._transition import Transition
from chaosjax.probes._followed import followed


def preconditioned_sharpness(
    k: int = 1, smallest: int = 0, *, tolerance: float = 1e-3, max_products: int = 50, fallback: bool = False
) -> Probe:
    r"""The extreme eigenvalues of ``P⁻¹ ∇²L``, P the optimizer's preconditioner, and the threshold of its stability.

    .. math:: λ(P^{-1} H) = λ(P^{-1/2} H P^{-1/2}), \qquad P = 1 / \operatorname{diag}(-∂w'/∂g),

    the derivative of a step by the gradient, in which all that is even in the gradients (means of squares, norms) is
    held at its value of this step, and so is what multiplies gradient or momentum. For any optax optimizer whose step
    is odd in gradient, momentum and parameters, but for constants, and moves each parameter by its own gradient. Beyond
    the threshold the recursion of parameters and momenta along the leading eigenvector grows while P changes slowly. P
    and threshold have the units of Cohen et al. (2022) where the factory is one of optax's:

    - SGD, heavy ball, Nesterov: ``P = 1``; thresholds ``2/η``, ``2(1+β)/η``, ``2(1+β)/((1+2β)η)``.
    - RMSprop: ``P = √(ν+ε)``; ``2/η``. Adagrad: ``P = √(Σg²+ε)``; ``2/η``. ν and Σg² hold this step's gradient.
    - Adam, AdamW, AMSGrad, AdaBelief: ``P = (1−β₁^t)(√(ν̂+ε_root)+ε)``; ``(2+2β₁)/((1−β₁)η)``; for AdamW
      ``(2−η·weight_decay)(1+β₁)/((1−β₁)η)``.
    - other adaptive optimizers, and those with a schedule: the step size is in ``P⁻¹``, so the threshold has no unit.

    ``eigenvalue / threshold`` crosses 1 at the edge of stability of each of them. Lion and sign descent have none.

    Record: as `sharpness`, the eigenvalues ``[eigenvalue]``, ``_residual``, ``_converged``, ``_products``, with
    `smallest` also ``_smallest…``; and ``_threshold`` ``[]``: NaN where it is not known, as when the optimizer treats
    groups of parameters by different momenta, or at a step that only counts (`optax.lookahead` between its syncs).

    Args:
        k: number of largest eigenvalues.
        smallest: number of smallest eigenvalues.
        tolerance: largest residual of the symmetric form, relative to the largest eigenvalue in modulus.
        max_products: largest number of products per record.
        fallback: for an optimizer that is refused (see Raises) record the eigenvalues of ``∇²L`` itself and a threshold
            of NaN instead.

    Raises:
        ValueError: as `sharpness`; when run on a system that is no training, on an optimizer whose step is not odd
            (Lion, line searches) or in which one parameter's gradient moves another (Muon, Shampoo).

    Cost: that of `sharpness`, a gradient and a few steps of the optimizer. Memory: 2·max_products·d.

    Source: Cohen et al., Adaptive Gradient Methods at the Edge of Stability, arXiv:2207.14484.
    """

    def operator(transition: Transition) -> tuple[LinearMap, Mapping[str, Array]]:
        hvp = transition.hvp
        try:
            edge = transition.edge
        except ValueError:
            if not fallback:
                raise
            return hvp, {"threshold": jnp.full((), jnp.nan, transition.loss.dtype)}
        root = jnp.sqrt(edge.inverse)

        def product(v: Float[Array, " d"]) -> Float[Array, " d"]:
            return root * hvp(root * v)

        return product, {"threshold": edge.threshold}

    return followed(
        "preconditioned_sharpness",
        operator,
        k,
        smallest,
        tolerance=tolerance,
        max_products=max_products,
        attrs={"long_name": "preconditioned Hessian eigenvalue", "units": "1/learning rate", "fallback": fallback},
        entries={"threshold": {"long_name": "largest stable eigenvalue", "units": "1/learning rate"}},
    )
