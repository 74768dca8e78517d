"""Questions of one call against exact exponents, planted onsets and the formula of the seeds that decide."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr
from cases import problem
from labelled import cells, chaotic_transients
from scipy.stats import t as student

import chaosjax as cj
from chaosjax import stats, systems


@pytest.mark.parametrize(("name", "steps"), [("henon", 20_000), ("lorenz", 4_000), ("logistic", 20_000)])
def test_the_intervals_hold_the_known_exponents(name, steps):
    reference = systems.REFERENCES[name]
    known = reference.exponents
    found = cj.lyapunov_exponents(reference.system(), len(known), steps=steps, progress=False)
    _, low, high = stats.bounds(found.exponents)
    assert bool(((low <= known) & (high >= known)).all())
    assert (high - low < 0.1 * np.abs(known).max()).all()
    assert found.verdict == "chaotic"
    assert found.converged
    if reference.kaplan_yorke:
        assert found.kaplan_yorke == pytest.approx(reference.kaplan_yorke, abs=0.02)
    assert "chaotic, converged" in repr(found)


def test_descent_on_a_quadratic_has_its_exact_spectrum():
    curvatures, eta = (0.1, 0.7, 1.95), 0.9
    found = cj.lyapunov_exponents(
        systems.quadratic(curvatures), 3, steps=400, theta={"learning_rate": eta}, transient=100, progress=False
    )
    exact = systems.quadratic_exponents(curvatures, eta)
    np.testing.assert_allclose(stats.bounds(found.exponents)[0], exact, rtol=1e-6)
    assert (found.verdict, found.kaplan_yorke, found.window) == ("not chaotic", 0.0, (100, 400))


def mixed(rate):
    """Straight-line growth whose exponent is the seed's own: rate(u) for u uniform; the rate is no coordinate."""

    def init(key, theta):
        return {"x": jnp.ones(()), "seed": jax.random.bits(key, (), jnp.uint32)}

    def step(point, theta, noise):
        return {**point, "x": point["x"] * jnp.exp(rate(point["seed"] / 2**32)) + (0 if noise is None else noise)}

    return cj.System(init, step, theta={})


def test_seeds_that_disagree_widen_the_interval_and_those_that_diverge_are_left_out():
    found = cj.lyapunov_exponents(mixed(lambda u: u - 0.5), steps=100, seeds=6, progress=False)
    own = stats.finite_time_exponents(found.records["growth"].isel(exponent=0), 10)
    estimate, _, high = stats.bounds(found.exponents.isel(exponent=0))
    assert float(estimate) == pytest.approx(float(own.mean()))
    assert float(high - estimate) == pytest.approx(student.ppf(0.975, 5) * float(own.std(ddof=1)) / np.sqrt(6))
    assert found.verdict == "undecided"
    # about half of the orbits reach infinity at once
    found = cj.lyapunov_exponents(mixed(lambda u: jnp.where(u < 0.5, -0.1, 800.0)), steps=100, seeds=6, progress=False)
    assert 0 < found.lost < 6
    assert f"{found.lost} of them lost" in repr(found)
    np.testing.assert_allclose(found.exponents, -0.1, rtol=1e-12)


