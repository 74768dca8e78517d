"""Stability thresholds and preconditioned sharpness against closed forms and the dense Jacobians of real updates."""

from functools import partial

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import chaosjax as cj

RATE, B = 0.07, 0.8
CLOSED_FORMS = {
    "sgd": (optax.sgd, 2 / RATE),
    "heavy ball": (partial(optax.sgd, momentum=B), 2 * (1 + B) / RATE),
    "nesterov": (partial(optax.sgd, momentum=B, nesterov=True), 2 * (1 + B) / ((1 + 2 * B) * RATE)),
    "rmsprop": (optax.rmsprop, 2 / RATE),
    "rmsprop, momentum": (partial(optax.rmsprop, momentum=B), 2 * (1 + B) / RATE),
    "rmsprop, nesterov": (partial(optax.rmsprop, momentum=B, nesterov=True), 2 * (1 + B) / ((1 + 2 * B) * RATE)),
    "rmsprop, centred": (partial(optax.rmsprop, centered=True, bias_correction=True), 2 / RATE),
    "adam": (partial(optax.adam, b1=B), 2 * (1 + B) / ((1 - B) * RATE)),
    "adamw": (partial(optax.adamw, b1=B, weight_decay=0.5), (2 - 0.5 * RATE) * (1 + B) / ((1 - B) * RATE)),
    "nadam": (partial(optax.nadam, b1=B), 2 * (1 + B) / ((1 + 2 * B) * (1 - B) * RATE)),
    "adagrad": (optax.adagrad, 2 / RATE),
    "amsgrad": (partial(optax.amsgrad, b1=B), 2 * (1 + B) / ((1 - B) * RATE)),
    "adabelief": (partial(optax.adabelief, b1=B), 2 * (1 + B) / ((1 - B) * RATE)),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_threshold_is_the_closed_form(name):
    optimizer, exact = CLOSED_FORMS[name]
    np.testing.assert_allclose(cj.stability_threshold(optimizer, learning_rate=RATE), exact, rtol=1e-12)


def test_hyperparameters_broadcast_and_a_constant_optimizer_has_a_threshold_too():
    rates, betas = np.array([0.1, 0.2, 0.4]), np.array([[0.0], [0.9]])
    found = cj.stability_threshold(optax.sgd, learning_rate=rates, momentum=betas)
    np.testing.assert_allclose(found, 2 * (1 + betas) / rates, rtol=1e-12)
    np.testing.assert_allclose(cj.stability_threshold(optax.sgd(0.5, momentum=0.9)), 3.8 / 0.5, rtol=1e-12)


def scheduled(learning_rate):
    return optax.sgd(lambda count: learning_rate / (1 + count), momentum=0.5)


def test_a_schedule_has_the_threshold_of_its_step():
    np.testing.assert_allclose(cj.stability_threshold(scheduled, step=4, learning_rate=0.1), 3 * 5 / 0.1, rtol=1e-12)


def test_a_loss_of_stability_without_a_flip_is_found():
    """Two complex roots leave: z² − z + s, of product s, before z = −1 is reached at s = −2 (never)."""
    response = jax.jit(cj._response.largest_stable)(jnp.array([1.0, -1.0, 0.0, 0.0]), jnp.array([0.0, 0.4, 0.6]))
    poly = lambda s: np.abs(np.roots([1, -1, 0.4 * s, 0.6 * s])).max()  # noqa: E731
    assert poly(float(response) * (1 - 1e-9)) < 1 < poly(float(response) * (1 + 1e-9))


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (optax.lion, "no stability threshold: its step jumps with the sign of the gradient, as Lion's does"),
        (lambda learning_rate: optax.MultiSteps(optax.sgd(learning_rate), 2), "is not odd .by the operation 'cond'"),
        (optax.lbfgs, "is not odd"),
        (lambda learning_rate: optax.chain(optax.centralize(), optax.sgd(learning_rate)), "one parameter's gradient"),
    ],
)
def test_what_has_no_threshold_is_refused(optimizer, message):
    system = cj.training(cases.problem(), optimizer)
    theta = {"learning_rate": 0.1}
    x = jax.jit(system.init)(jax.random.key(0), theta)
    with pytest.raises(ValueError, match=message):
        _ = cj.Transition(system, jnp.int32(0), x, theta, jax.random.key(0)).edge


