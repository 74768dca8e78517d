"""The order of hidden units is arbitrary: one network's units in the order in which they match another's."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PyTree
from scipy.optimize import linear_sum_assignment

from chaosjax._system import System, Theta, phase
from chaosjax.curvature._layers import layers
from chaosjax.curvature._operators import parameters

_ROUNDS = 100


class Alignment(NamedTuple):
    """A network with its hidden units in another order, and perhaps with other signs; it computes the same function.

    Attributes:
        x: the phase point with its parameters; an optimizer's state keeps the old order.
        orders: of each hidden layer: unit i is what unit ``order[i]`` was.
        signs: of each hidden layer: 1, or −1 where a unit changed its sign.
    """

    x: PyTree
    orders: tuple[Int[np.ndarray, " units"], ...]
    signs: tuple[Float[np.ndarray, " units"], ...]


class _Layer(NamedTuple):
    """The places of a layer's kernel ``[..., in, out]`` and bias ``[out]`` among the leaves."""

    kernel: int
    bias: int | None


def aligned(
    system: System,
    x: PyTree,
    reference: PyTree,
    theta: Theta,
    *,
    order: Sequence[str] | None = None,
    odd: bool = False,
) -> Alignment:
    """Reorder a network's hidden units so that its weights are close to those of another one, by weight matching.

    Maximises ``Σ_l ⟨W_l^ref, P_l W_l P_{l−1}ᵀ⟩`` over permutations P_l of hidden layer l: one layer after the other,
    each exactly (the Hungarian method), until none changes: a local optimum, exact for one hidden layer. On the host,
    not under `jax.jit`.

    Args:
        x: a phase point of a feed-forward network: its parameters are layers with a leaf ``kernel [..., in, out]`` and
            perhaps a ``bias [out]``, dense or convolutional; between them the outputs may be flattened, channels last.
        reference: the phase point of another network of the same kind.
        order: the layers' names, first to last, as `layers` has them; by default that of the tree.
        odd: the activation is odd (tanh): units may change their sign too.

    Returns:
        The reordered network.

    Raises:
        ValueError: parameters of another form, an order under which the loss does not stay what it was, or weights
            that are not finite.

    Cost: layers · units³ per round, and two losses.

    Source: Ainsworth, Hayase, Srinivasa, ICLR 2023, arXiv:2209.04836, algorithm 1; Kuhn, Naval Res. Logist. 2 (1955)
        83.
    """
    params = system.params(x)
    flat, tree = jax.tree_util.tree_flatten_with_path(params)
    found = _layers(flat, order)
    leaves, goal = (
        [np.array(leaf) for _, leaf in flat],
        [np.asarray(leaf) for leaf in jax.tree.leaves(system.params(reference))],
    )
    if not all(np.isfinite(leaf).all() for leaf in (*leaves, *goal)):
        raise ValueError("aligned: some weights are not finite; align networks before they diverge")
    orders, signs = _match(leaves, goal, found, odd)
    made = jax.tree.unflatten(tree, [jnp.asarray(leaf, old.dtype) for leaf, (_, old) in zip(leaves, flat, strict=True)])
    _, chart = parameters(system, x)
    y, loss = chart(phase(made)[0]), system.loss
    if loss is not None:
        before, after = (float(loss(point, theta, None)) for point in (x, y))
        if not abs(after - before) <= 1e3 * float(jnp.finfo(leaves[0].dtype).eps) * max(1.0, abs(before)):
            raise ValueError(
                f"aligned: the loss went from {before:g} to {after:g}, so the layers do not follow each other as "
                f"{order or [layer.name for layer in layers(params)]}; give order=[...], first to last, and odd=False "
                "unless the activation is odd"
            )
    return Alignment(y, orders, signs)


def _match(
    leaves: list[np.ndarray], goal: list[np.ndarray], found: list[_Layer], odd: bool
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Reorder the leaves in place, until no layer changes."""
    widths = [leaves[layer.kernel].shape[-1] for layer in found[:-1]]
    orders, signs = [np.arange(n) for n in widths], [np.ones(n) for n in widths]
    for _ in range(_ROUNDS):
        changed = False
        for i, n in enumerate(widths):
            score = _agreement(leaves, goal, found, i)
            _, order = linear_sum_assignment(np.abs(score) if odd else score, maximize=True)
            sign = np.where((score[np.arange(n), order] < 0) & odd, -1.0, 1.0)
            if (order != np.arange(n)).any() or (sign < 0).any():
                changed = True
                _reorder(leaves, found, i, order, sign)
                orders[i], signs[i] = orders[i][order], signs[i][order] * sign
        if not changed:
            break
    return tuple(orders), tuple(signs)


def _layers(flat: list[tuple[Any, Any]], order: Sequence[str] | None) -> list[_Layer]:
    """The layers in the order in which they follow each other."""
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in flat]
    shapes = dict(zip(names, (np.shape(leaf) for _, leaf in flat), strict=True))
    there = [name.rpartition("/")[0] for name in names if name.rpartition("/")[2] == "kernel"]
    kernels = [f"{layer}/kernel".lstrip("/") for layer in (there if order is None else order)]
    found = []
    for name in kernels:
        bias = f"{name.removesuffix('kernel')}bias"
        place = names.index(bias) if bias in names else None
        found.append(_Layer(names.index(name) if name in names else -1, place))
    used = {place for layer in found for place in layer if place is not None}
    fits = used == set(range(len(names))) and all(len(shapes[name]) >= 2 for name in kernels)
    fits = fits and all(shapes[b][-2] % shapes[a][-1] == 0 for a, b in pairwise(kernels))
    if len(found) < 2 or not fits:
        raise ValueError(
            "aligned: the parameters must be two or more layers of a kernel [..., in, out] and perhaps a bias, each "
            f"fed by the one before, in the order {kernels}, and are "
            f"{', '.join(f'{name} {shape}' for name, shape in shapes.items())}; give order=[...], first to last"
        )
    return found


def _incoming(leaf: np.ndarray, units: int) -> np.ndarray:
    """``[units, rest]``: the weights by which a layer reads each of so many units."""
    rows = np.moveaxis(leaf, -2, 0)
    return np.moveaxis(rows.reshape(-1, units, *rows.shape[1:]), 1, 0).reshape(units, -1)


def _agreement(
    leaves: list[np.ndarray], goal: list[np.ndarray], found: list[_Layer], i: int
) -> Float[np.ndarray, "units units"]:
    """``[reference's unit, unit]``: inner product of the weights into and out of hidden layer i."""
    here, following = found[i], found[i + 1]
    units = leaves[here.kernel].shape[-1]
    score = goal[here.kernel].reshape(-1, units).T @ leaves[here.kernel].reshape(-1, units)
    score = score + _incoming(goal[following.kernel], units) @ _incoming(leaves[following.kernel], units).T
    return score if here.bias is None else score + np.outer(goal[here.bias], leaves[here.bias])


def _reorder(leaves: list[np.ndarray], found: list[_Layer], i: int, order: np.ndarray, sign: np.ndarray) -> None:
    here, following = found[i], found[i + 1]
    leaves[here.kernel] = leaves[here.kernel][..., order] * sign
    if here.bias is not None:
        leaves[here.bias] = leaves[here.bias][order] * sign
    kernel = leaves[following.kernel]
    size = kernel.shape[-2]
    repeats = size // len(order)
    places = (np.arange(repeats)[:, None] * len(order) + order[None]).ravel()
    leaves[following.kernel] = kernel[..., places, :] * np.tile(sign, repeats)[:, None]