def test_a_run_ends_at_the_error_asked_for():
    asked = 5e-3
    found = cj.lyapunov_exponents(systems.henon(), steps=100_000, transient=500, error=asked, progress=False)
    assert found.converged
    assert found.window[1] < 100_000
    growth = found.records["growth"].mean("seed")
    assert float(stats.lyapunov_spectrum(growth, 500)["standard_error"][0]) <= asked


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 30}, "steps=30 must be an integer of at least 40"),
        ({"steps": 100, "transient": 99}, "transient=99 must be an integer from 0 to 60"),
        ({"steps": 100, "theta": {"r": [3.0, 4.0]}}, "theta: 'r' is .* one number"),
        ({"steps": 100, "seeds": 0}, "seeds=0"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        cj.lyapunov_exponents(systems.logistic(), progress=False, **arguments)


def planted(seeds=6):
    return chaotic_transients(np.geomspace(0.25, 8, 21), seeds, 160, radius=1e-5, accuracy=0.95)


def test_the_edge_of_chaos_is_where_it_was_planted_and_its_level_is_told():
    edge = cj.EdgeOfChaos.of(planted())
    # 0.2 ln η = 0.05 at η = exp(1/4); linear interpolation in ln η is exact for it
    onset, low, high = stats.bounds(edge.summary["onset"])
    assert float(onset) == pytest.approx(np.exp(0.25), rel=0.01)
    assert low <= np.exp(0.25) <= high
    np.testing.assert_array_equal(edge.summary["chaotic"], edge.summary["learning_rate"] > np.exp(0.25))
    rows = edge.rows()
    assert rows["onset η_c, steepest window above 0.05 nats/step"].startswith("1.28 [")
    assert rows["onset η_c, whole run above 0 nats/step"].startswith("at or below 0.25, the grid's first")
    assert len(edge.plot().axes) == 3  # the training time has two
    several = cj.EdgeOfChaos.of(planted(), [0.7, 0.9])
    words = rows["fastest η to 90% test accuracy"]
    assert several.rows()["fastest η to 70% test accuracy"] == words


def test_where_the_tangent_says_the_opposite_of_the_copies_the_copies_decide():
    """A tangent that grows by 0.3 more than copies puts the onset at the first η; theirs stays at exp(1/4)."""
    ds, alike = planted(3), cj.EdgeOfChaos.of(planted(3))
    assert not alike.summary["opposed"].any()
    assert "opposed" not in repr(alike)
    edge = cj.EdgeOfChaos.of(ds.assign(growth=ds["growth"] + 0.3 * (ds["time"] > 0)))
    np.testing.assert_array_equal(edge.summary["opposed"], edge.summary["learning_rate"] < np.exp(0.25))
    np.testing.assert_allclose(edge.summary["onset"], alike.summary["steepest_onset"])
    assert float(edge.summary["onset"][0]) == pytest.approx(np.exp(0.25), rel=0.01)
    np.testing.assert_array_equal(edge.summary["chaotic"], edge.summary["learning_rate"] > np.exp(0.25))
    np.testing.assert_allclose(edge.summary["gain_speed_up"], alike.summary["gain_speed_up"])
    rows = edge.rows()
    assert rows["onset η_c, steepest window of copies above 0.05 nats/step"].startswith("1.28 [")
    assert rows["onset η_c, tangent's, opposed at 10 of 21 η, above 0.05 nats/step"].startswith("at or below 0.25")
    assert "chaos is what the copies show" in repr(edge)
    none = cj.EdgeOfChaos.of(ds.assign(growth=ds["growth"] * np.nan))
    np.testing.assert_array_equal(none.summary["chaotic"], alike.summary["chaotic"])
    assert none.rows()["onset η_c, tangent's, which is NaN, above 0.05 nats/step"] == "none found"
    assert "the tangent is NaN, the copies are not" in repr(none)
    alone = cj.EdgeOfChaos.of(ds.assign(growth=ds["growth"] + 0.3).isel(seed=[0]))
    assert not alone.summary["opposed"].any()  # one seed has no interval


def test_an_interval_without_width_reaches_to_the_midpoints_of_the_grid():
    edge = cj.EdgeOfChaos.of(planted())
    grid, ratio = edge.summary["learning_rate"].values, 32 ** (1 / 20)
    best = edge.summary["best_fastest"]
    assert float(best.std("bound")) == 0
    eta = float(best[0])
    assert eta in grid
    expected = f"{eta:.3g} [{eta / ratio**0.5:.3g}, {eta * ratio**0.5:.3g}] (grid)"
    assert edge.rows()["fastest η to 90% test accuracy"] == expected
    assert "(grid): limited by the grid's spacing" in repr(edge)


def test_targets_that_are_no_classes_are_judged_by_r_squared():
    edge, ds = cj.EdgeOfChaos.of(planted()), planted()
    as_numbers = cj.EdgeOfChaos.of(ds.rename(test_accuracy="test_r2"))
    assert as_numbers.rows()["fastest η to test R² of 0.9"] == edge.rows()["fastest η to 90% test accuracy"]
    assert "test R² of 0.9" in as_numbers.plot().axes[1].get_legend().get_texts()[0].get_text()


def test_a_grid_without_chaos_or_success_says_so():
    ds = planted().isel(learning_rate=slice(0, 3))
    edge = cj.EdgeOfChaos.of(ds.assign(test_accuracy=ds["test_accuracy"] * 0))
    assert repr(edge).count("none found") >= 5


@pytest.fixture
def quickly_compiled():
    """Leaves out most of the compiler's passes: both sides of the comparison are compiled alike."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def test_a_problem_is_swept_by_the_protocol_of_the_studies(quickly_compiled):
    learning = problem()
    edge = cj.edge_of_chaos(
        learning, learning_rates=[0.1, 0.5], seeds=2, steps=30, threshold=0.6, sharpness=True, progress=False
    )
    instruments = {
        "test_accuracy": cj.probes.metric("test_accuracy"),
        "distance": cj.probes.ensemble(1e-8, 3, "l1", "uniform", "kernels"),
        "growth": cj.probes.lyapunov(),
        "sharpness": cj.probes.every(15, cj.probes.preconditioned_sharpness(fallback=True)),
    }
    axes = {"learning_rate": [0.1, 0.5], "seed": [0, 1]}
    expected = cj.sweep(cj.training(learning, optax.sgd), instruments, axes, steps=30, progress=False)
    assert edge.records.equals(expected)
    attrs = {"threshold": 0.6, "score": "test accuracy", "level": 0.05, "horizon": 30.0}
    assert edge.summary.attrs == {**attrs, "stability": "sharpness · η/2"}


def test_a_step_that_jumps_has_no_tangent_and_is_judged_by_its_copies(quickly_compiled):
    rates = [0.01, 0.3]
    edge = cj.edge_of_chaos(problem(), optimizer=optax.lion, learning_rates=rates, seeds=2, steps=30, progress=False)
    assert "growth" not in edge.records
    assert "the tangent is not measured: chaos is what the copies show" in repr(edge)
    assert edge.rows()["onset η_c, tangent's, not measured, above 0.05 nats/step"] == "none found"
    slopes = stats.exponential_window(edge.records["distance"], select="slope")["exponent"].mean("seed")
    np.testing.assert_allclose(edge.summary["steepest"].sel(bound="estimate"), slopes)
    onset = edge.summary["steepest_onset"]
    assert edge.summary["onset"].equals(onset.rename("onset"))
    found = stats.bounds(onset)[0]
    np.testing.assert_array_equal(edge.summary["chaotic"], (slopes["learning_rate"] >= found) & (slopes > 0.05))


def test_the_sharpness_is_the_last_one_measured():
    ds = planted()
    sharpness = (xr.ones_like(ds["test_accuracy"]) / ds["learning_rate"]).where(ds["time"] % 50 == 0)
    edge = cj.EdgeOfChaos.of(ds.assign(sharpness=sharpness.expand_dims("eigenvalue", -1)))
    np.testing.assert_allclose(edge.summary["stability"], 0.5)
    assert edge.summary.attrs["stability"] == "sharpness · η/2"
    assert (edge.summary["stability_converged"] == 1).all()


def test_the_sharpness_of_other_optimizers_is_over_their_threshold_and_says_where_it_is_not_converged():
    ds = chaotic_transients(np.geomspace(0.25, 8, 21), 3, 160, radius=1e-5, accuracy=0.95)
    ones = xr.ones_like(ds["test_accuracy"])
    converged = (ones > 0) & ~((ds["seed"] == 1) & (ds["learning_rate"] > 7))
    edge = cj.EdgeOfChaos.of(
        ds.assign(
            sharpness=ones.expand_dims("eigenvalue", -1),
            sharpness_threshold=4 * ones,
            sharpness_converged=converged.expand_dims("eigenvalue", -1),
        )
    )
    np.testing.assert_allclose(edge.summary["stability"], 0.25)
    np.testing.assert_allclose(edge.summary["stability_converged"], [1.0] * 20 + [2 / 3])
    panel = edge.plot().axes[2]
    assert panel.get_ylabel().startswith("sharpness / threshold of the optimizer at the end")
    assert "not converged in some seeds: a lower bound" in [text.get_text() for text in panel.get_legend().get_texts()]
    assert len(edge.plot().axes) == 4


def test_what_the_edge_of_chaos_needs_is_named():
    with pytest.raises(ValueError, match="has scaled_residual, and the training time needs one of test_acc"):
        cj.edge_of_chaos(systems.scalar_net())
    with pytest.raises(ValueError, match="belong to a problem"):
        cj.edge_of_chaos(systems.scalar_net(), batch_size=3)


@pytest.mark.parametrize(("exponent", "verdict"), [(0.2, "chaos"), (-0.1, "noise")])
def test_a_driven_linear_map_is_unstable_exactly_as_its_exponent_says(exponent, verdict):
    system = mixed(lambda u: exponent)
    with pytest.raises(ValueError, match="draws no noise"):
        cj.is_chaotic(system)
    driven = system._replace(noise=lambda key, t: jax.random.normal(jax.random.fold_in(key, t)))
    found = cj.is_chaotic(driven, seeds=3, steps=60, progress=False)
    assert found.verdict == verdict
    np.testing.assert_allclose(found.tangent, exponent, rtol=1e-10)
    np.testing.assert_allclose(found.ensemble, exponent, atol=1e-5)
    assert repr(found).startswith(f"{verdict} with 3 seeds\n")


def of_rates(rates):
    """Records of copies that part, and tangents that grow, at one constant rate per seed."""
    time, seeds = np.arange(61), range(len(rates))
    distance = cells(1e-8 * np.exp(np.outer(rates, time)), seed=seeds, time=time)
    growth = cells(np.broadcast_to(np.reshape(rates, (-1, 1)), distance.shape), seed=seeds, time=time)
    copies = xr.Dataset({"distance": distance, "noisy": 3 * distance}).expand_dims(copy=2)
    return copies.assign(noisy_null=distance, growth=growth.expand_dims(exponent=1))


def test_an_undecided_verdict_says_how_many_seeds_would_decide():
    rates = np.array([0.02, 0.05, 0.08, 0.12])
    found = cj.ChaosOrNoise.of(of_rates(rates), level=0.05)
    assert found.verdict == "undecided"
    np.testing.assert_allclose(found.tangent.sel(bound="estimate"), rates.mean())
    np.testing.assert_allclose(found.excess, 3)
    n, gap, scatter = found.seeds_to_decide, rates.mean() - 0.05, rates.std(ddof=1)
    assert student.ppf(0.975, n - 1) * scatter / np.sqrt(n) < gap
    assert student.ppf(0.975, n - 2) * scatter / np.sqrt(n - 1) >= gap
    assert repr(found).startswith(f"undecided with 4 seeds: it would take about {n}\n")
    assert cj.ChaosOrNoise.of(of_rates(rates), level=0.0).verdict == "chaos"
    one = cj.ChaosOrNoise.of(of_rates(rates[:1]))
    assert (one.verdict, one.seeds_to_decide) == ("undecided", None)


def test_where_the_copies_say_the_opposite_they_decide():
    """The first step of Adam's tangent is divided by a second moment of 0; the jump of a sign has no tangent."""
    records = of_rates(np.array([0.01, 0.012, 0.015]))
    grown = records.assign(growth=records.growth + 0.3)
    found = cj.ChaosOrNoise.of(grown, level=0.05)
    assert (found.verdict, found.opposed) == ("noise", True)
    assert repr(found).endswith("the tangent says the opposite, beyond both intervals: chaos is what the copies show")
    none = cj.ChaosOrNoise.of(records.drop_vars("growth"), level=0.05)
    assert (none.verdict, none.opposed) == ("noise", True)
    assert "the tangent is unknown" in repr(none)
    assert not cj.ChaosOrNoise.of(records, level=0.05).opposed


def test_copies_that_are_not_perturbed_are_refused():
    with pytest.raises(ValueError, match=r"radius=0.0 must be above 0"):
        cj.is_chaotic(cj.training(problem(), optax.sgd, batch_size=3), radius=0.0)
