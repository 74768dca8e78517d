"""The whole spectrum of the curvature along the trajectory: its density, its trace and its Frobenius norm."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._linalg import LinearMap
from chaosjax._probe import Cost, Probe
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition
from chaosjax.curvature._layers import block, layers
from chaosjax.curvature._operators import Operator, operator
from chaosjax.curvature._quadrature import quadrature
from chaosjax.curvature._trace import trace

CURVATURE = "loss per squared parameter"


def spectral_density(
    of: str | Operator = "hessian",
    *,
    vectors: int = 4,
    depth: int = 30,
    per_layer: bool = False,
    samples: Sequence[int] | None = None,
) -> Probe:
    """The spectrum of a curvature matrix as a measure, by stochastic Lanczos quadrature.

    Records: ``_nodes`` and ``_weights``, ``[vector, node]``, of which `stats.spectral_density` makes a density with
    its interval and `stats.spectral_integral` any mean over eigenvalues. `curvature.quadrature` says more. The vectors
    are drawn anew at each record.

    Args:
        of: "hessian", "gauss_newton", "residual" (H − G), "fisher", "empirical_fisher", or a function as those of
            `chaosjax.curvature`.
        vectors: random vectors.
        depth: products per vector.
        per_layer: the diagonal block of each layer in place of the whole: ``[layer, vector, node]``, in the order of
            `curvature.layers`.
        samples: indices of training samples; None: all.

    Raises:
        ValueError: for an unknown matrix, fewer than two vectors or a depth below 1; when run, as the matrix itself.

    Cost: vectors · depth products per record, with `per_layer` as many per layer; a product takes about two gradients
    (four for "residual"). Memory: depth·p. Take it with `every`.

    Source: Ghorbani, Krishnan, Xiao, ICML 2019, arXiv:1901.10159.
    """
    vectors = check_count("vectors", vectors, 2, what="the error is read off their spread")
    depth = check_count("depth", depth, what="the number of products per vector")

    def read(matvec: LinearMap, key: PRNGKeyArray, p: int, dtype: Any) -> dict[str, Array]:
        return quadrature(matvec, jax.random.normal(key, (vectors, p), dtype), depth)._asdict()

    dims: dict[str, tuple[str, ...]] = dict.fromkeys(("nodes", "weights"), ("vector", "node"))
    attrs = {
        "long_name": "spectral quadrature",
        "units": CURVATURE,
        "entries": {"weights": {"long_name": "weight of the node", "units": "1"}},
        "depth": depth,
    }
    return _probe(of, read, dims, attrs, samples, per_layer, vectors * depth)


def curvature_trace(
    of: str | Operator = "hessian",
    *,
    vectors: int = 8,
    per_layer: bool = False,
    samples: Sequence[int] | None = None,
) -> Probe:
    """Trace and Frobenius norm of a curvature matrix, by XTrace.

    Records: the trace; its standard error ``_error``; ``_frobenius``; its standard error ``_frobenius_error``.
    `curvature.trace` says what they are worth. The vectors are drawn anew at each record.

    Args:
        of: as of `spectral_density`.
        vectors: random vectors; two products each.
        per_layer: the diagonal block of each layer in place of the whole, ``[layer]``. The traces add up to the whole.
        samples: indices of training samples; None: all.

    Raises:
        ValueError: for an unknown matrix or fewer than three vectors; when run, as the matrix itself.

    Cost: 2 · vectors products per record, with `per_layer` as many per layer, and never more than a block has rows.
    Memory: 2·vectors·p.

    Source: Epperly, Tropp, Webber, SIAM J. Matrix Anal. Appl. 45 (2024) 1, arXiv:2301.07825.
    """
    vectors = check_count("vectors", vectors, 3, what="the error is read off their spread")

    def read(matvec: LinearMap, key: PRNGKeyArray, p: int, dtype: Any) -> dict[str, Array]:
        found = trace(matvec, jax.random.normal(key, (vectors, p), dtype))._asdict()
        return {"": found["trace"], "error": found["trace_error"]} | {
            name: found[name] for name in ("frobenius", "frobenius_error")
        }

    dims: dict[str, tuple[str, ...]] = dict.fromkeys(("", "error", "frobenius", "frobenius_error"), ())
    attrs = {
        "long_name": "trace",
        "units": CURVATURE,
        "entries": {
            "error": {"long_name": "standard error of the trace"},
            "frobenius": {"long_name": "Frobenius norm"},
            "frobenius_error": {"long_name": "standard error of the Frobenius norm"},
        },
        "vectors": vectors,
    }
    return _probe(of, read, dims, attrs, samples, per_layer, 2 * vectors)


def _probe(
    of: str | Operator,
    read: Any,
    dims: dict[str, tuple[str, ...]],
    attrs: dict[str, Any],
    samples: Sequence[int] | None,
    per_layer: bool,
    products: int,
) -> Probe:
    make = operator(of)
    chosen = None if samples is None else jnp.asarray(np.asarray(samples, np.int32))
    told = {"matrix": of if isinstance(of, str) else getattr(of, "__name__", "operator")}
    told |= {} if samples is None else {"samples": len(samples)}

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> PRNGKeyArray:
        return key

    def emit(key: PRNGKeyArray, transition: Transition) -> tuple[PRNGKeyArray, dict[str, Array]]:
        matvec = make(transition.system, transition.x, transition.theta, chosen)
        w, _ = phase(transition.params)
        now = jax.random.fold_in(key, transition.t)
        if not per_layer:
            return key, read(matvec, now, w.size, w.dtype)
        found = [
            read(block(matvec, layer, w.size), jax.random.fold_in(now, i), layer.places.size, w.dtype)
            for i, layer in enumerate(layers(transition.params))
        ]
        return key, jax.tree.map(lambda *parts: jnp.stack(parts), *found)

    return Probe(
        init,
        lambda key, transition: key,
        emit,
        dims={entry: ("layer", *own) if per_layer else own for entry, own in dims.items()},
        attrs={**attrs, **told},
        cost=Cost(products=products),
    )
