"""Optimizers in the training map: all of optax against plain loops, and what is refused."""

import inspect
import re
from functools import partial
from pathlib import Path

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import chaosjax as cj
from chaosjax._system import alike


@pytest.fixture(autouse=True, scope="module")
def _compile_quickly(compile_quickly):
    jax.config.update("jax_disable_most_optimizations", True)


INPUTS, TARGETS, KERNEL = (np.random.default_rng(n).standard_normal((4, n)) for n in (2, 3, 3))
PARAMS = {"kernel": jnp.asarray(KERNEL[:2]), "bias": jnp.full(3, 0.1)}


@jax.jit
def mean_error(params):
    return jnp.mean((jnp.tanh(INPUTS @ params["kernel"]) + params["bias"][None] - TARGETS) ** 2)


TINY = cj.Problem(
    init=lambda key, theta: (PARAMS, ()), loss=lambda params, state, theta, indices: (mean_error(params), state)
)


def plain_loop(optimizer, extras=("value", "grad", "value_fn"), ahead=False, steps=3):
    """Parameters after some steps as optax's documentation takes them."""
    params = optax.LookaheadParams.init_synced(PARAMS) if ahead else PARAMS
    state = optimizer.init(params)
    for _ in range(steps):
        value, grads = jax.value_and_grad(mean_error)(params.fast if ahead else params)
        known = {"value": value, "grad": grads, "value_fn": mean_error, "obj_fn": mean_error}
        known["grad_fn"] = lambda params, i: jax.grad(mean_error)(params)
        extra = {name: known[name] for name in extras}
        updates, state = optax.with_extra_args_support(optimizer).update(grads, state, params, **extra)
        params = optax.apply_updates(params, updates)
    return params.fast if ahead else params


def map_loop(optimizer, theta, steps=3):
    """The same of the training map: traced once, for what a sweep would refuse, and then run operation by operation."""
    system = cj.training(TINY, optimizer)
    x = system.init(jax.random.key(0), theta)
    jax.eval_shape(lambda x, theta: alike(system.step(x, theta, None), x), x, theta)
    for _ in range(steps):
        x = alike(system.step(x, theta, None), x)
    return x.params


def distance(left, right):
    return max(float(jnp.max(jnp.abs(a - b))) for a, b in zip(*map(jax.tree.leaves, (left, right)), strict=True))


INNER = optax.sgd(0.1, momentum=0.9)
# What factories need, by the name of the argument. Floats become control parameters, the rest is bound.
ARGUMENTS = {
    **dict.fromkeys(("inner", "optimizer", "base_optimizer", "fast_optimizer", "tx"), INNER),
    **dict.fromkeys(("clipping", "max_delta", "max_norm", "threshold"), 0.1),
    **{name: {"kernel": True, "bias": False} for name in ("mask", "freeze_mask")},
    **dict.fromkeys(("max_backtracking_steps", "max_linesearch_steps"), 5),
    "adv_optimizer": optax.sgd(0.05),
    "decay": 0.9,
    "eta": 0.01,
    "f": lambda updates, params=None: updates,
    "gamma": 0.55,
    "key": jax.random.key(0),
    "l2_norm_clip": 1.0,
    "learning_rate": 0.1,
    "max_consecutive_errors": 3,
    "measure": lambda updates: updates["bias"],
    "measure_name": "bias",
    "measures": {"bias": lambda updates: updates["bias"]},
    "noise_multiplier": 0.1,
    "param_labels": {"kernel": "a", "bias": "b"},
    "seed": 0,
    "should_transform_fn": lambda count: count % 2 == 0,
    "slow_step_size": 0.5,
    "step_size": -0.1,
    "step_size_fn": lambda count: -0.1 / (1 + count),
    "sync_period": 2,
    "transforms": {"a": INNER, "b": optax.sgd(0.2)},
}
# Names that look like factories of a transformation and are none, or whose arguments are no optimizer's.
NO_OPTIMIZERS = {
    *("bias_correction", "update_moment", "update_infinity_moment", "update_moment_per_elem_norm"),  # arithmetic
    *("matrix_inverse_pth_root", "sigmoid_binary_cross_entropy"),  # functions of arrays
    *("inject_hyperparams", "inject_stateful_hyperparams"),  # make a factory of a factory
    "schedule_free_eval_params",  # reads parameters off a state
    "measure_with_ema",  # a part of `monitor`: what it returns are no updates
    "scale_by_muon",  # a part of `muon`, which tells it the matrices
    *("chain", "named_chain"),  # take any number of transformations; tested by the recipes
}
# Those that take less, or other arguments, than "value", "grad" and "value_fn".
EXTRAS = {"sam": (), "sophia": ("obj_fn",), "hutchinson_estimator_diag_hessian": ("obj_fn",)}
# The first two take the gradient of each sample; the state of the last changes its structure at the first step.
REFUSED = {"dpsgd", "differentially_private_aggregate", "monitor"}
SLOW = {"lbfgs", "scale_by_zoom_linesearch", "sophia", "muon"}  # loops inside a step, compiled each time


