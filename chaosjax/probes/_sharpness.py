"""Sharpness: the ends of the Hessian's spectrum, followed along the trajectory."""

from collections.abc import Mapping

from jaxtyping import Array

from chaosjax._linalg import LinearMap
from chaosjax._probe import Probe
from chaosjax._transition import Transition
from chaosjax.probes._followed import followed


def sharpness(k: int = 1, smallest: int = 0, *, tolerance: float = 1e-3, max_products: int = 50) -> Probe:
    """The k largest and the `smallest` most negative eigenvalues of the Hessian ``∇²L`` of the full-data loss.

    Rayleigh–Ritz on the eigenvectors of the last record, extended until every residual ``‖H v − λ v‖`` is at most
    ``tolerance · ‖H‖``. At the first record, at every 25th and after a jump, a random search follows: it makes sure
    that no eigenvalue beyond those found is missed, with a probability of 1 − 1e-3 for each end. Between, one guard
    per end follows the next eigenvector, so a crossing is seen. ``docs/curvature.md`` says more.

    Record: the eigenvalues ``[eigenvalue]``, largest first; ``_residual``, within which a true eigenvalue lies, and
    ``_converged`` of each; ``_products``, the number of Hessian-vector products used. With `smallest` also
    ``_smallest``, ``_smallest_residual`` and ``_smallest_converged`` ``[smallest_eigenvalue]``, smallest first.
    A value is `converged` when its residual is below the tolerance and the search for missed ones is complete;
    else it is a lower bound of the largest (an upper bound of the smallest) eigenvalue.

    Full-batch gradient descent is linearly stable for ``λ_max < 2/η``.

    Args:
        k: number of largest eigenvalues.
        smallest: number of smallest eigenvalues.
        tolerance: largest residual, relative to the largest eigenvalue in modulus; in float32 at least about 1e-5.
        max_products: largest number of products per record.

    Raises:
        ValueError: for k < 1, smallest < 0, or more of both than `max_products` or the number of parameters; when
            run on a system without a loss.

    Cost: a product takes about two gradients. About 15 at the first record, 2 to 3 at each of successive steps, 10 to
    15 after tens of steps. Memory: 2·max_products·d.

    Source: Cohen et al., ICLR 2021, arXiv:2103.00065.
    """

    def hessian(transition: Transition) -> tuple[LinearMap, Mapping[str, Array]]:
        return transition.hvp, {}

    return followed(
        "sharpness",
        hessian,
        k,
        smallest,
        tolerance=tolerance,
        max_products=max_products,
        attrs={"long_name": "Hessian eigenvalue", "units": "loss per squared parameter"},
    )
