"""The diagonal blocks of a curvature matrix: one for each layer of the network."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from chaosjax._linalg import LinearMap


class Layer(NamedTuple):
    """A layer's name in the tree of parameters and its places among the raveled ones."""

    name: str
    places: Int[np.ndarray, " n"]


def layers(params: PyTree) -> tuple[Layer, ...]:
    """The layers of a tree of parameters, in its order: leaves that share a parent (kernel and bias) are one layer."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    found: dict[str, list[np.ndarray]] = {}
    start = 0
    for path, leaf in leaves:
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            parent = jax.tree_util.keystr(path[:-1], simple=True, separator="/")
            found.setdefault(parent, []).append(start + np.arange(jnp.size(leaf)))
            start += jnp.size(leaf)
    return tuple(Layer(name or "parameters", np.concatenate(places)) for name, places in found.items())


def block(matvec: LinearMap, layer: Layer, p: int) -> LinearMap:
    """``v -> A_ll v``, the diagonal block of a layer, A of dimension p.

    Cost: one product with A per product.
    """

    def product(v: Float[Array, " n"]) -> Float[Array, " n"]:
        return matvec(jnp.zeros(p, v.dtype).at[layer.places].set(v))[layer.places]

    return product
