"""Sharpness: the ends of the Hessian's spectrum, followed along the trajectory."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._eigenpairs import eigenpairs
from chaosjax._probe import Cost, Probe
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition

_AUDIT = 25
"""Every so many records the spectrum is searched anew, for an eigenvector that no row of the block has followed."""

_ENTRIES = ("", "residual", "converged")

_DIMS = dict.fromkeys(_ENTRIES, ("eigenvalue",)) | {
    f"smallest_{entry}".rstrip("_"): ("smallest_eigenvalue",) for entry in _ENTRIES
}

_ATTRS = {
    "long_name": "Hessian eigenvalue",
    "units": "loss per squared parameter",
    "entries": {
        "residual": {"long_name": "residual of the eigenvalue"},
        "smallest_residual": {"long_name": "residual of the eigenvalue"},
        "converged": {"long_name": "eigenvalue within tolerance, none missed", "units": "1"},
        "smallest_converged": {"long_name": "eigenvalue within tolerance, none missed", "units": "1"},
        "products": {"long_name": "Hessian-vector products", "units": "1"},
    },
}


class Sharpness(NamedTuple):
    """What the next search starts from.

    Attributes:
        block: the eigenvectors of the last record, and a guard for each end of the spectrum.
        certified: no eigenvalue beyond theirs had been missed then.
        records: number of records so far.
        key: of the random directions.
    """

    block: Float[Array, "b d"]
    certified: Bool[Array, ""]
    records: Int[Array, ""]
    key: PRNGKeyArray


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
    smallest = check_count("smallest", smallest, least=0, what="the number of smallest eigenvalues")
    if not 1 <= k <= max_products - smallest:
        raise ValueError(
            f"sharpness: k={k} must be between 1 and max_products={max_products}"
            + (f" less smallest={smallest}" if smallest else "")
        )

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Sharpness:
        u, _ = phase(x)
        rows = min(k + smallest + 1 + (smallest > 0), max_products)
        return Sharpness(jnp.zeros((rows, u.size), u.dtype), jnp.bool_(False), jnp.int32(0), key)

    def update(m: Sharpness, transition: Transition) -> Sharpness:
        return m

    def emit(m: Sharpness, transition: Transition) -> tuple[Sharpness, dict[str, Array]]:
        block = jax.vmap(transition.project)(m.block)
        rows = min(block.shape)
        pairs = eigenpairs(
            transition.hvp,
            block[:rows],
            k,
            smallest,
            tolerance=tolerance,
            max_products=max_products,
            trusted=m.certified & (m.records % _AUDIT != 0),
            key=jax.random.fold_in(m.key, m.records),
        )
        record = {"products": pairs.products}
        for entry, field in {"": pairs.values, "residual": pairs.residuals, "converged": pairs.converged}.items():
            record[entry] = field[:k]
            if smallest:
                record[f"smallest_{entry}".rstrip("_")] = field[k:]
        block = m.block.at[:rows].set(jax.vmap(transition.embed)(pairs.block))
        return Sharpness(block, pairs.certified, m.records + 1, m.key), record

    return Probe(
        init,
        update,
        emit,
        dims=_DIMS,
        attrs={**_ATTRS, "k": k, "smallest": smallest, "tolerance": tolerance},
        cost=Cost(products=max_products),
    )
