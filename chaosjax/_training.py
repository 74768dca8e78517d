"""Training as a map: any optax optimizer, full batch or minibatches, on any problem."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from chaosjax._minibatch import minibatches
from chaosjax._optimizer import Optimizer, optimizer_rule
from chaosjax._preconditioner import unit_of
from chaosjax._problem import Measure, Problem
from chaosjax._system import Descent, Reading, System, Theta


class TrainingState(NamedTuple):
    """The phase point of training: parameters, optimizer state, and what else the network carries."""

    params: PyTree
    opt_state: PyTree
    model_state: PyTree


def training(
    problem: Problem,
    optimizer: Optimizer,
    *,
    batch_size: int | None = None,
    replacement: bool = False,
) -> System:
    """The map of one optimizer step, ``(w, s) → (w + u, s')`` with ``(u, s') = optimizer(∇L(w), s, w)``.

    The optimizer is a factory, called inside every step with the control parameters it takes: so one compiled
    program serves a whole grid of learning rates, and the phase space gets no neutral directions. Every named
    argument of the factory is a control parameter; its own defaults hold where no axis sets one. An argument that
    the optimizer shares with the problem (``weight_decay`` of AdamW) is the optimizer's. An update that asks for
    them by name gets ``value``, ``grad``, ``value_fn(params)``, ``obj_fn(params)`` and ``grad_fn(params, i)``, all
    of the samples of this step. Under `optax.lookahead` the parameters are the fast ones; the slow ones are in
    the optimizer's state.

    Args:
        problem: what is learned.
        optimizer: any optax optimizer (``optax.sgd``, ``functools.partial(optax.adam, b1=0.95)``), or a function
            of control parameters that returns a GradientTransformation; schedules and chains are made inside it.
            A transformation itself (``optax.sgd(0.1)``) is accepted too: then it has no control parameters.
        batch_size: samples per step; None takes them all, and the map is deterministic.
        replacement: draw each minibatch afresh; else each epoch is a new permutation, cut into
            ``samples // batch_size`` minibatches (the samples left over are not used in that epoch).

    Cost:
        one gradient per step, and what the optimizer asks for itself (a line search, an ascent before the descent).

    Returns:
        the system; its phase point is a `TrainingState`.

    Raises:
        ValueError: for a batch size out of range, and, when run: for an optimizer argument without a value, a
            Python decision on a control parameter, a learning rate for a transformation that has its own, and a
            transformation that needs what a step does not have.
        TypeError: for an optimizer that is neither a factory nor a transformation.
    """
    rule = optimizer_rule(optimizer)

    def init(key: PRNGKeyArray, theta: Theta) -> TrainingState:
        params, model = problem.init(key, theta)
        return TrainingState(params, rule.init(params, _cast(theta, params)), model)

    def objective(params: PyTree, x: TrainingState, theta: Theta, indices: Int[Array, " b"] | None):
        own = theta if rule.theta is None else {name: theta[name] for name in theta if name not in rule.theta}
        return problem.loss(params, x.model_state, own, indices)

    def moved(
        params: PyTree, gradient: PyTree, state: PyTree, x: TrainingState, theta: Theta, noise: Any, value: Array | None
    ) -> tuple[PyTree, PyTree]:
        """The optimizer's step along a gradient."""

        extras = _extras(lambda params: objective(params, x, theta, noise)[0], params, gradient, value)
        updates, state = rule.update(gradient, state, params, theta, extras)
        new: Any = optax.apply_updates(params, updates)
        return new, state

    def step(x: TrainingState, theta: Theta, noise: Int[Array, " b"] | None) -> TrainingState:
        theta = _cast(theta, x.params)
        (value, model), gradient = jax.value_and_grad(objective, has_aux=True)(x.params, x, theta, noise)
        params, state = moved(x.params, gradient, x.opt_state, x, theta, noise, value)
        return TrainingState(params, state, model)

    def descend(
        params: PyTree, gradient: PyTree, state: PyTree, x: TrainingState, theta: Theta, noise: Any
    ) -> tuple[PyTree, PyTree]:
        return moved(params, gradient, state, x, _cast(theta, params), noise, None)

    def loss(x: TrainingState, theta: Theta, noise: Int[Array, " b"] | None) -> Array:
        return objective(x.params, x, _cast(theta, x.params), noise)[0]

    outputs, fit = problem.outputs, problem.fit
    return System(
        init,
        step,
        noise=minibatches(problem.samples, batch_size, replacement),
        loss=loss,
        params=lambda x: x.params,
        metrics={name: _of_state(measure) for name, measure in problem.metrics.items()},
        outputs=None if outputs is None else lambda x, theta: outputs(x.params, x.model_state),
        descent=Descent(lambda x: x.opt_state, descend, unit_of(optimizer)),
        theta=None if rule.theta is None else {**problem.theta, **rule.theta},
        attrs={**problem.attrs, "optimizer": rule.words, "batch_size": batch_size, "replacement": replacement},
        fit=fit and fit._replace(outputs=lambda x, theta, noise: fit.outputs(x.params, x.model_state, noise)),
        mesh=problem.mesh,
        microbatch=problem.microbatch,
    )


def _cast(theta: Theta, params: PyTree) -> Theta:
    """The control parameters in the precision of the network's."""
    dtype = jnp.result_type(*jax.tree.leaves(params))
    return {name: jnp.asarray(value, dtype) for name, value in theta.items()}


def _extras(loss: Callable[[PyTree], Array], params: PyTree, gradient: PyTree, value: Array | None) -> dict[str, Any]:
    """What an update may ask for by name."""

    def again(params: PyTree, grad_fn: Any = None, obj_fn: Any = None) -> Array:
        """The loss; optax's line searches pass on to it what they do not take themselves."""
        return loss(params)

    return {
        "value": loss(params) if value is None else value,
        "grad": gradient,
        "value_fn": again,
        "obj_fn": again,
        "grad_fn": lambda params, i: jax.grad(loss)(params),
    }


def _of_state(measure: Measure) -> Reading:
    return lambda x, theta: measure(x.params, x.model_state)
