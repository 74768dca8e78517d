"""Stability thresholds of optimizers, of minibatches and of sharpness-aware minimisation."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PyTree

from chaosjax._optimizer import Optimizer, optimizer_rule
from chaosjax._precision import working_dtype
from chaosjax._preconditioner import unit_of
from chaosjax._response import edge, response

Numbers = float | Sequence[Any] | np.ndarray | Array
"""A number, or an array of them as NumPy takes it."""

_LATE = 2**20
"""A count of steps after which no bias correction is left."""


def stability_threshold(optimizer: Optimizer, *, step: int | None = None, **theta: Numbers) -> np.ndarray:
    r"""The sharpness up to which an optimizer is stable, as a function of its own hyperparameters.

    The optimizer's own update is linearised on one weight, with its preconditioner P held: for an eigenvalue s of
    ``P⁻¹H`` weight and momenta m obey

    .. math:: (w, m) → (A + s\, b\, e^⊤)(w, m),

    and the threshold is the s at which an eigenvalue of this matrix reaches modulus 1. At an eigenvalue −1 that is
    ``−det(1 + A) / (…)``, a closed form; an earlier loss of stability elsewhere is found by bisection. Known cases:

    | optimizer | threshold | held against |
    |---|---|---|
    | SGD | 2/η | sharpness |
    | heavy ball (`optax.sgd`, momentum β) | 2(1+β)/η | sharpness |
    | Nesterov | 2(1+β)/((1+2β)η) | sharpness |
    | RMSprop, Adagrad | 2/η | preconditioned sharpness |
    | RMSprop with momentum β | 2(1+β)/η | preconditioned sharpness |
    | Adam, AMSGrad, AdaBelief | 2(1+β₁)/((1−β₁)η), 38/η at .9 | preconditioned sharpness |
    | AdamW, weight decay d | (2−ηd)(1+β₁)/((1−β₁)η) | preconditioned sharpness |
    | NAdam | 2(1+β₁)/((1+2β₁)(1−β₁)η) | preconditioned sharpness |

    `probes.preconditioned_sharpness` says what P is, and records the threshold of its own step beside the eigenvalue.

    Args:
        optimizer: as in `training`.
        step: the number of steps before; None: many, when bias corrections are gone. It matters for schedules, and for
            NAdam's first steps.
        theta: control parameters by name, e.g. ``learning_rate=0.1``; arrays broadcast.

    Returns:
        the threshold, of the shape of `theta` broadcast. NaN where no single one is known.

    Raises:
        ValueError: for an optimizer without a threshold: Lion and sign descent, whose step has the same length however
            flat the loss is; those whose step is not odd in the gradient (line searches), or in which one weight's
            gradient moves another; an argument without a value.

    Source: Cohen et al., ICLR 2021, arXiv:2103.00065; Cohen et al., arXiv:2207.14484.
    """
    rule, unit, dtype = optimizer_rule(optimizer), unit_of(optimizer), working_dtype()
    names, count = list(theta), _LATE if step is None else step

    def of(*values: Any) -> Any:
        given = dict(zip(names, values, strict=True))
        one = jnp.ones((), dtype)
        state = jax.tree.map(lambda leaf: _counted(leaf, count), rule.init(one, given))

        def descend(weight: PyTree, gradient: PyTree, state: PyTree) -> tuple[PyTree, PyTree]:
            known = {"value": one, "grad": gradient}
            updates, after = rule.update(gradient, state, weight, given, known)
            return optax.apply_updates(weight, updates), after

        return edge(response(descend, one, one, state), unit(given)).threshold

    values = np.broadcast_arrays(*(np.asarray(value, float) for value in theta.values()))
    every = jnp.vectorize(of) if values else of
    return np.asarray(jax.jit(every)(*(jnp.asarray(value, dtype) for value in values)))


def _counted(leaf: Any, count: int) -> Any:
    """A counter that has counted so far; other leaves as they are."""
    is_counter = jnp.issubdtype(jnp.result_type(leaf), jnp.integer) and jnp.ndim(leaf) == 0
    return jnp.asarray(count, jnp.result_type(leaf)) if is_counter else leaf


def batch_sharpness_thresholds(learning_rate: Numbers, momentum: Numbers = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Where `probes.batch_sharpness` settles in training by minibatches: for small batches, and for large ones.

    ``2(1 − β)/η`` and ``2(1 + β)/η``; without momentum both are 2/η. A momentum β averages small, noisy batches and
    acts as a step of η/(1 − β); of large batches it damps the oscillation instead.

    Source: Andreyev, Beneventano, arXiv:2412.20553.
    """
    rate, momentum = np.asarray(learning_rate, float), np.asarray(momentum, float)
    return np.asarray(2 * (1 - momentum) / rate), np.asarray(2 * (1 + momentum) / rate)


def sam_threshold(learning_rate: Numbers, radius: Numbers, gradient_norm: Numbers) -> np.ndarray:
    r"""The sharpness at which sharpness-aware minimisation, ``w' = w − η ∇L(w + ρ ∇L/|∇L|)``, turns unstable.

    .. math:: \frac{|∇L|}{2ρ} \left(\sqrt{1 + \frac{8ρ}{η|∇L|}} − 1\right),

    for a gradient along the leading eigenvector, whose eigenvalue h the ascent raises to ``h(1 + ρh/|∇L|)``. Below
    2/η, and the lower the smaller the gradient.

    Args:
        learning_rate: η.
        radius: ρ.
        gradient_norm: of the loss.

    Source: Long, Bartlett, Sharpness-Aware Minimization and the Edge of Stability, JMLR 25 (2024), arXiv:2309.12488.
    """
    rate, radius, size = (np.asarray(value, float) for value in (learning_rate, radius, gradient_norm))
    with np.errstate(divide="ignore", invalid="ignore"):
        # rationalised: as it stands it loses all digits for small radii
        return np.asarray(4 / (rate * (1 + np.sqrt(1 + 8 * radius / (rate * size)))))
