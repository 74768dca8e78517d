"""Extreme eigenvalues of an operator of the transition, followed from record to record."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._eigenpairs import eigenpairs
from chaosjax._linalg import LinearMap
from chaosjax._probe import Cost, Probe
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition

_AUDIT = 25
"""Every so many records the spectrum is searched anew, for an eigenvector that no row of the block has followed."""

_ENTRIES = ("", "residual", "converged")

_DIMS = dict.fromkeys(_ENTRIES, ("eigenvalue",)) | {
    f"smallest_{entry}".rstrip("_"): ("smallest_eigenvalue",) for entry in _ENTRIES
}

_OF_ENTRIES = {
    "residual": {"long_name": "residual of the eigenvalue"},
    "smallest_residual": {"long_name": "residual of the eigenvalue"},
    "converged": {"long_name": "eigenvalue within tolerance, none missed", "units": "1"},
    "smallest_converged": {"long_name": "eigenvalue within tolerance, none missed", "units": "1"},
    "products": {"long_name": "Hessian-vector products", "units": "1"},
}


class Followed(NamedTuple):
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


def followed(
    name: str,
    operator: Callable[[Transition], tuple[LinearMap, Mapping[str, Array]]],
    k: int,
    smallest: int,
    *,
    tolerance: float,
    max_products: int,
    attrs: Mapping[str, Any],
    entries: Mapping[str, Mapping[str, Any]] = {},
) -> Probe:
    """The k largest and the `smallest` smallest eigenvalues of a symmetric operator over the parameters.

    Args:
        name: of the probe, for messages.
        operator: its product with a vector, and further entries of the record.
        attrs: long name and units of the eigenvalues.
        entries: attributes of the further entries.

    Raises:
        ValueError: for k < 1, smallest < 0, or more of both than `max_products`.
    """
    smallest = check_count("smallest", smallest, least=0, what="the number of smallest eigenvalues")
    if not 1 <= k <= max_products - smallest:
        raise ValueError(
            f"{name}: k={k} must be between 1 and max_products={max_products}"
            + (f" less smallest={smallest}" if smallest else "")
        )

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Followed:
        u, _ = phase(x)
        rows = min(k + smallest + 1 + (smallest > 0), max_products)
        return Followed(jnp.zeros((rows, u.size), u.dtype), jnp.bool_(False), jnp.int32(0), key)

    def update(m: Followed, transition: Transition) -> Followed:
        return m

    def emit(m: Followed, transition: Transition) -> tuple[Followed, dict[str, Array]]:
        block = jax.vmap(transition.project)(m.block)
        rows = min(block.shape)
        matvec, further = operator(transition)
        pairs = eigenpairs(
            matvec,
            block[:rows],
            k,
            smallest,
            tolerance=tolerance,
            max_products=max_products,
            trusted=m.certified & (m.records % _AUDIT != 0),
            key=jax.random.fold_in(m.key, m.records),
        )
        record = {"products": pairs.products, **further}
        for entry, field in {"": pairs.values, "residual": pairs.residuals, "converged": pairs.converged}.items():
            record[entry] = field[:k]
            if smallest:
                record[f"smallest_{entry}".rstrip("_")] = field[k:]
        block = m.block.at[:rows].set(jax.vmap(transition.embed)(pairs.block))
        return Followed(block, pairs.certified, m.records + 1, m.key), record

    return Probe(
        init,
        update,
        emit,
        dims=_DIMS,
        attrs={
            **attrs,
            "entries": {**_OF_ENTRIES, **entries},
            "k": k,
            "smallest": smallest,
            "tolerance": tolerance,
        },
        cost=Cost(products=max_products),
    )
