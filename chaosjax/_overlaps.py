"""How much of a tangent vector lies along eigenvectors, the gradient, the update and each layer."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from chaosjax._linalg import unbatched
from chaosjax._system import phase
from chaosjax._transition import Transition


def overlaps(
    transition: Transition, vectors: Float[Array, "n d"], top: Float[Array, "k p"], bottom: Float[Array, "s p"]
) -> dict[str, Array]:
    """Squared cosines of the vectors' parts in the parameters with directions there, and the shares of their length.

    Returns:
        `top` ``[n, k]``, `bottom` ``[n, s]``, `gradient` and `update` ``[n]``, `layers` ``[n, layers]``, and
        `parameters` ``[n]``, the share of the squared length that lies in the parameters.
    """
    rows = jax.vmap(transition.project)(vectors)
    squared = jnp.sum(rows**2, axis=1)
    rows = rows / jnp.sqrt(squared)[:, None]
    _, update = _unit(transition.project(phase(transition.y)[0] - phase(transition.x)[0]))
    _, gradient = _unit(phase(transition.grad)[0])
    places = layer_of_each(transition.params)
    in_layers = jax.vmap(lambda row: jax.ops.segment_sum(row**2, places, int(places.max()) + 1))(rows)
    return {
        "top": (rows @ top.T) ** 2,
        "bottom": (rows @ bottom.T) ** 2,
        "gradient": (rows @ gradient) ** 2,
        "update": (rows @ update) ** 2,
        "layers": in_layers,
        "parameters": squared / jnp.sum(vectors**2, axis=1),
    }


def layer_of_each(params: PyTree) -> Int[np.ndarray, " p"]:
    """The layer of each raveled parameter: leaves that differ in the last part of their path alone form one."""
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    floats = [(path, leaf) for path, leaf in leaves if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    names = [jax.tree_util.keystr(path[:-1]) for path, _ in floats]
    order = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return np.repeat([order[name] for name in names], [np.size(leaf) for _, leaf in floats])


def principal_angles(a: Float[Array, "k p"], b: Float[Array, "k p"]) -> Float[Array, " k"]:
    """Angles between the spans of orthonormal rows, smallest first, in radians from 0 to π/2, exact for small ones too.

    Source: Björck, Golub, Math. Comp. 27 (1973) 579.
    """
    singular_values = unbatched(lambda matrix: jnp.linalg.svd(matrix, compute_uv=False))
    inner = a @ b.T
    cosines = singular_values(inner)
    sines = singular_values((b - inner.T @ a).T)[::-1]
    return jnp.arctan2(sines, cosines)


def _unit(vector: Float[Array, " p"]) -> tuple[Float[Array, ""], Float[Array, " p"]]:
    length = jnp.linalg.norm(vector)
    return length, vector / length
