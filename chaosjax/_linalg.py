"""What linear algebra under vmap needs."""

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

Factors = TypeVar("Factors")


@runtime_checkable
class LinearMap(Protocol):
    """A linear operator, by its product with a vector."""

    def __call__(self, v: Float[Array, " d"], /) -> Float[Array, " d"]: ...


def new_direction(
    image: Float[Array, " d"],
    basis: Float[Array, "m d"],
    floor: Float[Array, ""] | float,
    rank: Int[Array, ""] | None = None,
) -> tuple[Float[Array, " d"], Float[Array, ""]]:
    """The unit vector along what of the image is orthogonal to the basis, and its length; 0 up to the floor.

    Rows of the basis from `rank` on are left out.
    """
    held = jnp.arange(len(basis)) < (len(basis) if rank is None else rank)
    for _ in range(2):
        image = image - jnp.where(held, basis @ image, 0.0) @ basis
    length = jnp.linalg.norm(image)
    nothing = length <= floor
    return jnp.where(nothing, 0.0, image / jnp.where(nothing, 1.0, length)), jnp.where(nothing, 0.0, length)


@jax.custom_batching.custom_vmap
def in_any_cell(condition: Bool[Array, ""]) -> Bool[Array, ""]:
    """Whether a condition holds in any cell of the batches around; the same for all of them.

    As the condition of a ``lax.while_loop`` under vmap it saves the copy of all memory that JAX makes at every turn to
    keep finished cells as they are. The body has to leave them as they are by itself.
    """
    return condition


@in_any_cell.def_vmap
def _reduce(axis_size: int, batched: list[bool], condition: Bool[Array, " cells"]) -> tuple[Bool[Array, ""], bool]:
    return in_any_cell(jnp.any(condition)), False


def check_pairs(name: str, k: int, d: int, max_products: int) -> None:
    """Refuse a number of pairs that the dimension or the products do not allow."""
    most = min(d, max_products)
    if not 1 <= k <= most:
        raise ValueError(
            f"{name}: k={k} must be between 1 and {most} (dimension {d}, max_products {max_products}): ask for fewer"
        )


def unbatched(factorise: Callable[[Float[Array, "n m"]], Factors]) -> Callable[[Float[Array, "n m"]], Factors]:
    """Take a factorisation one matrix at a time on a CPU wherever it is vmapped.

    A batched LAPACK call of jaxlib before 0.11.2 waits for the very threads it occupies: as many calls as there are
    cores (one per device, or a QR beside an eigendecomposition) deadlock. A single matrix is factorised in place.
    """
    one_by_one = jax.custom_batching.sequential_vmap(lambda matrix: factorise(matrix))
    return lambda matrix: lax.platform_dependent(matrix, cpu=one_by_one, default=factorise)
