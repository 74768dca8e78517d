"""The search for a learning rate: on descent whose losses and exponents are exact, and its parts on planted numbers."""

import cases
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr
from hydra import compose, initialize_config_dir
from labelled import cells

import chaosjax as cj
from chaosjax import stats, systems
from chaosjax._questions._probing import ROUNDS, SPREAD, fall, predicted_time, rates_of, recommendation, steps_of
from experiments.find_lr import find
from experiments.jobs import CONF

CURVATURE = 0.8


@pytest.fixture(scope="module")
def found():
    return cj.find_learning_rate(systems.quadratic([CURVATURE]), budget=900, seeds=2, progress=False)


def test_on_a_quadratic_every_run_is_exact_and_the_best_is_the_nearest_to_one_over_the_curvature(found):
    for records in found.rounds:
        eta = records["learning_rate"]
        factor = (1 - CURVATURE * eta) ** (2 * records["time"])
        np.testing.assert_allclose(records["loss"], records["loss"].isel(time=0) * factor, rtol=1e-8, atol=1e-300)
    tried = np.concatenate([records["learning_rate"].values for records in found.rounds[2:]])
    best, low, high = map(float, stats.bounds(found.learning_rate))
    assert best == tried[np.abs(1 - CURVATURE * tried).argmin()]
    assert low < best < high
    assert abs(np.log(best * CURVATURE)) < np.log(1.3)


def test_the_edge_is_where_it_is_known_to_be(found):
    assert found.stable < 2 / CURVATURE <= found.unstable
    onset, low, high = map(float, stats.bounds(found.onset))
    assert low < (1 + np.exp(0.05)) / CURVATURE <= high
    assert low <= onset <= high


def test_the_cost_is_what_was_run_and_stays_within_the_budget(found):
    steps = [int(records["time"][-1]) for records in found.rounds]
    counts = [records.sizes["learning_rate"] * 2 for records in found.rounds]
    assert found.cost == sum(n * s for n, s in zip(counts, steps, strict=True)) + counts[1] * steps[1]
    assert 0.95 * 900 < found.cost <= 900
    assert steps[4] == steps[2] == steps[3] > steps[1] > steps[0]
    seeds = [set(records["seed"].values.tolist()) for records in found.rounds]
    assert seeds == [{0, 1}, {2, 3}, {4, 5}, {4, 5}, {4, 5}]


def test_it_is_told_in_plain_words_and_drawn(found):
    told = repr(found)
    assert told.startswith(f"Take {float(found.learning_rate[0]):.3g}; from ")
    assert f"cost: {found.cost:,} of 900 gradient evaluations (8 × " in told
    assert "Training turns chaotic at" in found.sentence
    assert "not known: schedules, generalisation" in told
    assert len(found.plot("title").axes) == 2


def by_its_own_clock(rate):
    """A square that changes whatever the optimizer does: by the factor exp(2 rate(η)) per step."""
    return cj.System(
        lambda key, theta: jnp.ones(()),
        lambda x, theta, noise: x * jnp.exp(rate(theta["learning_rate"])),
        loss=lambda x, theta, noise: x**2,
        theta={"learning_rate": 1.0},
    )


def test_a_map_that_never_trains_has_no_learning_rate_and_no_edge():
    found = cj.find_learning_rate(by_its_own_clock(lambda eta: 0.1 + 0 * eta), budget=300, progress=False)
    assert found.sentence.startswith("No learning rate of the range trained")
    assert found.learning_rate.isnull().all()
    assert found.onset.isnull().all()
    assert len(found.rounds) == 1
    assert len(found.plot().axes) == 2


def test_where_nothing_diverges_there_is_no_edge():
    calm = by_its_own_clock(lambda eta: -0.1 * jnp.arctan(eta))
    found = cj.find_learning_rate(calm, budget=300, progress=False)
    assert found.sentence.endswith("No edge found.")
    assert "no edge found" in repr(found)
    assert "no onset: no exponent above 0.05 nats/step up to 100" in repr(found)
    assert float(found.learning_rate[0]) == pytest.approx(100)
    assert np.isnan(found.unstable)


def test_a_negative_loss_is_refused():
    with pytest.raises(ValueError, match="the loss is negative; the search compares ln L"):
        cj.find_learning_rate(systems.quadratic([-0.5]), budget=300, progress=False)


