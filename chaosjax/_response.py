"""How an optimizer answers the gradient, linearly, with its preconditioner held; and where that turns unstable."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, PyTree

from chaosjax._parity import AFFINE, EVEN, MIXED, ODD, ZERO, Mark, frozen, joined, marks_of, odd

_GRID = 64
"""So many curvatures below that of a flip are tested for an instability of another kind."""


class Response(NamedTuple):
    """One step of every parameter w with its momenta m, ``(w, m) → A (w, m) + b h w``, for a curvature h.

    Attributes:
        matrices: A; the first row and column are those of w.
        inputs: b.
        adaptive: the state holds even functions of the gradients, such as means of squares.
    """

    matrices: Float[Array, "p n n"]
    inputs: Float[Array, "p n"]
    adaptive: bool


def response(
    descend: Callable[[PyTree, PyTree, PyTree], tuple[PyTree, PyTree]], params: PyTree, gradient: PyTree, state: PyTree
) -> Response:
    """Linearise a step of an optimizer with its preconditioner held.

    Parameters, gradient and momenta change sign together; so does the step. What does not, because it is even in
    them (means of squares, norms, counters), or multiplies what vanishes at rest, is the preconditioner, and counts as
    constant. Which part of the state is which follows from the operations of the step.

    Args:
        descend: ``(params, gradient, state) -> (params, state)``.
        params, gradient, state: where to linearise.

    Raises:
        ValueError: for a step that is not odd, or in which one parameter moves another.

    Cost: a step of the optimizer for each momentum, and two more. No gradient.
    """
    weights, tree = jax.tree.flatten(params)
    slopes, (leaves, held) = jax.tree.leaves(gradient), jax.tree.flatten(state)
    real = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    count = len(weights)

    def step(*flat: Array) -> list[Array]:
        moved = list(leaves)
        for i, leaf in zip(real, flat[2 * count :], strict=True):
            moved[i] = leaf
        new, after = descend(
            jax.tree.unflatten(tree, flat[:count]),
            jax.tree.unflatten(tree, flat[count : 2 * count]),
            jax.tree.unflatten(held, moved),
        )
        kept = jax.tree.leaves(after)
        return [*jax.tree.leaves(new), *(kept[i] for i in real)]

    values = [*weights, *slopes, *(leaves[i] for i in real)]
    program = jax.make_jaxpr(step)(*values)
    marks = _marks(lambda marks: marks_of(program, marks), count, len(real))
    momenta = [
        [i for i, mark in enumerate(marks) if mark.sources == {j} and mark.parity in (ODD, AFFINE)]
        for j in range(count)
    ]
    most = max(map(len, momenta))
    slots = [[j, *(2 * count + i for i in own)] for j, own in enumerate(momenta)]
    run = frozen(program, [*map(odd, range(count)), *map(odd, range(count)), *marks])
    moving = [i for i, value in enumerate(values) if i < 2 * count or marks[i - 2 * count].parity in (ODD, AFFINE)]

    def partly(*moved: Array) -> list[Array]:
        every = list(values)
        for i, value in zip(moving, moved, strict=True):
            every[i] = value
        return run(*every)

    _, push = jax.linearize(partly, *(values[i] for i in moving))

    def along(inputs: Sequence[int]) -> list[Array]:
        """The derivative along a change of 1 in every number of some inputs."""
        return push(*(jnp.ones_like(values[i]) if i in inputs else jnp.zeros_like(values[i]) for i in moving))

    def column(inputs: Sequence[int]) -> Float[Array, "p n"]:
        image = along(inputs)
        rows = []
        for j, own in enumerate(momenta):
            parts = [image[j].ravel(), *(image[count + i].ravel() for i in own)]
            parts += [jnp.zeros_like(parts[0])] * (most - len(own))
            rows.append(jnp.stack(parts, axis=1))
        return jnp.concatenate(rows)

    columns = [column([own[slot] for own in slots if slot < len(own)]) for slot in range(most + 1)]
    matrices = jnp.stack(columns, axis=2)
    return Response(
        matrices, column(range(count, 2 * count)), adaptive=any(mark.parity in (EVEN, MIXED) for mark in marks)
    )


def _marks(follow: Callable[[Sequence[Mark]], list[Mark]], count: int, states: int) -> list[Mark]:
    """The marks of the state's numbers: what steps make of zeros; what they leave as it is, is a constant."""
    inputs, marks = [*map(odd, range(count)), *map(odd, range(count))], [Mark(ZERO)] * states
    for constant in (ZERO, EVEN):
        marks = [Mark(constant) if mark.parity == ZERO else mark for mark in marks]
        for _ in range(2 * states + 2):
            after = follow([*inputs, *marks])
            new = [joined(*pair) for pair in zip(marks, after[count:], strict=True)]
            if new == marks:
                break
            marks = new
    for mark in [*after[:count], *(mark for mark in marks if mark.parity in (ODD, AFFINE))]:
        _check(mark)
    return marks


def _check(mark: Mark) -> None:
    remedy = "take probes.lyapunov, whose exponent is above 0 beyond the edge of any optimizer"
    if mark.parity not in (ODD, AFFINE, ZERO):
        sign = "jumps with the sign of the gradient, as Lion's does" if mark.why == "sign" else "is not odd"
        raise ValueError(
            f"this optimizer has no stability threshold: its step {sign} (by the operation {mark.why!r}), so no "
            f"linear response remains with its preconditioner held; {remedy}"
        )
    if not mark.by_coordinate or len(mark.sources) > 1:
        raise ValueError(
            "this optimizer has no preconditioner with one number per parameter: in its step one parameter's gradient "
            f"moves another; {remedy}"
        )


