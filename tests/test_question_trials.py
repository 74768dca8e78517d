"""The trainings of the questions on boundaries and schedules, against formulas and against every place computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chaosjax as cj
from experiments.questions import boundary_controls, boundary_trials, schedules

REGION = ((0.0, 3.0), (0.0, 3.0))


def test_a_step_at_a_place_is_gradient_descent_with_its_two_rates():
    system = boundary_trials.trained(3, "tanh", False, 5, REGION)
    theta = {**(system.theta or {}), "place": 2.0 * 5 + 1}  # row 2 of 0 … 4, column 1
    x = system.init(jax.random.key(0), theta)
    assert system.loss is not None
    loss, gradient = jax.value_and_grad(system.loss)(x, theta, None)
    y = jax.jit(lambda x: system.step(x, theta, None))(x)
    for layer, rate in (("first_layer", 10**0.75), ("second_layer", 10**1.5)):
        moved = getattr(x, layer) - rate * getattr(gradient, layer)
        np.testing.assert_allclose(getattr(y, layer), moved, rtol=1e-12)
    assert float(x.first_loss) == float(loss) == pytest.approx(float(y.recent[-1]), rel=1e-14)
    alone = boundary_trials.weights_alone(system)
    np.testing.assert_allclose(alone.step((x.first_layer, x.second_layer), theta, None)[0], y.first_layer, rtol=1e-12)


def test_the_scale_is_that_of_the_first_weights_and_a_nudge_that_of_the_last_digit():
    system = boundary_trials.trained(3, "tanh", True, 3, ((-1.0, 1.0), (0.0, 3.0)))
    theta = {**(system.theta or {}), "place": 2.0 * 3 + 1}
    x, middle = (system.init(jax.random.key(0), {**theta, "place": place}) for place in (7.0, 4.0))
    np.testing.assert_allclose(x.first_layer, 10 * middle.first_layer, rtol=1e-14)
    y, nudged = (system.step(x, {**theta, "nudge": nudge}, None) for nudge in (0.0, 1.0))
    apart = np.abs(np.asarray(y.first_layer - nudged.first_layer)) / np.abs(np.asarray(y.first_layer))
    assert 0 < apart.max() < 1e-13
    short = boundary_trials.trained(3, "tanh", True, 3, ((-1.0, 1.0), (0.0, 3.0)), single=True)
    y, nudged = (short.step(short.init(jax.random.key(0), theta), {**theta, "nudge": n}, None) for n in (0.0, 1.0))
    whole = system.step(system.init(jax.random.key(0), theta), theta, None)
    assert {leaf.dtype for leaf in (*y, *nudged)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(y.first_layer, whole.first_layer, rtol=0, atol=1e-5 * np.abs(whole.first_layer).max())
    apart = np.abs(np.asarray(y.first_layer - nudged.first_layer)) / np.abs(np.asarray(y.first_layer))
    assert 0 < apart.max() < 1e-5


def test_a_line_stays_a_line_on_coarser_grids():
    found = boundary_controls.on_coarser_grids(boundary_controls.controls(257)["a line"], 2, 32, 65)
    np.testing.assert_array_equal(found["points"], [129, 65])
    np.testing.assert_allclose(found.sel(bound="estimate"), 1, atol=0.1)


def test_refined_maps_are_those_of_all_places_where_they_were_computed():
    """Around the boundary, and everywhere for this one, which has no islands."""
    system, points = boundary_trials.trained(3, "identity", False, 17, REGION), 17
    parts = {}

    def beside(name, *arguments, **options):
        parts[name] = cj.sweep(*arguments, progress=False, cells_per_batch=17, **options)
        return parts[name]

    run = boundary_trials._Runner(beside, points, 5, 2, 24)
    labels, computed = run.refine("rates", system)
    whole = boundary_trials.converged(run("whole", system, boundary_trials.places(points))).reshape(points, points)
    assert (labels == whole)[computed].all()
    assert (labels == whole).mean() > 0.97
    assert 0 < whole.mean() < 1
    assert (boundary_trials.labels_of(parts, "rates", points, 5) == labels).all()


def test_zooming_keeps_the_place():
    region = boundary_trials.zoomed({"bottom": 0.0, "top": 3.0, "left": 0.0, "right": 2.0}, (0.5, 0.25), 100.0)
    assert region == pytest.approx({"bottom": 1.485, "top": 1.515, "left": 0.49, "right": 0.51})


@pytest.mark.parametrize("place", range(len(schedules.SCHEDULES)))
def test_a_schedule_moves_by_its_formula(place):
    steps = 20
    optimizer = schedules.scheduled(jnp.asarray(3.0), jnp.asarray(float(place)), steps)
    state, rates = optimizer.init(jnp.zeros(())), []
    for _ in range(steps):
        update, state = optimizer.update(jnp.ones(()), state)
        rates.append(-float(jnp.asarray(update)) / 3)
    t = np.arange(steps)
    warm, cosine = np.minimum(0.5 + 0.25 * t, 1), 0.5 * (1 + np.cos(np.pi * t / steps))
    expected = (
        np.ones(steps),
        np.where(t < 10, 1, 0.1),
        np.where(t < 5, 1, 0.1),
        warm,
        cosine,
        np.where(t < 2, 0.5 + 0.25 * t, 0.5 * (1 + np.cos(np.pi * (t - 2) / 18))),
        1 - 0.9 * np.abs(2 * (t % 4) / 4 - 1),
    )[place]
    np.testing.assert_allclose(rates, expected, atol=1e-12)
