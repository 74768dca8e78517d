"""Ensembles in every space and under every noise, renormalised copies, and where either can be trusted."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr
from conftest import Interrupted
from labelled import cells

import chaosjax as cj
from chaosjax import stats

RATE = {"learning_rate": [1.0]}
DRIVEN = cj.training(cases.problem(), optax.sgd, batch_size=3)


def sweep(probes, system, axes=RATE, **options):
    return cj.sweep(system, probes, axes, **{"steps": 12, "progress": False, **options})


def test_every_space_by_hand():
    system = cj.training(cases.problem(), cases.heavy_ball)
    spaces = ("phase", "parameters", "function", "prediction", "pairwise")
    probe = cj.probes.ensemble(0.3, copies=3, norm="l2", spaces=spaces)
    ds = sweep({"d": probe}, system, steps=4).squeeze()
    theta = {"learning_rate": 1.0}
    carry = jax.jit(lambda: cj.start(system, {"d": probe}, jax.random.key(0), theta))()
    copies = carry.memories["d"].copies.points
    points = [carry.x, *(jax.tree.map(lambda leaf, i=i: leaf[i], copies) for i in range(3))]
    step = jax.jit(lambda x: system.step(x, theta, None))
    for t in range(5):
        here = ds.isel(time=t)
        u = np.stack([cj.phase(x)[0] for x in points])
        w = np.stack([cj.phase(x.params)[0] for x in points])
        f = np.stack([cases.network.apply(x.params, jnp.asarray(cases.dataset().test_inputs)) for x in points])
        np.testing.assert_allclose(here.d, np.linalg.norm(u[1:] - u[0], axis=1), rtol=1e-9)
        np.testing.assert_allclose(here.d_parameters, np.linalg.norm(w[1:] - w[0], axis=1), rtol=1e-9)
        np.testing.assert_allclose(here.d_function, np.sqrt(((f[1:] - f[0]) ** 2).mean((1, 2))), rtol=1e-9)
        np.testing.assert_array_equal(here.d_prediction, (f[1:].argmax(-1) != f[0].argmax(-1)).mean(-1))
        pairs = [np.linalg.norm(u[i] - u[j]) for i in range(4) for j in range(i)]
        np.testing.assert_allclose(here.d_pairwise, np.mean(pairs), rtol=1e-9)
        points = [step(x) for x in points]


def test_common_noise_keeps_two_copies_together_and_the_null_shows_what_independent_noise_does():
    probes = {
        "common": cj.probes.ensemble(0.0, copies=2),
        "own": cj.probes.ensemble(0.0, copies=2, noise="independent"),
    }
    ds = sweep(probes, DRIVEN, steps=30).squeeze()
    assert float(ds.common.max()) == 0
    assert float(ds.own[0].max()) == float(ds.own_null[0]) == 0
    assert (ds.own[5:] > 0.01).all()
    assert (ds.own_null[5:] > 0.01).all()


def test_independent_noise_of_a_map_without_noise_changes_nothing():
    probes = {
        "common": cj.probes.ensemble(1e-6, copies=2),
        "own": cj.probes.ensemble(1e-6, copies=2, noise="independent"),
    }
    ds = sweep(probes, cj.training(cases.problem(), optax.sgd)).squeeze()
    assert float(ds.own_null.max()) == 0
    assert ds.own.shape == ds.common.shape


def test_redrawn_noise_is_another_streams_and_counter_based():
    key = jax.random.key(5)

    def streams(t):
        transition = cj.Transition(DRIVEN, jnp.int32(t), None, {}, key)
        return np.stack(jax.jit(lambda: [transition.redraw(i) for i in (1, 2, 3)])())

    assert (streams(0) != streams(1)).any()
    assert (streams(0)[0] != streams(0)[1]).any()
    np.testing.assert_array_equal(streams(4), streams(4))


@pytest.mark.parametrize("every", [1, 4])
def test_renormalised_copies_grow_as_the_tangent_does(every):
    """On the logistic map every direction is the tangent's from the first step on: |f'| up to order ε."""
    probes = {
        "copies": cj.probes.benettin(1e-9, copies=2, every=every),
        "tangent": cj.probes.lyapunov(),
    }
    ds = sweep(probes, cases.logistic(), {"seed": range(3)}, steps=400, stride=20)
    difference = (ds.copies - ds.tangent.isel(exponent=0)).isel(time=slice(1, None)) / 20
    # a step near the maximum shrinks the distance to the second order: of 400 steps a few do
    assert float(abs(difference).median()) < 1e-7
    assert float(abs(difference).max()) < 1e-3
    assert float(abs(ds.copies.isel(time=0)).max()) < 1e-6


def test_renormalised_copies_never_saturate_where_the_ensemble_does():
    probes = {"renormalised": cj.probes.benettin(1e-8), "ensemble": cj.probes.ensemble(1e-8, copies=1)}
    ds = sweep(probes, cases.henon(), {"seed": range(8)}, steps=3000, stride=10)
    spectrum = stats.lyapunov_spectrum(ds.renormalised.isel(renormalised_copy=0), start=100)
    exponent = spectrum.exponents.sel(bound="estimate")
    assert abs(float(exponent.mean()) - 0.41922) < 4 * float(exponent.std()) / np.sqrt(8)
    assert float(ds.ensemble.max()) < 4
    early = np.log(ds.ensemble.sel(time=[0, 30]))
    late = np.log(ds.ensemble.sel(time=[1000, 3000]))
    assert float(early.diff("time").mean()) > 30 * 0.2
    assert abs(float(late.diff("time").mean())) < 2


def test_benettin_without_a_radius_has_no_exponent():
    ds = sweep({"g": cj.probes.benettin()}, cases.henon(), {"radius": [0.0]}, steps=4)
    assert ds.g[:, 1:].isnull().all()


def test_departure_is_that_of_the_second_order():
    """For x' = x + x²/2 a displacement δ departs from its tangent by δ²/2 in a step."""
    system = cj.System(lambda key, theta: jnp.ones(1), lambda x, theta, noise: x + x**2 / 2)
    probe = cj.probes.ensemble(copies=1, norm="l2", perturb="sphere", departure=True)
    ds = sweep({"d": probe}, system, {"radius": [1e-4, 2e-4]}, steps=1)
    np.testing.assert_allclose(ds.d_departure[:, 1, 0], [1e-4 / 4, 2e-4 / 4], rtol=1e-3)
    assert float(ds.d_departure[:, 0].max()) == 0


