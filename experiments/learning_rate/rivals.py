"""Optimizers that need no learning rate: those of optax.contrib at their defaults, and a curvature-aware tuner."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from jaxtyping import Array, PyTree

DEFAULTS = {"sgd": 0.01, "rmsprop": 0.001, "adam": 0.001, "adamw": 0.001}
"""Learning rates that Keras 3 takes if none is given; optax asks for one."""


class Tuned(NamedTuple):
    """State of `cdat`: that of the base optimizer, and the averages of numerator and denominator."""

    base: Any
    numerator: Array
    denominator: Array
    count: Array


def cdat(optimizer: Callable[..., Any], scale: float = 2.0, memory: float = 0.9) -> Callable[[], Any]:
    """The curvature dynamics aware tuner, ``η_t = σ ⟨max(−gᵀu, 0)⟩ / ⟨|uᵀ H u|⟩``, u the update at learning rate 1.

    Averages are exponential ones, debiased; g and H are those of the step's samples.

    Cost: one Hessian-vector product more per step.

    Source: Roulet et al., NeurIPS 2024, arXiv:2407.06183; σ = 2 is on the edge.
    """

    def factory() -> optax.GradientTransformationExtraArgs:
        base = optax.with_extra_args_support(optimizer(learning_rate=1.0))

        def init(params: PyTree) -> Tuned:
            zero = jnp.zeros((), jax.tree.leaves(params)[0].dtype)
            return Tuned(base.init(params), zero, zero, jnp.zeros((), jnp.int32))

        def update(updates: Any, state: Any, params: Any = None, *, value_fn: Any = None, **_: Any) -> tuple[Any, Any]:
            u, inner = base.update(updates, state.base, params)
            curved = jax.jvp(jax.grad(value_fn), (params,), (u,))[1]
            count = state.count + 1
            numerator = memory * state.numerator + (1 - memory) * jnp.maximum(
                -jnp.asarray(optax.tree.vdot(updates, u)), 0
            )
            denominator = memory * state.denominator + (1 - memory) * jnp.abs(optax.tree.vdot(u, curved))
            eta = scale * numerator / (denominator + 1e-12)
            return optax.tree.scale(eta, u), Tuned(inner, numerator, denominator, count)

        return optax.GradientTransformationExtraArgs(init, update)

    return factory


def tuning_free(optimizer: Callable[..., Any]) -> dict[str, Callable[[], Any]]:
    """Optimizers of optax.contrib at their defaults; `mechanize` tunes the given one from a learning rate of 1."""
    of_contrib = ("prodigy", "dowg", "dog", "dadapt_adamw", "schedule_free_adamw", "momo")
    return {name: _at_its_defaults(getattr(optax.contrib, name)) for name in of_contrib} | {
        "mechanize": lambda: optax.contrib.mechanize(optimizer(learning_rate=1.0))
    }


def _at_its_defaults(factory: Callable[..., Any]) -> Callable[[], Any]:
    return lambda: factory()