class Edge(NamedTuple):
    """Where a response turns unstable.

    Attributes:
        inverse: the inverse preconditioner ``P⁻¹`` of every parameter.
        threshold: largest stable eigenvalue of ``P⁻¹ H``; NaN where parameters differ in more than their gain.
    """

    inverse: Float[Array, " p"]
    threshold: Float[Array, ""]


def edge(found: Response, unit: Any = None) -> Edge:
    """The gain ``D = −∂w'/∂g`` over a unit, and the eigenvalue s of ``D H`` up to which a step is stable, likewise.

    In the eigenvectors of ``D^½ H D^½`` the parameters part into recursions ``A + s (b/D) eᵀ`` that differ in s alone,
    if A and b of all parameters are alike but for the units of w and m. That is tested by the polynomials
    ``det(z − A)`` and ``eᵀ adj(z − A) b/D``, which do not depend on units.

    Args:
        unit: of the gain, for an adaptive response; None: 1. Where the response is not adaptive, the unit is the
            largest gain, and P the identity if all gains are equal.
    """
    gain = -found.inputs[:, 0]
    live = gain > 0
    scale = jnp.where(live, gain, 1.0)
    matrix, driven = _polynomials(found.matrices, found.inputs / scale[:, None])
    chosen = jnp.argmax(jnp.where(live, gain, -1.0))
    tolerance = 10 * jnp.finfo(gain.dtype).eps ** 0.5
    alike = jnp.all(jnp.where(live, _apart(matrix, chosen) + _apart(driven, chosen), 0.0) <= tolerance)
    known = alike & jnp.any(live) & jnp.all(gain >= 0)
    threshold = jnp.where(known, largest_stable(matrix[chosen], -driven[chosen]), jnp.nan)
    size = jnp.max(gain) if not found.adaptive else jnp.asarray(1.0 if unit is None else unit, gain.dtype)
    return Edge(jnp.where(gain >= 0, gain, jnp.nan) / size, threshold / size)


def _apart(polynomials: Float[Array, "p m"], chosen: Array) -> Float[Array, " p"]:
    return jnp.max(jnp.abs(polynomials - polynomials[chosen][None]), axis=1)


def _polynomials(
    matrices: Float[Array, "p n n"], inputs: Float[Array, "p n"]
) -> tuple[Float[Array, "p m"], Float[Array, "p n"]]:
    """Coefficients of ``det(z − A)`` and ``eᵀ adj(z − A) b``, highest power first (Faddeev and LeVerrier)."""
    n = matrices.shape[-1]
    identity = jnp.eye(n, dtype=matrices.dtype)[None]
    adjugate = jnp.broadcast_to(identity, matrices.shape)
    determinant, driven = [jnp.ones_like(inputs[:, 0])], []
    for k in range(1, n + 1):
        driven.append(jnp.einsum("pj,pj->p", adjugate[:, 0], inputs))
        product = jnp.einsum("pij,pjk->pik", matrices, adjugate)
        determinant.append(-jnp.trace(product, axis1=1, axis2=2) / k)
        adjugate = product + determinant[-1][:, None, None] * identity
    return jnp.stack(determinant, axis=1), jnp.stack(driven, axis=1)


def largest_stable(matrix: Float[Array, " m"], driven: Float[Array, " n"]) -> Float[Array, ""]:
    """The s up to which all roots of ``matrix(z) + s driven(z)`` have modulus below 1, starting above 0.

    A root leaves at −1 at ``s = −matrix(−1) / driven(−1)``; one that leaves elsewhere, before, is found by bisection.

    Args:
        matrix: coefficients of a polynomial, highest power first, of one degree more than `driven`.
        driven: coefficients.

    Returns:
        NaN where there is no such s.
    """
    powers = jnp.asarray((-1.0) ** np.arange(matrix.size - 1, -1, -1), matrix.dtype)
    flip = -jnp.sum(matrix * powers) / jnp.sum(driven * powers[1:])

    def stable(s: Float[Array, ""]) -> Bool[Array, ""]:
        return _inside(matrix.at[1:].add(s * driven))

    fractions = jnp.concatenate([jnp.asarray([0.0, 1e-3]), jnp.arange(1, _GRID) / _GRID]).astype(matrix.dtype)
    holds = jax.vmap(stable)(fractions * flip).at[0].set(True)
    first = jnp.argmin(holds)  # 0: all hold

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        inside = stable(middle)
        return jnp.where(inside, middle, low), jnp.where(inside, high, middle)

    ends = (fractions[first - 1] * flip, fractions[first] * flip)
    low, _ = lax.fori_loop(0, 60, halve, ends)
    found = jnp.where(first == 0, flip, low)
    return jnp.where((first != 1) & (flip > 0) & jnp.isfinite(flip), found, jnp.nan)


def _inside(coefficients: Float[Array, " m"]) -> Bool[Array, ""]:
    """Whether all roots lie inside the unit circle (Schur and Cohn)."""
    inside = jnp.asarray(True)
    while coefficients.size > 1:
        ratio = coefficients[-1] / coefficients[0]
        inside &= jnp.abs(ratio) < 1
        coefficients = (coefficients - ratio * coefficients[::-1])[:-1]
    return inside
