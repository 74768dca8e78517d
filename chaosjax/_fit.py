"""How a loss comes about from the outputs on training samples: what Gauss–Newton and Fisher matrices need to know."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float


class Fit(NamedTuple):
    """A loss as ``mean_i ℓ(f_i, y_i)`` over training samples, plus what does not depend on them (an L2 term).

    Attributes:
        outputs: f ``[n, outputs]`` on the samples of some indices or, for None, on all: ``(x, theta, indices) -> f`` of
            a `System`, ``(params, state, indices) -> f`` of a `Problem`.
        losses: ``(f, indices) -> [n]``, ℓ of each of these samples.
        likelihood: of which ℓ is minus the logarithm, up to a constant: "categorical" (f are logits), "gaussian" (f are
            means, of variance 1), or None.
    """

    outputs: Callable[[Any, Any, Any], Float[Array, "n outputs"]]
    losses: Callable[[Float[Array, "n outputs"], Any], Float[Array, " n"]]
    likelihood: str | None = None