CURVATURE = np.array([[3.0, 0.4, 0.1], [0.4, 2.0, -0.7], [0.1, -0.7, 1.0]])
SQUARES = jnp.array([0.3, 2.0, 0.01])


def quadratic():
    """½ w·Hw, from w = 0."""
    return cj.Problem(
        init=lambda key, theta: (jnp.zeros(3), ()),
        loss=lambda params, state, theta, indices: (0.5 * params @ jnp.asarray(CURVATURE) @ params, state),
    )


REAL = {
    **{name: optimizer for name, (optimizer, _) in CLOSED_FORMS.items()},
    "adam, early": partial(optax.adam, eps=1e-3, eps_root=1e-4),
    "yogi": optax.yogi,
    "adamax": optax.adamax,
    "adan": optax.adan,
    "optimistic": optax.optimistic_gradient_descent,
    "ademamix": partial(optax.contrib.ademamix, alpha=2.0),
    "adopt": optax.contrib.adopt,
    "fromage": optax.fromage,
    "lamb": optax.lamb,
    "lars": optax.lars,
    "noisy": partial(optax.noisy_sgd, key=jax.random.key(0)),
    "clipped": lambda learning_rate: optax.chain(optax.clip(0.5), optax.sgd(learning_rate, momentum=0.5)),
    "clipped, decayed": lambda learning_rate: optax.chain(
        optax.clip_by_global_norm(1.0), optax.sgd(learning_rate, momentum=0.9), optax.add_decayed_weights(-0.01)
    ),
}
COUNTS = {"adam, early": 2}


def at_rest(optimizer, count):
    """A training at a minimum of the quadratic: momenta 0, means of squares as given, so that they stay even."""
    system = cj.training(quadratic(), optimizer)

    def point(rate):
        x = system.init(jax.random.key(0), {"learning_rate": rate})

        def put(path, leaf):
            name = jax.tree_util.keystr(path)
            if jnp.issubdtype(leaf.dtype, jnp.integer):
                return jnp.asarray(count, leaf.dtype)
            squares = any(word in name for word in (".nu", "sum_of_squares", ".v"))
            return SQUARES if squares and leaf.shape == (3,) else leaf

        return x._replace(opt_state=jax.tree_util.tree_map_with_path(put, x.opt_state))

    return system, point


@pytest.mark.parametrize("name", REAL)
def test_the_boundary_of_a_quadratic_is_that_of_the_dense_jacobian_of_the_real_update(name):
    system, point = at_rest(REAL[name], COUNTS.get(name, 300))
    probe = cj.probes.preconditioned_sharpness(tolerance=1e-10)

    @jax.jit
    def jacobian(rate):
        u, chart = cj.phase(point(rate))
        return jax.jacfwd(lambda u: cj.phase(system.step(chart(u), {"learning_rate": rate}, None))[0])(u)

    @jax.jit
    def ratio(rate):
        x, theta = point(rate), {"learning_rate": rate}
        memory = probe.init(jax.random.key(1), x, theta)
        record = probe.emit(memory, cj.Transition(system, jnp.int32(0), x, theta, jax.random.key(0)))[1]
        return record[""][0] / record["threshold"], record["converged"][0]

    low, high = 1e-6, 1e3
    for _ in range(60):
        middle = (low * high) ** 0.5
        beyond = np.abs(np.linalg.eigvals(jacobian(middle))).max() > 1 + 1e-10
        low, high = (low, middle) if beyond else (middle, high)
    at_the_edge, converged = ratio(high)
    assert converged
    np.testing.assert_allclose(at_the_edge, 1, rtol=1e-6)
    assert ratio(0.99 * high)[0] < 1 < ratio(1.01 * high)[0]


