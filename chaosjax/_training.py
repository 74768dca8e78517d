"""Training as a map: any optax optimizer, full batch or minibatches, on any problem."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from chaosjax._minibatch import minibatches
from chaosjax._problem import Problem, describe
from chaosjax._system import System, Theta


class TrainingState(NamedTuple):
    """The phase point of training: parameters, optimizer state, and what else the network carries."""

    params: PyTree
    opt_state: PyTree
    model_state: PyTree


def training(
    problem: Problem,
    optimizer: Callable[..., optax.GradientTransformation],
    *,
    batch_size: int | None = None,
    replacement: bool = False,
) -> System:
    """The map of one optimizer step, ``(w, s) → (w + u, s')`` with ``(u, s') = optimizer(∇L(w), s, w)``.

    The optimizer is a factory: called inside every step with the control parameters it takes, it lets one
    compiled program serve a whole grid of learning rates and adds no neutral directions to the phase space.
    Every named argument of the factory is a control parameter; numeric defaults hold where no axis sets them.
    An argument that the optimizer shares with the problem (``weight_decay`` of AdamW) is the optimizer's.

    Args:
        optimizer: any optax optimizer (``optax.sgd``, ``functools.partial(optax.adam, b1=0.95)``), or a function
            of control parameters that returns a GradientTransformation; schedules and chains are made inside it.
        batch_size: samples a step; None takes them all, and the map is deterministic.
        replacement: draw each minibatch afresh; else each epoch is a new permutation, cut into
            ``samples // batch_size`` minibatches (its remainder is left out that epoch).

    Raises:
        ValueError: for a batch size out of range, and, when run, for an optimizer argument without a value.
    """
    accepted = _arguments(optimizer)

    def given(theta: Theta) -> Theta:
        return theta if accepted is None else {name: theta[name] for name in accepted if name in theta}

    def make(theta: Theta) -> optax.GradientTransformationExtraArgs:
        with _explained(optimizer, given(theta)):
            return optax.with_extra_args_support(optimizer(**given(theta)))

    def cast(theta: Theta, params: PyTree) -> Theta:
        dtype = jnp.result_type(*jax.tree.leaves(params))
        return {name: jnp.asarray(value, dtype) for name, value in theta.items()}

    def init(key: PRNGKeyArray, theta: Theta) -> TrainingState:
        params, model = problem.init(key, theta)
        return TrainingState(params, make(cast(theta, params)).init(params), model)

    def objective(params: PyTree, x: TrainingState, theta: Theta, indices: Int[Array, " b"] | None):
        shared = theta if accepted is None else {name: theta[name] for name in theta if name not in accepted}
        return problem.loss(params, x.model_state, shared, indices)

    def step(x: TrainingState, theta: Theta, noise: Int[Array, " b"] | None) -> TrainingState:
        theta = cast(theta, x.params)
        (value, model), grads = jax.value_and_grad(objective, has_aux=True)(x.params, x, theta, noise)
        with _explained(optimizer, given(theta)):
            updates, state = make(theta).update(
                grads,
                x.opt_state,
                x.params,
                value=value,
                grad=grads,
                value_fn=lambda params: objective(params, x, theta, noise)[0],
            )
        params: Any = optax.apply_updates(x.params, updates)
        return TrainingState(params, state, model)

    def loss(x: TrainingState, theta: Theta, noise: Int[Array, " b"] | None) -> Array:
        return objective(x.params, x, cast(theta, x.params), noise)[0]

    outputs = problem.outputs
    metrics = {
        name: lambda x, theta, measure=measure: measure(x.params, x.model_state)
        for name, measure in problem.metrics.items()
    }
    return System(
        init,
        step,
        noise=minibatches(problem.samples, batch_size, replacement),
        loss=loss,
        params=lambda x: x.params,
        metrics=metrics,
        outputs=None if outputs is None else lambda x, theta: outputs(x.params, x.model_state),
        theta=None if accepted is None else {**problem.theta, **accepted},
        attrs={
            **problem.attrs,
            "optimizer": describe(optimizer),
            "batch_size": batch_size,
            "replacement": replacement,
        },
    )


def _arguments(optimizer: Callable) -> dict[str, float | None] | None:
    """Names an optimizer factory can be called with, with their numeric defaults; None where any name goes."""
    parameters = inspect.signature(optimizer).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name: None for parameter in parameters if parameter.kind is not parameter.VAR_POSITIONAL}


@contextmanager
def _explained(optimizer: Callable, given: Theta) -> Iterator[None]:
    """Turns what an optimizer says of the control parameters it is given into what to do about it."""
    try:
        yield
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError) as error:
        if not given:
            raise
        raise ValueError(
            f"optimizer {describe(optimizer)} cannot take {', '.join(given)} as traced numbers: one changes the "
            "program; bind it with functools.partial and run its values as a Hydra multirun"
        ) from error
    except TypeError as error:
        missing = [
            parameter.name
            for parameter in inspect.signature(optimizer).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            and parameter.name not in given
        ]
        if not missing:
            raise
        raise ValueError(
            f"optimizer {describe(optimizer)} needs a value of {', '.join(missing)}: give it as an axis, e.g. "
            f"axes={{'{missing[0]}': [0.1]}}, or bind it with functools.partial"
        ) from error