def factories():
    """Every function of optax and optax.contrib that returns, or does not say that it does not, a transformation."""
    for name, made in [*vars(optax).items(), *vars(optax.contrib).items()]:
        if not inspect.isfunction(made) or name.startswith("_") or name in NO_OPTIMIZERS:
            continue
        returned = inspect.signature(made).return_annotation
        if returned is inspect.Signature.empty or "GradientTransformation" in str(returned):
            yield name, made


def verdict(name, factory):
    """How the map compares with the plain loop: "agrees", "refused", or what else happens."""
    try:
        needed = [
            parameter.name
            for parameter in inspect.signature(factory).parameters.values()
            if parameter.default is parameter.empty or parameter.name == "key"
        ]
        given = {argument: ARGUMENTS[argument] for argument in needed}
        theta = {argument: jnp.float64(value) for argument, value in given.items() if isinstance(value, float)}
        bound = partial(factory, **{argument: given[argument] for argument in needed if argument not in theta})
        try:
            found = map_loop(bound, theta)
        except ValueError as error:
            return "refused" if str(error).startswith("optimizer ") else repr(error)
        expected = plain_loop(bound(**theta), EXTRAS.get(name, plain_loop.__defaults__[0]), name == "lookahead")
        apart = distance(found, expected)
        return "agrees" if apart < 1e-12 else f"{apart:g} apart"
    except Exception as error:  # of any kind: it is reported by name
        return repr(error)


@pytest.mark.filterwarnings("ignore:Specifying a key", "ignore:.*deprecated")
@pytest.mark.parametrize("slow", [False, pytest.param(True, marks=pytest.mark.long)])
def test_every_optimizer_of_optax_agrees_with_the_plain_loop_or_is_refused(slow):
    with jax.numpy_rank_promotion("allow"):  # optax's own
        found = {name: verdict(name, factory) for name, factory in factories() if (name in SLOW) is slow}
    assert len(found) == len(SLOW) if slow else len(found) > 110
    assert {name: said for name, said in found.items() if said not in ("agrees", "refused")} == {}
    assert {name for name, said in found.items() if said == "refused"} == (set() if slow else REFUSED)


def test_a_transformation_is_taken_with_its_constants():
    problem = TINY._replace(
        loss=lambda params, state, theta, indices: (theta["weight_decay"] * jnp.sum(params["kernel"] ** 2), state),
        theta={"weight_decay": None},
    )
    system, of_factory = (cj.training(problem, optimizer) for optimizer in (optax.sgd(0.1), optax.sgd))
    points = [s.init(jax.random.key(0), theta) for s, theta in ((system, {}), (of_factory, {"learning_rate": 0.1}))]
    after = system.step(points[0], {"weight_decay": 0.5}, None)
    expected = of_factory.step(points[1], {"weight_decay": 0.5, "learning_rate": 0.1}, None)
    assert distance(after.params, expected.params) < 1e-15
    with pytest.raises(ValueError, match="takes no learning_rate: pass the factory instead"):
        cj.sweep(system, {}, {"learning_rate": [0.1]}, steps=2, progress=False)


def test_a_transformation_is_described_by_what_it_holds():
    words = [cj.training(TINY, optax.adam(rate)).attrs["optimizer"] for rate in (0.1, 0.1, 0.2)]
    assert words[0] == words[1] == words[2].replace("-0.2", "-0.1") != words[2]
    assert "scale_by_adam(b1=0.9, b2=0.999" in words[0]
    for optimizer in (optax.contrib.muon(0.1), optax.lbfgs(), optax.sgd(optax.cosine_decay_schedule(0.1, 9))):
        assert " at 0x" not in cj.training(TINY, optimizer).attrs["optimizer"]


