"""Extreme eigenvalues of an operator of the transition, followed from record to record."""

from collections.abc import Callable, Mapping
from typing import Any

from jaxtyping import Array, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._linalg import LinearMap
from chaosjax._probe import Cost, Probe
from chaosjax._system import Theta
from chaosjax._transition import Transition
from chaosjax.probes._eigenvectors import Followed, Wanted, follow, unfollowed

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

    wanted = Wanted(k, smallest, tolerance, max_products)

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Followed:
        return unfollowed(key, x, wanted)

    def update(m: Followed, transition: Transition) -> Followed:
        return m

    def emit(m: Followed, transition: Transition) -> tuple[Followed, dict[str, Array]]:
        matvec, further = operator(transition)
        m, pairs = follow(m, transition, matvec, wanted)
        record = {"products": pairs.products, **further}
        for entry, field in {"": pairs.values, "residual": pairs.residuals, "converged": pairs.converged}.items():
            record[entry] = field[:k]
            if smallest:
                record[f"smallest_{entry}".rstrip("_")] = field[k:]
        return m, record

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
