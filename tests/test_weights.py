"""Records of single weights, each against a direct computation."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import chaosjax as cj

SYSTEM = cj.training(cases.problem(), optax.adam)
THETA = {"learning_rate": 0.3}
STEPS = 12


def sweep(probes, system=SYSTEM, **options):
    options = {"steps": STEPS, "progress": False, **options}
    return cj.sweep(system, probes, {"learning_rate": [0.3]}, **options).squeeze()


@pytest.fixture(scope="module")
def trajectory():
    """Phase points 0 … STEPS, by a plain loop."""
    step = jax.jit(lambda x: SYSTEM.step(x, THETA, None))
    points = [SYSTEM.init(jax.random.fold_in(jax.random.key(0), 0), THETA)]
    for _ in range(STEPS):
        points.append(step(points[-1]))
    return points


@pytest.fixture(scope="module")
def found():
    probes = {
        "weights": cj.probes.weights(),
        "kernels": cj.probes.weights("kernels")._replace(dims=("kernel",)),
        "biases": cj.probes.weights(lambda path: "bias" in path and path[0] == "params")._replace(dims=("bias",)),
        "travel": cj.probes.travel(),
        "ablation": cj.probes.every(4, cj.probes.ablation(side_by_side=5)),
        "distance": cj.probes.ensemble(1e-3, copies=1),
    }
    return sweep(probes)


def flat(params):
    return np.asarray(ravel_pytree(params)[0])


def test_weights_are_the_raveled_parameters(found, trajectory):
    np.testing.assert_allclose(found.weights, [flat(x.params) for x in trajectory], rtol=1e-9, atol=1e-12)
    shapes = jax.tree.map(lambda leaf: np.full(leaf.shape, leaf.ndim), trajectory[0].params)
    np.testing.assert_array_equal(found.kernels, found.weights[:, flat(shapes) == 2])
    np.testing.assert_array_equal(found.biases, found.weights[:, flat(shapes) == 1])


def test_travel_is_that_of_the_recorded_weights(found):
    w = found.weights.values
    way = np.concatenate([np.zeros((1, w.shape[1])), np.cumsum(np.abs(np.diff(w, axis=0)), axis=0)])
    np.testing.assert_array_equal(found.travel_displacement, w - w[0])
    np.testing.assert_allclose(found.travel_distance, way, rtol=1e-13)
    turned = (np.diff(np.sign(np.diff(w, axis=0)), axis=0) != 0).any(axis=0)
    np.testing.assert_array_equal(np.isclose(way[-1], np.abs(w[-1] - w[0]), rtol=1e-12), ~turned)
    assert turned.any()
    assert not turned.all()


def test_ablation_is_the_loss_without_each_weight(found, trajectory):
    full_loss = SYSTEM.loss
    assert full_loss is not None
    assert found.ablation.isel(time=slice(1, 4)).isnull().all()
    for t in (0, 8):
        x = trajectory[t]
        w, unravel = ravel_pytree(x.params)
        loss = jax.jit(lambda w, x=x, unravel=unravel: full_loss(x._replace(params=unravel(w)), THETA, None))
        expected = [loss(w.at[i].set(0.0)) - loss(w) for i in range(w.size)]
        np.testing.assert_allclose(found.ablation.sel(time=t), expected, rtol=1e-8, atol=1e-10)
    still = found.weights.isel(time=0) == 0  # the biases begin at 0
    assert int(still.sum()) == 5
    assert not found.ablation.isel(time=0)[still.values].any()


def test_a_linear_map_with_a_quadratic_loss_recorded_now_and_then():
    """Without w_i, L = ½ Σ c_i w_i² is less by ½ c_i w_i². The way between records counts, the counter is no weight."""
    probes = {"ablation": cj.probes.ablation(), "weights": cj.probes.weights(), "travel": cj.probes.travel()}
    system = cases.linear()
    ds = cj.sweep(system, probes, {"scale": [1.0]}, steps=6, stride=3, progress=False).squeeze()
    np.testing.assert_allclose(ds.ablation, -0.5 * np.array([3.0, 1.0, 0.2]) * ds.weights.values**2, rtol=1e-10)
    x = system.init(jax.random.fold_in(jax.random.key(0), 0), {})
    way = [np.zeros(3)]
    for _ in range(6):
        y = system.step(x, {"scale": 1.0}, None)
        way.append(way[-1] + np.abs(y["position"] - x["position"]))
        x = y
    np.testing.assert_allclose(ds.travel_distance, way[::3], rtol=1e-12)


def test_loss_of_its_own_weights_is_the_loss(trajectory):
    transition = cj.Transition(SYSTEM, jnp.int32(3), trajectory[3], THETA, jax.random.key(0))
    w = ravel_pytree(transition.params)[0]
    assert transition.loss_of(w) == transition.loss


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cj.probes.weights("bias"), "where='bias' is not known; choose all, params or kernels"),
        (lambda: sweep({"w": cj.probes.weights(lambda path: False)}), "probe 'w': .*matches no coordinate"),
        (lambda: cj.probes.ablation(0), "side_by_side=0 must be an integer of at least 1"),
        (lambda: cj.sweep(cases.henon(), {"a": cj.probes.ablation()}, {}, steps=1), "this System has no loss"),
        (
            lambda: sweep({"w": cj.probes.weights(), "k": cj.probes.weights("kernels")}),
            "its axis 'weight' of 12 entries is another one's name",
        ),
    ],
)
def test_bad_input_is_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
