"""Where Lyapunov vectors point, and how fast the Hessian's eigenvectors turn."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._overlaps import overlaps, principal_angles
from chaosjax._probe import Cost, Probe, delayed
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition
from chaosjax.probes._eigenvectors import Followed, Wanted, follow, unfollowed
from chaosjax.probes._lyapunov import reported, undelayed

_DIMS = {
    "top": ("vector", "eigenvalue"),
    "bottom": ("vector", "smallest_eigenvalue"),
    "gradient": ("vector",),
    "update": ("vector",),
    "parameters": ("vector",),
    "layers": ("vector", "layer"),
    "turning": ("eigenvalue",),
    "smallest_turning": ("smallest_eigenvalue",),
    "converged": ("eigenvalue",),
    "smallest_converged": ("smallest_eigenvalue",),
    "known": ("vector",),
}

_ENTRIES = {
    "top": "overlap with the eigenvectors of the largest eigenvalues",
    "bottom": "overlap with the eigenvectors of the smallest eigenvalues",
    "gradient": "overlap with the gradient",
    "update": "overlap with the update",
    "parameters": "share of the squared length in the parameters",
    "layers": "share of the squared length in a layer",
    "turning": "principal angle since the last record",
    "smallest_turning": "principal angle since the last record",
    "converged": "eigenvector within tolerance, none missed",
    "smallest_converged": "eigenvector within tolerance, none missed",
    "known": "the frame could know its growth",
}


class Alignment(NamedTuple):
    """The frame, the eigenvectors' search, and the eigenvectors of the last record, NaN before the first."""

    frame: Any
    extremes: Followed
    last: Float[Array, "pairs d"]


def alignment(
    vectors: int = 1,
    k: int = 1,
    smallest: int = 1,
    *,
    start: int = 0,
    reseed: int | None = None,
    tolerance: float = 1e-3,
    max_products: int = 50,
) -> Probe:
    """Overlap of the leading Lyapunov vectors with eigenvectors of the Hessian, the gradient, the update and the
    layers.

    The vectors are the rows v_j of the frame that `lyapunov` follows: v_1 has aligned with the direction that grows
    most from the past to now; v_2, … are orthogonal to it and span with it the leading subspace (they are not
    covariant: `tangent.alignment` takes those). With w the part of v_j in the parameters, the overlap with a direction
    e is ``cos² = (w·e)² / (‖w‖² ‖e‖²)``, from 0 to 1; a random direction of p parameters has 1/p on average.

    Records: ``_top`` ``[vector, eigenvalue]``, ``_bottom`` ``[vector, smallest_eigenvalue]``, ``_gradient`` and
    ``_update`` ``[vector]``; ``_layers`` ``[vector, layer]``, the shares of ‖w‖² in each layer, in the order of the
    parameter tree, 1 in sum; ``_parameters`` ``[vector]``, ``‖w‖² / ‖v‖²``, the rest being the optimizer's state.
    ``_turning`` ``[eigenvalue]`` and ``_smallest_turning``: the principal angles between the span of the k (the
    `smallest`) eigenvectors and that of the last record, smallest first, in radians; NaN at the first. ``_converged``
    and ``_smallest_converged`` as in `sharpness`. With `reseed` ``_known``, as in `lyapunov`.

    An eigenvector is right to about ``tolerance · ‖H‖ / gap``, the gap to the next eigenvalue: angles below that are
    rounding of the search, and where two eigenvalues cross, single eigenvectors mean nothing (their span does).

    Args:
        vectors: number of Lyapunov vectors.
        k: number of largest eigenvalues.
        smallest: number of smallest eigenvalues, at least 1.
        start, reseed: of the frame, as in `lyapunov`.
        tolerance, max_products: as in `sharpness`.

    Raises:
        ValueError: for numbers below 1, more pairs than `max_products`, a system without a loss, or a step that jumps.

    Cost: `vectors` Jacobian-vector products per step (twice as many with `reseed`), and per record the products of
    `sharpness`. Memory: (vectors + k + smallest + 2·max_products)·d.

    Source: of the angles Björck, Golub, Math. Comp. 27 (1973) 579.
    """
    smallest = check_count("smallest", smallest, what="number of smallest eigenvalues")
    k = check_count("k", k, most=max_products - smallest, what="max_products less smallest")
    frame = undelayed(vectors, start=start, reseed=reseed)
    pushed: Any = frame.update
    wanted = Wanted(k, smallest, tolerance, max_products)

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Alignment:
        u, _ = phase(x)
        extremes = unfollowed(jax.random.fold_in(key, 0), x, wanted)
        return Alignment(frame.init(key, x, theta), extremes, jnp.full((k + smallest, u.size), jnp.nan, u.dtype))

    def update(m: Alignment, transition: Transition) -> Alignment:
        return m._replace(frame=pushed(m.frame, transition))

    def emit(m: Alignment, transition: Transition) -> tuple[Alignment, dict[str, Array]]:
        memory, framed = frame.emit(m.frame, transition)
        extremes, pairs = follow(m.extremes, transition, transition.hvp, wanted)
        found, last = pairs.vectors, jax.vmap(transition.project)(m.last)
        record = overlaps(transition, reported(memory), found[:k], found[k:])
        record |= {
            "turning": principal_angles(last[:k], found[:k]),
            "smallest_turning": principal_angles(last[k:], found[k:]),
            "converged": pairs.converged[:k],
            "smallest_converged": pairs.converged[k:],
        }
        record |= {"known": framed["known"]} if reseed is not None else {}
        return Alignment(memory, extremes, jax.vmap(transition.embed)(found)), record

    entries = {name: {"long_name": label, "units": "1"} for name, label in _ENTRIES.items()}
    for name in ("turning", "smallest_turning"):
        entries[name]["units"] = "rad"
    attrs = {"long_name": "alignment of Lyapunov vectors", "units": "1", "tolerance": tolerance, "entries": entries}
    cost = Cost(tangents=frame.cost.tangents, products=max_products)
    return delayed(start, Probe(init, update, emit, dims=_DIMS, attrs=attrs, cost=cost))