EPS, ROOT = 1e-3, 1e-5


def inverse_of_adam(state, count, rate):
    nu = state.nu / (1 - 0.999**count)
    return 1 / ((1 - 0.9**count) * (jnp.sqrt(nu + ROOT) + EPS))


BY_HAND = {
    "adam": (partial(optax.adam, eps=EPS, eps_root=ROOT), inverse_of_adam),
    "adamw": (partial(optax.adamw, eps=EPS, eps_root=ROOT, weight_decay=0.1), inverse_of_adam),
    "rmsprop": (partial(optax.rmsprop, eps=EPS), lambda state, count, rate: 1 / jnp.sqrt(state.nu + EPS)),
    "adagrad": (partial(optax.adagrad, eps=EPS), lambda state, count, rate: 1 / jnp.sqrt(state.sum_of_squares + EPS)),
    "nadam": (
        partial(optax.nadam, eps=EPS, eps_root=ROOT),
        lambda state, count, rate: (
            (0.09 / (1 - 0.9 ** (count + 1)) + 0.1 / (1 - 0.9**count))
            / (0.19 * (jnp.sqrt(state.nu / (1 - 0.999**count) + ROOT) + EPS))
        ),
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_preconditioner_is_that_of_the_step_by_its_formula(name):
    optimizer, inverse = BY_HAND[name]
    system, theta, steps = cj.training(cases.problem(), optimizer), {"learning_rate": 0.02}, 4
    probe = cj.probes.preconditioned_sharpness(k=2, smallest=1, tolerance=1e-9)
    ds = cj.sweep(system, {"s": probe}, {"learning_rate": [0.02]}, steps=steps, progress=False).squeeze()
    x = system.init(jax.random.fold_in(jax.random.key(0), 0), theta)
    _, unravel = jax.flatten_util.ravel_pytree(x.params)

    @jax.jit
    def exact(x, count):
        """All eigenvalues of P⁻¹H at x, with P of the state after the step."""
        y = system.step(x, theta, None)
        moments = jax.tree.map(lambda leaf: jax.flatten_util.ravel_pytree(leaf)[0], y.opt_state[0], is_leaf=_is_params)
        hessian = jax.hessian(lambda w: system.loss(x._replace(params=unravel(w)), theta, None))
        root = jnp.sqrt(inverse(moments, count, 0.02))
        w = jax.flatten_util.ravel_pytree(x.params)[0]
        return y, jnp.linalg.eigvalsh(root[:, None] * hessian(w) * root[None])

    for t in range(steps + 1):
        x, values = exact(x, t + 1)
        np.testing.assert_allclose(ds.s.isel(time=t), values[:-3:-1], rtol=1e-6)
        np.testing.assert_allclose(ds.s_smallest.isel(time=t), values[:1], rtol=1e-6)
    assert ds.s_converged.values.all()


def sizes(tree):
    return {name: float(jnp.linalg.norm(leaf)) for name, leaf in flattened(tree).items()}


def flattened(tree):
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


GAINS = {  # of a first step, by layer; the distance of DoG from where it began is the least that it knows
    "lars": (
        partial(optax.lars, momentum=B),
        lambda w, g, loss: {name: RATE * 1e-3 * sizes(w)[name] / size for name, size in sizes(g).items()},
        1 + B,
    ),
    "polyak": (
        partial(optax.polyak_sgd, max_learning_rate=1e3),
        lambda w, g, loss: dict.fromkeys(sizes(g), loss / sum(n**2 for n in sizes(g).values())),
        1,
    ),
    "dog": (
        partial(optax.contrib.dog, init_step=("distance", 1e-3), eps=0.0),
        lambda w, g, loss: dict.fromkeys(sizes(g), RATE * 1e-3 / sum(n**2 for n in sizes(g).values()) ** 0.5),
        1,
    ),
}


@pytest.mark.parametrize("name", GAINS)
def test_step_sizes_made_of_norms_values_and_distances_are_held(name):
    optimizer, gain, factor = GAINS[name]
    system, theta = cj.training(cases.problem(), optimizer), {"learning_rate": RATE}
    x = system.init(jax.random.key(0), theta)
    x = x._replace(params=jax.tree.map(lambda leaf: leaf + 0.3, x.params))  # no layer of norm 0
    x = x._replace(opt_state=(optimizer() if name == "polyak" else optimizer(RATE)).init(x.params))
    transition = cj.Transition(system, jnp.int32(0), x, theta, jax.random.key(0))
    found, g, loss = jax.jit(lambda: (transition.edge, transition.batch_grad, transition.loss))()
    by_layer = gain(x.params, g, float(loss))
    every = np.concatenate([np.full(leaf.size, by_layer[key]) for key, leaf in flattened(x.params).items()])
    adaptive = name == "dog"
    np.testing.assert_allclose(found.inverse, every / (1 if adaptive else every.max()), rtol=1e-6)
    np.testing.assert_allclose(found.threshold, 2 * factor / (1 if adaptive else every.max()), rtol=1e-6)


def _is_params(leaf):
    return isinstance(leaf, dict)


def test_of_gradient_descent_it_is_the_sharpness_and_a_dead_cell_leaves_the_others():
    system = cj.training(cases.problem(), cases.heavy_ball)
    axes = {"learning_rate": [0.05, 1e308, 0.4]}
    probes = {"s": cj.probes.sharpness(tolerance=1e-8), "p": cj.probes.preconditioned_sharpness(tolerance=1e-8)}
    ds = cj.sweep(system, probes, axes, steps=6, cells_per_batch=3, progress=False)
    dead, live = ds.sel(learning_rate=1e308), ds.sel(learning_rate=[0.05, 0.4])
    assert np.isnan(dead.p.isel(time=-1)).all()
    assert not dead.p_converged.isel(time=-1).any()
    assert live.p_converged.all()
    np.testing.assert_allclose(live.p, live.s, rtol=1e-10)
    threshold = 2 * 1.9 / live.learning_rate.values
    np.testing.assert_allclose(live.p_threshold, np.broadcast_to(threshold[:, None], (2, 7)), rtol=1e-12)
    alone = cj.sweep(system, probes, {"learning_rate": [0.4]}, steps=6, progress=False).squeeze("learning_rate")
    np.testing.assert_allclose(alone.p, ds.p.sel(learning_rate=0.4), rtol=1e-9)


def test_float32_finds_the_same_to_its_precision():
    theta, found = {"learning_rate": 0.02}, {}
    for dtype in ("float32", "float64"):
        system = cj.training(cases.problem(dtype=dtype), partial(optax.adam, eps=EPS))
        x = jax.jit(system.init)(jax.random.key(0), theta)
        edge = jax.jit(lambda x, system=system: cj.Transition(system, jnp.int32(0), x, theta, jax.random.key(0)).edge)
        found[dtype] = edge(x)
        assert found[dtype].threshold.dtype == found[dtype].inverse.dtype == dtype
    np.testing.assert_allclose(found["float32"].threshold, 38 / 0.02, rtol=1e-6)
    np.testing.assert_allclose(found["float32"].inverse, found["float64"].inverse, rtol=1e-3)


def groups(learning_rate):
    labels = {"hidden": {"kernel": "a", "bias": "a"}, "head": {"kernel": "b", "bias": "b"}}
    return optax.multi_transform({"a": optax.sgd(learning_rate), "b": optax.sgd(learning_rate, momentum=0.9)}, labels)


def test_no_single_threshold_is_nan_and_a_refused_optimizer_can_fall_back():
    refused = cj.training(cases.problem(), optax.lion)
    probe = cj.probes.preconditioned_sharpness(fallback=True, tolerance=1e-8)
    probes = {"p": probe, "s": cj.probes.sharpness(tolerance=1e-8)}
    ds = cj.sweep(refused, probes, {"learning_rate": [0.01]}, steps=1, progress=False)
    assert np.isnan(ds.p_threshold).all()
    np.testing.assert_allclose(ds.p, ds.s, rtol=1e-10)
    system, theta = cj.training(cases.problem(), groups), {"learning_rate": 0.1}
    x = system.init(jax.random.key(0), theta)
    edge = cj.Transition(system, jnp.int32(0), x, theta, jax.random.key(0)).edge
    assert np.isnan(edge.threshold)
    np.testing.assert_allclose(edge.inverse, 1)


def test_batch_sharpness_is_the_mean_over_the_minibatches_of_other_streams():
    system, theta = cj.training(cases.problem(), optax.sgd, batch_size=3), {"learning_rate": 0.1}
    x = jax.jit(system.init)(jax.random.key(0), theta)
    transition = cj.Transition(system, jnp.int32(2), x, theta, jax.random.key(5))
    record = jax.jit(lambda: cj.probes.batch_sharpness(6).emit((), transition)[1])()
    w, unravel = jax.flatten_util.ravel_pytree(x.params)
    noise, products, squares = jax.jit(system.noise), [], []
    loss = lambda w, indices: system.loss(x._replace(params=unravel(w)), theta, indices)  # noqa: E731
    derivatives = jax.jit(lambda w, indices: (jax.grad(loss)(w, indices), jax.hessian(loss)(w, indices)))
    for stream in range(1, 7):
        indices = noise(jax.random.fold_in(jax.random.key(5), stream), jnp.int32(2))
        gradient, hessian = derivatives(w, indices)
        products.append(float(gradient @ hessian @ gradient))
        squares.append(float(gradient @ gradient))
    a, b = np.array(products), np.array(squares)
    np.testing.assert_allclose(record[""], np.mean(a / b), rtol=1e-10)
    np.testing.assert_allclose(record["error"], np.std(a / b, ddof=1) / 6**0.5, rtol=1e-10)
    np.testing.assert_allclose(record["of_means"], a.mean() / b.mean(), rtol=1e-10)
    errors = np.std(a - a.mean() / b.mean() * b, ddof=1) / b.mean() / 6**0.5
    np.testing.assert_allclose(record["of_means_error"], errors, rtol=1e-10)


def test_batch_sharpness_needs_minibatches():
    system, theta = cj.training(cases.problem(), optax.sgd), {"learning_rate": 0.1}
    transition = cj.Transition(system, jnp.int32(0), system.init(jax.random.key(0), theta), theta, jax.random.key(0))
    with pytest.raises(ValueError, match="draws no minibatches"):
        cj.probes.batch_sharpness().emit((), transition)
    small, large = cj.batch_sharpness_thresholds([0.1, 0.2], 0.9)
    np.testing.assert_allclose(small, [2, 1])
    np.testing.assert_allclose(large, [38, 19])


def test_sam_oscillates_with_the_gradient_of_its_threshold():
    """On ½hw² the real optimizer settles on w → −w, and there the curvature is the threshold for its gradient."""
    rate, radius, h = 0.3, 0.05, 4.0
    ascent = optax.chain(optax.contrib.normalize(), optax.sgd(radius))
    sam = optax.contrib.sam(optax.sgd(rate), ascent, opaque_mode=True)
    gradient = lambda w, _: h * w  # noqa: E731
    w, state = jnp.array([0.02]), sam.init(jnp.array([0.02]))
    for _ in range(400):
        updates, state = sam.update(gradient(w, 0), state, w, grad_fn=gradient)
        w = optax.apply_updates(w, updates)
    np.testing.assert_allclose(cj.sam_threshold(rate, radius, h * abs(float(w[0]))), h, rtol=1e-9)
    np.testing.assert_allclose(cj.sam_threshold(rate, [1e-14, radius], [1.0, 0.0]), [2 / rate, 0], rtol=1e-9, atol=0)
