"""Instruments one by one, each against a direct computation."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import chaosjax as cj

PROBLEM = cases.problem()
SYSTEM = cj.training(PROBLEM, optax.sgd)
RATE = 0.3


def sweep(probes, system=SYSTEM, axes=None, steps=6, **options):
    axes = {"learning_rate": [RATE]} if axes is None else axes
    return cj.sweep(system, probes, axes, steps=steps, progress=False, **options).squeeze()


def trajectory(steps, system=SYSTEM, seed=0):
    """Phase points 0 … steps, by a plain loop."""
    theta = {"learning_rate": RATE}
    points = [jax.jit(system.init)(jax.random.fold_in(jax.random.key(seed), 0), theta)]
    step = jax.jit(lambda x, t: system.step(x, theta, system.noise(jax.random.key(0), t)))
    for t in range(steps):
        points.append(step(points[-1], t))
    return points


def flat(x):
    return np.asarray(ravel_pytree(x.params)[0])


@jax.jit
def full_loss(params):
    return SYSTEM.loss(trajectory(0)[0]._replace(params=params), {"learning_rate": RATE}, None)


def test_loss_norms_and_metrics_belong_to_the_state_at_their_time():
    probes = {
        "loss": cj.probes.loss(),
        "l2": cj.probes.norms(),
        "l1": cj.probes.norms("l1", of=("grad",)),
        "max": cj.probes.norms("max", of=("params",)),
        "accuracy": cj.probes.metric("test_accuracy"),
        "first": cj.probes.metric(lambda params: params["head"]["bias"], dims=("class",)),
    }
    ds = sweep(probes)
    points = trajectory(7)
    gradient = jax.jit(jax.grad(full_loss))
    gradients = [np.asarray(ravel_pytree(gradient(x.params))[0]) for x in points]
    for i, x in enumerate(points[:7]):
        here = ds.isel(time=i)
        np.testing.assert_allclose(here.loss, full_loss(x.params), rtol=1e-12)
        np.testing.assert_allclose(here.l2_params, np.linalg.norm(flat(x)), rtol=1e-12)
        np.testing.assert_allclose(here.l2_grad, np.linalg.norm(gradients[i]), rtol=1e-10)
        np.testing.assert_allclose(here.l2_update, np.linalg.norm(flat(points[i + 1]) - flat(x)), rtol=1e-10)
        np.testing.assert_allclose(here.l1_grad, np.abs(gradients[i]).sum(), rtol=1e-10)
        np.testing.assert_allclose(here["max_params"], np.abs(flat(x)).max(), rtol=1e-12)
        np.testing.assert_allclose(here["first"], x.params["head"]["bias"], rtol=1e-10, atol=1e-14)
        data = cases.dataset()
        outputs = cases.network.apply(x.params, data.test_inputs)
        assert here.accuracy == np.mean(np.argmax(outputs, axis=1) == data.test_targets)


def test_minibatch_loss_is_that_of_the_samples_of_its_step():
    system = cj.training(PROBLEM, optax.sgd, batch_size=3)
    ds = sweep({"batch": cj.probes.loss(minibatch=True), "whole": cj.probes.loss()}, system)
    theta, x = {"learning_rate": RATE, "weight_decay": 0.01}, trajectory(0, system)[0]
    indices = system.noise(jax.random.key(0), jnp.int32(0))
    np.testing.assert_allclose(ds.batch[0], PROBLEM.loss(x.params, (), theta, indices)[0], rtol=1e-12)
    np.testing.assert_allclose(ds.whole[0], PROBLEM.loss(x.params, (), theta, None)[0], rtol=1e-12)


def test_every_records_now_and_then_and_computes_nothing_between():
    calls = []

    def read(transition):
        jax.debug.callback(lambda: calls.append(1))
        return transition.t

    probe = cj.probes.every(4, cj.probes.reading(lambda tr: read(tr) * jnp.ones(())))
    ds = sweep({"p": probe}, steps=8, devices=jax.devices()[:1])
    jax.effects_barrier()
    np.testing.assert_array_equal(ds.p, [0, np.nan, np.nan, np.nan, 4, np.nan, np.nan, np.nan, 8])
    assert len(calls) == 3


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_a_sphere_has_its_radius(norm):
    ds = sweep({"d": cj.probes.ensemble(1e-6, copies=4, norm=norm, perturb="sphere")}, steps=1)
    np.testing.assert_allclose(ds.d[0], 1e-6, rtol=1e-8)


@pytest.mark.parametrize(("perturb", "mean"), [("uniform", 0.5), ("gaussian", np.sqrt(2 / np.pi))])
@pytest.mark.parametrize(("where", "coordinates"), [("params", 17), ("kernels", 12), (lambda p: "bias" in p, 5)])
def test_perturbations_have_their_distribution_on_the_chosen_coordinates(perturb, mean, where, coordinates):
    copies = 4000
    ds = sweep({"d": cj.probes.ensemble(1e-6, copies=copies, perturb=perturb, where=where)}, steps=1)
    spread = np.sqrt(1 / 3 - 1 / 4) if perturb == "uniform" else np.sqrt(1 - 2 / np.pi)
    error = spread * np.sqrt(coordinates / copies)
    assert abs(float(ds.d[0].mean()) / 1e-6 - coordinates * mean) < 4 * error


def test_momentum_is_perturbed_only_when_asked_for():
    system = cj.training(PROBLEM, cases.heavy_ball)
    options = {"radius": 1e-6, "norm": "max", "perturb": "sphere", "copies": 64}
    ds = sweep(
        {"whole": cj.probes.ensemble(**options, where="all"), "own": cj.probes.ensemble(**options)}, system, steps=1
    )
    np.testing.assert_allclose(ds.whole[0], 1e-6, rtol=1e-8)
    np.testing.assert_allclose(ds.own[0], 1e-6, rtol=1e-8)
    # a perturbed velocity moves the parameters at the next step beside their own perturbation
    assert float(ds.whole[1].std()) > float(ds.own[1].std())


def test_distances_follow_the_linearised_map():
    ds = sweep({"d": cj.probes.ensemble(1e-8, copies=3, norm="l2", perturb="sphere")}, steps=5)
    carry = cj.start(
        SYSTEM,
        {"d": cj.probes.ensemble(1e-8, copies=3, norm="l2", perturb="sphere")},
        jax.random.key(0),
        {"learning_rate": RATE},
    )
    u = jax.vmap(lambda x: cj.phase(x)[0])(carry.memories["d"].copies.points)
    delta = u - cj.phase(carry.x)[0][None]
    for t, x in enumerate(trajectory(5)):
        np.testing.assert_allclose(ds.d[t], np.linalg.norm(delta, axis=1), rtol=1e-5)
        transition = cj.Transition(SYSTEM, jnp.int32(t), x, {"learning_rate": RATE}, jax.random.key(0))
        delta = jax.vmap(transition.push)(delta)


def test_orthonormalising_less_often_changes_nothing_but_rounding():
    probes = {f"every_{n}": cj.probes.lyapunov(k=3, every=n) for n in (1, 5)}
    probes = {name: probe._replace(dims=("exponent",)) for name, probe in probes.items()}
    keys = {name: cj.start(SYSTEM, {"g": p}, jax.random.key(0), {"learning_rate": RATE}) for name, p in probes.items()}
    frames = [carry.memories["g"].vectors for carry in keys.values()]
    np.testing.assert_array_equal(frames[0], frames[1])  # one name, one frame
    one, five = (sweep({"g": probe}, steps=30, stride=10).g for probe in probes.values())
    np.testing.assert_allclose(five, one, rtol=1e-9, atol=1e-9)


def test_the_mean_growth_of_the_logistic_map_is_that_of_its_derivative():
    ds = sweep({"x": cj.probes.reading(lambda tr: tr.x), "g": cj.probes.lyapunov()}, cases.logistic(), {}, steps=200)
    expected = np.log(np.abs(4 * (1 - 2 * ds.x.values[:-1])))
    np.testing.assert_allclose(ds.g[1:], expected, rtol=1e-12)


def test_volumes_shrink_by_the_determinant():
    ds = sweep({"g": cj.probes.lyapunov(k=2)}, cases.henon(), {}, steps=50)
    np.testing.assert_allclose(ds.g[1:].sum("exponent"), np.log(0.3), rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cj.probes.ensemble(copies=0), "copies=0 must be an integer of at least 1"),
        (lambda: cj.probes.ensemble(radius=-1.0), "radius=-1.0 must be finite and not negative"),
        (lambda: cj.probes.ensemble(radius=np.nan), "radius=nan must be finite"),
        (lambda: cj.probes.ensemble(norm="l3"), "norm='l3' is not known; choose from l1, l2, max"),
        (lambda: cj.probes.ensemble(perturb="cube"), "perturb='cube' is not known; choose from uniform"),
        (lambda: cj.probes.ensemble(where="bias"), "where='bias' is not known; choose all, params or kernels"),
        (lambda: sweep({"d": cj.probes.ensemble(where=lambda p: False)}), "matches no coordinate of the phase point"),
        (lambda: cj.probes.lyapunov(k=0), "k=0 must be an integer of at least 1"),
        (lambda: cj.probes.lyapunov(every=0), "every=0 must be an integer of at least 1"),
        (lambda: cj.probes.norms(of=("weights",)), r"of=\['weights'\] is not known; choose from params, grad, update"),
        (lambda: cj.probes.every(0, cj.probes.loss()), "steps=0 must be an integer from 1 to"),
    ],
)
def test_bad_input_is_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