def test_minibatches_a_target_and_a_step_that_jumps():
    arguments = {"batch_size": 5, "budget": 260, "target": 0.5, "progress": False, "span": (1e-3, 1.0)}
    found = cj.find_learning_rate(cases.problem(), optax.lion, metric="train_accuracy", **arguments)
    assert "no onset: the step jumps (sign)" in repr(found)
    assert "It should reach train accuracy 0.5 in " in found.sentence
    assert found.cost <= 260
    assert "growth" not in found.rounds[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 100}, r"budget=100 must be at least \d+ gradient evaluations"),
        ({"target": 0.9}, "metric='test_accuracy' is none of the system's: it has none"),
        ({"span": (1.0, 0.1)}, "must be two learning rates, 0 < lowest < highest"),
        ({"batch_size": 3}, "belong to a problem"),
        ({"optimizer": optax.adam}, "belong to a problem"),
        ({"seeds": 0}, "seeds=0"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        cj.find_learning_rate(systems.quadratic([1.0]), progress=False, **arguments)


def levels(values, rates=(1.0, 2.0, 4.0, 8.0)):
    return cells(values, learning_rate=list(rates))


def test_the_rates_of_a_round_lie_where_the_last_one_sends_them():
    span = (1e-3, 1e3)
    np.testing.assert_allclose(rates_of(0, None, span), np.geomspace(1e-3, 1e3, 7))
    np.testing.assert_allclose(rates_of(1, levels([3, 1, 2, 4]), span), 2 * 10 ** np.array([-0.5, 0, 0.5, 1, 1.5]))
    np.testing.assert_allclose(rates_of(2, levels([3, 1, 2, 4]), span), [1.25, 2, 3.2])
    three = (1.0, 1.6, 2.56)
    np.testing.assert_allclose(rates_of(3, levels([3, 1, 2], three), span), 1.6 * np.array([1.6**-0.5, 1.6**0.5]))
    np.testing.assert_allclose(rates_of(3, levels([3, 2, 1], three), span), [2.56 * 1.6, 2.56 * 1.6**2])
    np.testing.assert_allclose(rates_of(3, levels([1, 2, 3], three), span), [1.6**-2, 1.6**-1])
    np.testing.assert_allclose(rates_of(4, levels([3, 2, 1, 4]), span), [8**0.5, 32**0.5])
    np.testing.assert_allclose(rates_of(1, levels([1, 2, 3, 4]), (1.0, 10.0)), [1, 10**0.5, 10])
    spent = [n * s for n, s in zip((15, 5, 3, 2, 2), steps_of(2000, (1e-7, 1e7), 1, True), strict=True)]
    np.testing.assert_allclose(np.array(spent) * [1, 2, 1, 1, 1], [2000 * each.share for each in ROUNDS], rtol=0.05)


def test_the_interval_holds_what_takes_at_most_a_tenth_longer():
    # at a slope of 2, ln L higher by 0.18 takes exp(0.09) times as long, by 0.22 exp(0.11) times
    found = recommendation(levels([0.22, 0.0, 0.18, 5.0]), 2.0, np.nan)
    np.testing.assert_allclose(found, [2, 2**0.5, 4 * 2**0.5])
    np.testing.assert_allclose(recommendation(levels([0.22, 0.0, 0.18, 5.0]), 2.0, 5.0), [2, 2**0.5, 5])
    np.testing.assert_allclose(recommendation(levels([0.0, 9.0, 9.0, 9.0]), 2.0, np.nan), [1, 0.5**0.5, 2**0.5])
    np.testing.assert_allclose(recommendation(levels([0.1], [3.0]), 1.0, np.nan)[0], 3)


def scores(values, time):
    return cells(np.asarray(values)[None], seed=[0], time=time)


def test_the_time_to_a_target_is_read_where_it_was_reached_and_extrapolated_where_not():
    time = np.arange(0, 65, 2)
    curve = 4.0 * np.maximum(time, 1) ** -0.5
    assert fall(scores(curve, time)) == pytest.approx(0.5)
    assert predicted_time(scores(curve, time), 0.625, falls=True) == (42.0, 42 / SPREAD, 42 * SPREAD)
    estimate, low, high = predicted_time(scores(curve, time), 0.4, falls=True)  # (4 / 0.4)² steps
    np.testing.assert_allclose([estimate, low * SPREAD, high / SPREAD], 100, rtol=1e-6)
    accuracy = 1 - curve / 8
    assert predicted_time(scores(accuracy, time), 0.95, falls=False)[0] == pytest.approx(100, rel=1e-6)
    too_far = predicted_time(scores(curve, time), 0.1, falls=True)  # 1600 steps
    np.testing.assert_array_equal(too_far, (np.nan, 64, np.nan))
    np.testing.assert_array_equal(predicted_time(scores(1 + 0 * curve, time), 0.4, falls=True), (np.nan, 64, np.nan))


def test_the_interval_of_an_extrapolated_time_covers_it_under_noise():
    rng, time = np.random.default_rng(0), np.arange(0, 65, 2)
    curve = 4.0 * np.maximum(time, 1) ** -0.5
    covered = []
    for _ in range(200):
        noisy = curve * np.exp(0.05 * rng.standard_normal(len(time)))
        estimate, low, high = predicted_time(scores(noisy, time), 0.4, falls=True)
        covered += [low <= (4 / 0.4) ** 2 <= high] if np.isfinite(estimate) else []
    assert len(covered) > 190
    assert np.mean(covered) > 0.95


def test_every_seed_counts_in_the_time_that_was_reached():
    two = xr.concat([scores([0, 0.5, 0.9, 0.9], [0, 2, 4, 6]), scores([0, 0.1, 0.5, 0.9], [0, 2, 4, 6])], "seed")
    assert predicted_time(two, 0.9, falls=False) == (5.0, 5 / SPREAD, 5 * SPREAD)


def test_the_command_hands_over_what_was_chosen_and_writes_what_was_found(found, tmp_path, monkeypatch, capsys):
    given = {}

    def search(**arguments):
        given.update(arguments)
        return found

    monkeypatch.setattr(cj, "find_learning_rate", search)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = [
            "dataset=iris",
            "optimizer=adam",
            "system.batch_size=8",
            "find_lr.budget=600",
            "find_lr.target=0.9",
        ]
        find(compose("config", overrides), tmp_path)
    assert given["problem_or_system"].attrs["dataset"]["name"] == "iris"
    assert given["optimizer"].func is optax.adam
    assert [given[name] for name in ("batch_size", "budget", "target", "metric")] == [8, 600, 0.9, "test_accuracy"]
    assert (tmp_path / "answer.txt").read_text() == f"{found}\n"
    assert repr(found) in capsys.readouterr().out
    assert (tmp_path / "learning_rate.png").stat().st_size > 10_000
    assert xr.open_zarr(tmp_path / "round_4.zarr", consolidated=False).sizes["learning_rate"] == 2