def test_linear_window_ends_before_the_first_departure():
    departure = cells(
        [[[0, 0], [0.001, 0.002], [0.003, 0.02], [0.001, 0.001]], [[0, 0], [0.5, 0], [0, 0], [0, 0]]],
        seed=[0, 1],
        time=[0, 5, 10, 15],
        copy=[0, 1],
    )
    window = stats.linear_window(departure)
    np.testing.assert_array_equal(window.start, [0, np.nan])
    np.testing.assert_array_equal(window.stop, [5, np.nan])


@pytest.fixture(scope="module")
def ladder():
    problem = cj.supervised(cj.models.mlp([10], activation="sigmoid"), cj.datasets.iris())
    probes = {
        "distance": cj.probes.ensemble(copies=3, norm="l2", perturb="sphere", departure=True),
        "renormalised": cj.probes.benettin(copies=3)._replace(theta={}),
        "growth": cj.probes.lyapunov(),
    }
    axes = {"learning_rate": [1.0], "radius": [1e-14, 1e-10, 1e-6, 1e-2], "seed": range(4)}
    return sweep(probes, cj.training(problem, optax.sgd), axes, steps=80)


def test_ensemble_benettin_and_tangent_agree_where_the_ensemble_is_linear(ladder):
    ds = ladder.isel(learning_rate=0, radius=[1])
    found = stats.compare_exponents(ds, benettin="renormalised", settle=0.5)
    assert (found.ensemble_compared == 4).all()
    # one window of some tens of steps: what is left is the turning of directions, not the instruments' error
    assert (found.ensemble_rms < 0.03).all()
    assert (found.benettin_rms < 0.03).all()
    _, low, high = stats.bounds(found.ensemble_difference)
    assert ((low < 0.02) & (high > -0.02)).all()