def recipes():
    """The functions of the page on optimizers."""
    page = (Path(__file__).parents[1] / "docs" / "recipes_optimizers.md").read_text()
    names = {"jnp": jnp, "optax": optax}
    exec("\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)), names)
    return names


RATE = jnp.float64(0.3)  # of a Python number optax makes a schedule in float32, and a cosine always
COSINE = optax.warmup_cosine_decay_schedule(0.0, 1.0, 4, 20)
GRAD_FN = {"extras": ("grad_fn",)}
ASCENT = optax.chain(optax.contrib.normalize(), optax.sgd(0.05))
# Theta of each recipe, the same with the numbers in place, and what differs in its plain loop
RECIPES = {
    "warmed_up": ({}, optax.sgd(optax.linear_schedule(0.0, RATE, 4)), {}),
    "cosine": ({}, optax.adamw(lambda count: RATE * COSINE(count), weight_decay=1e-4), {}),
    "dropped": ({"drop_at": 4.0}, optax.sgd(optax.piecewise_constant_schedule(RATE, {4: 0.1})), {}),
    "clipped": ({"max_norm": 0.2}, optax.chain(optax.clip_by_global_norm(0.2), optax.sgd(RATE, momentum=0.9)), {}),
    "sharpness_aware": ({"radius": 0.05}, optax.contrib.sam(optax.sgd(RATE), ASCENT, opaque_mode=True), GRAD_FN),
    "looking_ahead": ({"slow_step_size": 0.5}, optax.lookahead(optax.sgd(RATE), 5, 0.5), {"ahead": True}),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_the_optimizer_with_its_numbers_in_place(name):
    theta, constants, options = RECIPES[name]
    found = map_loop(recipes()[name], {"learning_rate": RATE, **theta}, steps=7)
    assert distance(found, plain_loop(constants, steps=7, **options)) < 1e-12


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda learning_rate: optax.lookahead(optax.adam(learning_rate), 2, 0.5, reset_state=True),
        lambda learning_rate: optax.contrib.sam(optax.adam(learning_rate), optax.sgd(0.05)),
        lambda learning_rate: recipes()["cosine"](learning_rate),
    ],
)
def test_a_state_in_float32_keeps_its_dtypes_under_x64(optimizer):
    system = cj.training(cases.problem(dtype="float32"), optimizer)
    x = jax.eval_shape(system.init, jax.random.key(0), {"learning_rate": RATE})
    y = jax.eval_shape(system.step, x, {"learning_rate": RATE}, None)
    changed = jax.tree.map(lambda old, new: (old.dtype, new.dtype) if old.dtype != new.dtype else None, x, y)
    assert jax.tree.leaves(changed) == []


def decides(learning_rate):
    return optax.sgd(lambda count: learning_rate if count < 3 else 0.1)


@pytest.mark.parametrize(
    ("optimizer", "theta", "message"),
    [
        (
            lambda learning_rate: optax.sgd(optax.warmup_cosine_decay_schedule(0.0, learning_rate, 3, 20)),
            {"learning_rate": 0.1},
            r"unit = optax.warmup_cosine_decay_schedule\(…\) of constants.*lambda count: learning_rate \* unit",
        ),
        (cases.scheduled, {"learning_rate": 0.1, "decay": 0.9}, r"optax.exponential_decay cannot be made of traced"),
        (decides, {"learning_rate": 0.1}, r"decides.<locals>.<lambda> decides in Python.*jnp.where, or bind"),
        (decides(0.1), {}, r"decides.<locals>.<lambda> decides in Python.*with jnp.where(?!, or bind)"),
        (optax.chain(optax.lookahead(INNER, 5, 0.5)), {}, "lookahead must be outermost"),
        (optax.chain(optax.contrib.sam(INNER, ASCENT)), {}, "put a part that cannot take them outermost"),
        (
            optax.GradientTransformationExtraArgs(lambda params: (), lambda grads, state, params, *, curvature: grads),
            {},
            "its update needs curvature, a training step offers value, grad",
        ),
    ],
)
def test_what_an_optimizer_cannot_do_is_said_with_the_remedy(optimizer, theta, message):
    with pytest.raises(ValueError, match=message):
        map_loop(optimizer, theta)
