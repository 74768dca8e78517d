"""Norms of parameters, gradient and update, and the one table of norms that every probe uses."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from chaosjax._probe import Probe, reading
from chaosjax._transition import Transition

NORMS: dict[str, Callable[[Float[Array, "*batch d"]], Float[Array, "*batch"]]] = {
    "l1": lambda v: jnp.sum(jnp.abs(v), axis=-1),
    "l2": lambda v: jnp.linalg.norm(v, axis=-1),
    "max": lambda v: jnp.max(jnp.abs(v), axis=-1),
}


def norms(norm: str = "l2", of: Sequence[str] = ("params", "grad", "update")) -> Probe:
    """‖params‖, ‖gradient‖ and ‖params[t+1] − params[t]‖, each a variable of its own (``norms_grad``, …).

    The gradient is that of the loss the step descends (the minibatch of step t).

    Args:
        norm: "l1", "l2" or "max".
        of: which of the three; the gradient needs a system with a loss.

    Raises:
        ValueError: for an unknown norm or quantity.
    """
    measure = named_norm(norm)
    vectors = {
        "params": lambda transition: transition.params,
        "grad": lambda transition: transition.batch_grad,
        "update": _update,
    }
    unknown = set(of) - set(vectors)
    if unknown:
        raise ValueError(f"norms: of={sorted(unknown)} is not known; choose from {', '.join(vectors)}")

    def read(transition: Transition) -> dict[str, Array]:
        return {key: measure(ravel_pytree(vectors[key](transition))[0]) for key in of}

    return reading(read, dict.fromkeys(of, ()), long_name=f"{norm} norm", norm=norm)


def named_norm(norm: str) -> Callable[[Float[Array, "*batch d"]], Float[Array, "*batch"]]:
    """The norm over the last axis by name.

    Raises:
        ValueError: for an unknown name.
    """
    if norm not in NORMS:
        raise ValueError(f"norm={norm!r} is not known; choose from {', '.join(NORMS)}")
    return NORMS[norm]


def _update(transition: Transition):
    after, _ = ravel_pytree(transition.system.params(transition.y))
    before, _ = ravel_pytree(transition.params)
    return after - before