def test_distance_ratios_are_the_tangents_to_a_percent_while_linear(ladder):
    """Pushing each δ_i itself leaves no turning: ‖x_i − x_0‖ / ‖v_i‖ departs by the stated tolerance at most."""
    ds = ladder.isel(learning_rate=0, radius=1)
    window = stats.linear_window(ds.distance_departure)
    assert (window.stop > 40).all()
    inside = ds.time <= window.stop
    assert float(ds.distance_departure.where(inside).max()) <= 0.01


def test_the_ladder_shows_the_floor_and_the_ceiling(ladder):
    trust = stats.trusted_radius(ladder.distance_departure, steps=25)
    steps = trust.linear_steps.isel(learning_rate=0)
    assert steps[0] < 5  # rounding
    assert steps[3] < 5  # nonlinearity
    assert steps[1] > steps[2] > 25
    assert float(trust.smallest[0]) == 1e-10
    assert float(trust.largest[0]) == 1e-6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cj.probes.ensemble(spaces=("weights",)), r"spaces=\['weights'\] must be some of phase, parameters"),
        (lambda: cj.probes.ensemble(spaces=()), r"spaces=\[\] must be some of"),
        (lambda: cj.probes.ensemble(noise="own"), "noise='own' must be 'common' or 'independent'"),
        (lambda: cj.probes.ensemble(noise="independent", departure=True), "it needs noise='common'"),
        (lambda: cj.probes.benettin(radius=0.0), "radius=0: copies at distance 0 cannot grow"),
        (lambda: cj.probes.benettin(every=0), "every=0 must be an integer of at least 1"),
        (lambda: cj.probes.benettin(copies=0), "copies=0 must be an integer of at least 1"),
        (
            lambda: sweep({"d": cj.probes.ensemble(spaces=("function",))}, cases.henon(), {}),
            "this System has no outputs",
        ),
        (lambda: stats.compare_exponents(xr.Dataset()), "the dataset has no 'distance'"),
        (lambda: stats.trusted_radius(xr.DataArray([1.0], dims="time"), 3), "departure has no dimension 'radius'"),
    ],
)
def test_bad_input_is_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_float32_refuses_a_small_radius_for_renormalised_copies_too():
    system = cj.training(cases.problem(dtype="float32"), optax.sgd)
    with pytest.raises(ValueError, match="probe 'g': radius: float32 rounding distorts"):
        sweep({"g": cj.probes.benettin(1e-8)}, system)


START = 5
THETA = {"learning_rate": 1.0}


def late_by_hand(system, probe, steps):
    """u of reference and copies at t = 0 … steps: one point up to START, then perturbed by the δ of a start at 0."""
    copies = cj.start(system, {"d": probe}, jax.random.key(0), THETA).memories["d"].copies.points
    x = system.init(jax.random.fold_in(jax.random.key(0), 0), THETA)
    u = jnp.concatenate([cj.phase(x)[0][None], jax.vmap(lambda x: cj.phase(x)[0])(copies)])
    points, found = [x], []
    step = jax.jit(system.step)
    for t in range(steps + 1):
        if t == START:
            here, chart = cj.phase(points[0])
            points = [chart(here + delta) for delta in u - u[:1]]
        found.append(np.stack([cj.phase(x)[0] for x in points]))
        noise = system.noise(jax.random.key(0), jnp.int32(t))
        points = [step(x, THETA, noise) for x in points]
    return found


def test_copies_of_a_later_start_by_hand():
    """Under minibatches and momentum."""
    system = cj.training(cases.problem(), cases.heavy_ball, batch_size=3)
    options = {"radius": 0.3, "copies": 2, "norm": "l2", "spaces": ("phase", "pairwise")}
    ds = sweep({"d": cj.probes.delayed(START, cj.probes.ensemble(**options))}, system).squeeze()
    expected = late_by_hand(system, cj.probes.ensemble(**options), steps=12)
    for t, u in enumerate(expected):
        here = ds.isel(time=t)
        if t < START:
            assert here.d.isnull().all()
            assert here.d_pairwise.isnull()
            continue
        np.testing.assert_allclose(here.d, np.linalg.norm(u[1:] - u[0], axis=1), rtol=1e-9)
        pairs = [np.linalg.norm(u[i] - u[j]) for i in range(3) for j in range(i)]
        np.testing.assert_allclose(here.d_pairwise, np.mean(pairs), rtol=1e-9)


