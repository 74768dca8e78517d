"""What linear algebra under vmap needs."""

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.layout import Layout, with_layout_constraint
from jaxtyping import Array, Bool, Float, Int

Factors = TypeVar("Factors")
Result = TypeVar("Result")


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

    def orthogonal(rows: Float[Array, "n d"]) -> Float[Array, " d"]:
        held = jnp.arange(len(rows)) < (len(rows) if rank is None else rank)
        rest = image
        for _ in range(2):
            rest = rest - jnp.where(held, rows @ rest, 0.0) @ rows
        return rest

    image = orthogonal(basis) if rank is None else of_leading_rows(basis, rank, orthogonal)
    length = jnp.linalg.norm(image)
    nothing = length <= floor
    return jnp.where(nothing, 0.0, image / jnp.where(nothing, 1.0, length)), jnp.where(nothing, 0.0, length)


def of_leading_rows(
    rows: Float[Array, "m d"], rank: Int[Array, ""], function: Callable[[Float[Array, "n d"]], Result]
) -> Result:
    """A function of the first n rows, n the least of a few numbers that is at least the rank in every cell around.

    Memory that holds nothing yet is not read: it is as dear as the products of a small network.
    """
    sizes = [size for size in _ROWS if size < len(rows)] + [len(rows)]
    branches = [lambda rows, size=size: function(rows[:size]) for size in sizes]
    return lax.switch(jnp.searchsorted(jnp.asarray(sizes), largest_of_cells(rank)), branches, rows)


_ROWS = (8, 16, 24)


@jax.custom_batching.custom_vmap
def largest_of_cells(value: Int[Array, ""] | Bool[Array, ""]) -> Int[Array, ""] | Bool[Array, ""]:
    """The largest value in the cells of the batches around; the same for all of them."""
    return value


@largest_of_cells.def_vmap
def _reduce(axis_size: int, batched: list[bool], value: Array) -> tuple[Array, bool]:
    return largest_of_cells(jnp.max(value)), False


def in_any_cell(condition: Bool[Array, ""]) -> Bool[Array, ""]:
    """Whether a condition holds in any cell of the batches around; the same for all of them.

    As the condition of a ``lax.while_loop`` under vmap it saves the copy of all memory that JAX makes at every turn to
    keep finished cells as they are. The body has to leave them as they are by itself.
    """
    return largest_of_cells(condition)


def check_pairs(name: str, k: int, d: int, max_products: int) -> None:
    """Refuse a number of pairs that the dimension or the products do not allow."""
    most = min(d, max_products)
    if not 1 <= k <= most:
        raise ValueError(
            f"{name}: k={k} must be between 1 and {most} (dimension {d}, max_products {max_products}): ask for fewer"
        )


def unbatched(
    factorise: Callable[[Float[Array, "n m"]], Factors], on_cpu: Callable[[Float[Array, "n m"]], Factors] | None = None
) -> Callable[[Float[Array, "n m"]], Factors]:
    """Take a factorisation one matrix at a time on a CPU, there in its own way if it has one, wherever it is vmapped.

    A batched LAPACK call of jaxlib before 0.11.2 waits for the very threads it occupies: as many calls as there are
    cores (one per device, or a QR beside an eigendecomposition) deadlock. A single matrix is factorised in place.
    """
    one_by_one = jax.custom_batching.sequential_vmap(lambda matrix: (on_cpu or factorise)(matrix))
    return lambda matrix: lax.platform_dependent(matrix, cpu=one_by_one, default=factorise)


def orthonormalise(vectors: Float[Array, "k d"]) -> tuple[Float[Array, "k d"], Float[Array, " k"]]:
    r"""Make rows orthonormal from the first on, by QR, and return what they had grown by.

    .. math:: V^\mathsf{T} = Q R, \quad g_i = \ln |R_{ii}|

    Summed over the steps of a map and divided by time, g are its Lyapunov exponents (Benettin's algorithm). For frames
    of your own that evolve inside a step; `probes.lyapunov` does the same beside it.

    Args:
        vectors: k tangent vectors in rows, linearly independent.

    Returns:
        The orthonormal rows, their signs those that QR leaves; and g, in nats.

    Cost: one QR factorisation of a d × k matrix, under vmap one cell after the other.

    Source: Benettin, Galgani, Giorgilli, Strelcyn, Meccanica 15 (1980) 9.
    """
    if len(vectors) == 1:
        length = jnp.linalg.norm(vectors)
        return vectors / length, jnp.log(length)[None]
    return unbatched(_by_reflections, on_cpu=_in_rows)(vectors)


def _by_reflections(vectors: Float[Array, "k d"]) -> tuple[Float[Array, "k d"], Float[Array, " k"]]:
    # Cholesky's factor takes a fifth less on one core; calls in two threads wait for each other, four times as long
    Q, R = jnp.linalg.qr(vectors.T)
    return Q.T, jnp.log(jnp.abs(jnp.diagonal(R)))


def _in_rows(vectors: Float[Array, "k d"]) -> tuple[Float[Array, "k d"], Float[Array, " k"]]:
    # XLA would carry the vectors of a loop with k innermost, for the sake of Q.T: a fifth of the steps per second
    rows, growth = _by_reflections(vectors)
    return with_layout_constraint(rows, Layout((0, 1))), growth