def test_a_later_start_has_the_same_perturbation_and_its_radius_is_an_axis():
    probes = {"d": cj.probes.delayed(START, cj.probes.ensemble(copies=3))}
    ds = sweep(probes, DRIVEN, {"radius": [0.0, 0.25], **RATE}).squeeze()
    early = cj.start(DRIVEN, {"d": cj.probes.ensemble(0.25, copies=3)}, jax.random.key(0), THETA).memories["d"]
    u = jax.vmap(lambda x: cj.phase(x)[0])(early.copies.points)
    x = cj.phase(cj.start(DRIVEN, {}, jax.random.key(0), THETA).x)[0]
    assert ds.d.attrs["start"] == START
    assert not ds.d.isel(radius=0).sel(time=slice(START, None)).any()
    assert ds.d.sel(time=slice(START - 1)).isnull().all()
    np.testing.assert_allclose(ds.d.isel(radius=1).sel(time=START), jnp.abs(u - x[None]).sum(1), rtol=1e-12)
    assert (ds.d.isel(radius=1, time=-1) > 0).all()


def test_departure_and_the_null_begin_at_the_start():
    """On a linear map nothing departs from its tangent; on a map under noise the null does from its own noise on."""
    options = {"radius": 1e-3, "copies": 2}
    late = cj.probes.delayed(START, cj.probes.ensemble(**options, departure=True))
    ds = sweep({"d": late}, cases.linear(), {"scale": [1.0]}).squeeze()
    assert ds.d_departure.sel(time=slice(START - 1)).isnull().all()
    assert float(ds.d_departure.sel(time=slice(START, None)).max()) < 1e-9
    late = cj.probes.delayed(START, cj.probes.ensemble(**options, noise="independent"))
    ds = sweep({"d": late}, DRIVEN).squeeze()
    np.testing.assert_array_equal(ds.d_null.isnull(), ds.time < START)
    np.testing.assert_array_equal(ds.d_null == 0, ds.time == START)
    np.testing.assert_array_equal(ds.d[:, 0] > 0, ds.time >= START)


def test_copies_cost_no_step_before_their_start():
    """Counts the calls: one per step before t = 5, one for each of three points per step from there."""
    calls = []

    def step(x, theta, noise):
        jax.debug.callback(lambda _: calls.append(1), x)
        return 3.9 * x * (1 - x)

    system = cj.System(lambda key, theta: jnp.asarray(0.3), step)
    probes = {"d": cj.probes.delayed(START, cj.probes.ensemble(copies=2))}
    sweep(probes, system, {"seed": [0]}, steps=12)
    jax.effects_barrier()
    assert len(calls) == START + 3 * (12 - START)


def test_an_interrupted_run_resumes_before_the_start(interrupt, tmp_path):
    probes = {"d": cj.probes.delayed(7, cj.probes.ensemble(1e-6, copies=2)), "x": cj.probes.reading(lambda tr: tr.x)}
    run = {"axes": {"seed": [0, 1]}, "stride": 2, "chunk": 2}
    whole = sweep(probes, cases.logistic(), **run)
    assert (whole.d.notnull() == (whole.time > 7)).all()
    interrupt(after=2)
    with pytest.raises(Interrupted):
        sweep(probes, cases.logistic(), **run, store=tmp_path / "store")
    resumed = sweep(probes, cases.logistic(), **run, store=tmp_path / "store", resume=True)
    np.testing.assert_array_equal(resumed.d, whole.d)
    np.testing.assert_array_equal(resumed.x, whole.x)


def test_a_start_before_the_first_step_is_refused():
    with pytest.raises(ValueError, match="start=-1 must be an integer from 0 to"):
        cj.probes.delayed(-1, cj.probes.ensemble())
