"""The rules that the search is judged beside, on numbers worked out by hand, and the judgement on planted times."""

import json

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr

import chaosjax as cj
from chaosjax import systems
from experiments.learning_rate import range_test
from experiments.learning_rate.follower import follow_the_edge
from experiments.learning_rate.judge import RULES, findings, report, summarise
from experiments.learning_rate.rivals import cdat, tuning_free
from experiments.learning_rate.trials import FINDER


def test_the_programs_smooth_as_their_formulas_say():
    losses = np.array([3.0, 1.0, 2.0])
    mean = [0.06, 0.98 * 0.06 + 0.02, 0.98 * (0.98 * 0.06 + 0.02) + 0.04]
    np.testing.assert_allclose(range_test.debiased(losses), mean / (1 - 0.98 ** np.arange(1, 4)))
    np.testing.assert_allclose(range_test.debiased(losses, late=1), mean / (1 - 0.98 ** np.arange(2, 5)))
    np.testing.assert_allclose(range_test.from_the_first(losses), [3, 2.9, 0.05 * 2 + 0.95 * 2.9])


def test_the_learning_rates_of_the_programs_run_between_their_ends():
    fastai, torch, lightning = map(range_test.rates_of, range_test.TESTS.values())
    np.testing.assert_allclose(fastai[[0, 50]], [1e-7, 1e-3])
    np.testing.assert_allclose(torch[[0, -1]], [1e-7, 10])
    np.testing.assert_allclose(lightning[[0, 1, -1]], [1e-8, 1e-8 * 10**0.16, 1.0])


def test_a_test_ends_where_the_loss_explodes_and_leaves_out_what_the_program_does():
    losses = np.concatenate([np.linspace(2, 1, 60), np.full(40, 1e4)])
    plain = range_test.TESTS["torch-lr-finder"]._replace(smooth=lambda loss: loss)
    rates, kept = range_test.seen(plain, losses)
    np.testing.assert_array_equal(kept, losses[10 : 61 - 5])
    np.testing.assert_array_equal(rates, range_test.rates_of(plain)[10 : 61 - 5])
    gone = np.where(np.arange(100) < 40, losses, np.nan)
    assert len(range_test.seen(plain, gone)[1]) == 40 - 10 - 4


def test_the_suggestions_by_hand():
    rates = 10.0 ** np.linspace(-4, 1, 51)
    # 30 falling losses, then rising ones: the valley is the 30, and the code's start lies one before them
    falling = np.concatenate([np.linspace(3, 1, 30), np.linspace(1.1, 5, 21)])
    assert range_test.valley(rates, falling) == rates[-1 + 10 + 5]
    steps = np.full(51, 2.0)
    steps[20:] -= 0.5
    steps[40:] -= 0.4
    assert range_test.steep(rates, steps) == rates[19]
    assert range_test.steepest_step(rates, steps) == rates[19]
    assert range_test.steepest_rate(rates, steps) == rates[20]  # its weights are for uneven steps
    none = np.array([])
    assert all(np.isnan(rule(none, none)) for _, rule in range_test.SUGGESTIONS.values())


def test_the_rising_rate_is_the_table_step_by_step():
    system = cj.training(cases.problem(), range_test.rising(optax.sgd))
    x = system.init(jax.random.key(0), {"test": 2.0})
    for _ in range(3):
        x = system.step(x, {"test": 2.0}, None)
    table = range_test.rates_of(range_test.TESTS["Lightning"])
    params = system.init(jax.random.key(0), {"test": 2.0}).params
    loss = lambda params: cases.problem().loss(params, (), {}, None)[0]  # noqa: E731
    for eta in table[:3]:
        params = jax.tree.map(lambda p, g, eta=eta: p - eta * g, params, jax.grad(loss)(params))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), x.params, params)


@pytest.mark.parametrize("scale", [2.0, 1.0, 0.5])
def test_the_curvature_aware_tuner_is_exact_on_a_quadratic(scale):
    """With u = −g the rate is σ/h, and a step multiplies w by 1 − σ."""
    bowl = cj.Problem(
        lambda key, theta: (jnp.asarray(3.0), ()), lambda w, state, theta, indices: (0.5 * 0.7 * w**2, state)
    )
    system = cj.training(bowl, cdat(optax.sgd, scale))
    x = system.init(jax.random.key(0), {})
    seen = []
    for _ in range(3):
        x = system.step(x, {}, None)
        seen.append(float(x.params))
    np.testing.assert_allclose(seen, 3.0 * (1 - scale) ** np.arange(1, 4), atol=1e-9)


def test_the_follower_raises_the_rate_to_the_edge_of_a_quadratic():
    """Below 2/h a tangent shrinks and η rises; above it grows by ln |1 − ηh|, and η settles where that is the level."""
    followed = follow_the_edge(systems.quadratic([0.5]), level=0.05, gain=1.0, memory=0.0)
    rate = cj.probes.reading(lambda transition: jnp.exp(transition.x.log_rate))
    ds = cj.sweep(followed, {"rate": rate}, {"seed": [0]}, steps=800, stride=20, progress=False)
    assert float(ds["rate"][0, 0]) == pytest.approx(1e-4)
    assert float(ds["rate"][0, -1]) == pytest.approx((1 + np.exp(0.05)) / 0.5, rel=1e-3)


def test_every_tuning_free_optimizer_is_one_without_a_learning_rate():
    params = {"w": jnp.ones(3)}
    for name, factory in tuning_free(optax.adam).items():
        made = optax.with_extra_args_support(factory())
        update = jax.jit(lambda p, made=made: made.update(p, made.init(p), p, value=jnp.asarray(1.0), grad=p)[0])
        updates = update(params)
        assert np.isfinite(updates["w"]).all(), name


STEPS = 40


def planted(times, **config):
    """Records of runs that reach an accuracy of 0.9 at the given times, ``[learning_rate, seed]``."""
    time = np.arange(STEPS + 1)
    score = np.where(time >= np.asarray(times)[..., None], 0.95, 0.5)
    rates = [0.1, 0.2, 0.4][: len(score)]
    coords = {"learning_rate": rates, "seed": range(score.shape[1]), "time": time}
    ds = xr.Dataset({"score": (tuple(coords), score)}, coords)
    known = {"title": "t", "size": "toy", "half": "judged", "label": "planted", **config}
    return ds.assign_attrs(
        config=json.dumps({"target": {"metric": "test_accuracy", "value": 0.9}, **known}),
        cost=json.dumps({"steps": 1, "tangents": 0, "products": 30, "losses": 0}),
        wall_seconds=1.0,
        compile_seconds=1.0,
        peak_bytes=1,
        devices="1 × test",
        finished="2026-01-01",
    )


def job(ours, half):
    """A grid with 10 and 20 steps at best, and rules that take `ours`, twice as long as the best, or miss."""
    grid = planted([[10, 30], [20, 20], [np.inf, np.inf]], half=half)
    parts = {"sweep": grid.assign(diverged_at=grid["score"].isel(time=0, drop=True)), "sharpness": grid}
    for rule in RULES:
        if rule in ("cdat", "edge_follower") or rule in tuning_free(optax.adam):
            parts[rule] = planted([[np.inf, np.inf]]).isel(learning_rate=0, drop=True)
    parts["edge_follower"]["rate"] = 0.1 + 0 * parts["edge_follower"]["score"]
    for study, best in enumerate((10, 20)):
        picked = {FINDER: 0.1, "default": 0.2}
        records = planted([[ours[study]], [2 * best]], picked=picked, cost=4, interval=[0.05, 0.3], expected=[1, 2, 30])
        known = json.loads(records.attrs["config"]) | {"onset": [0.2, 0.1, 0.3]}
        parts[f"study_{study}"] = records.assign_coords(seed=[study]).assign_attrs(config=json.dumps(known))
    return parts


AIMS = {"median_aim": 1.1, "worst_aim": 2.0, "cost_aim": 0.05}


def test_times_ratios_and_verdicts_follow_the_rule_of_algoperf():
    jobs = {"a": job((10, 22), "judged"), "b": job((15, np.inf), "development")}
    summary = summarise(jobs, **AIMS).assign_attrs(AIMS)
    np.testing.assert_array_equal(summary["oracle"], 15)  # the best of each study: 10 and 20
    np.testing.assert_array_equal(summary["best_time"], 20)  # of one learning rate: 20 and 20 against 10 and 30
    ratio = summary["ratio"].sel(rule=[FINDER, "default", "cdat", "fastai valley"])
    np.testing.assert_allclose(ratio.sel(case="a"), [16 / 15, 2, np.inf, np.inf])
    assert float(summary["ratio_fixed"].sel(case="a", rule=FINDER)) == 16 / 20
    # each study at the best η of the other: 20 and 30 steps
    np.testing.assert_allclose(summary["ratio_others"], 25 / 15)
    assert np.isinf(float(summary["ratio"].sel(case="b", rule=FINDER)))
    found = findings(summary, jobs)
    verdicts = {(f.figure.split()[0], f.quantity): f.verdict for f in found}
    assert verdicts["judged", "median time to target, over the best of the grid"] == "reproduced"
    assert verdicts["development", "worst problem"] == "not reproduced"
    assert verdicts["judged", "cost of the search, share of the grid's"] == "reproduced"  # 4 of 3 · 40


def test_the_report_shows_both_halves_and_its_failures_first(tmp_path):
    jobs = {"a": job((10, 22), "judged"), "b": job((15, np.inf), "development"), "c": job((20, 40), "judged")}
    unfinished = {name: part for name, part in job((10, 20), "judged").items() if name != "study_1"}
    report({**jobs, "d": unfinished}, tmp_path, **AIMS)
    text = json.loads((tmp_path / "findings.json").read_text())["text"]
    rows = [line for line in text.splitlines() if line.startswith("| planted")]
    assert [row.split(" | ")[6] for row in rows] == ["2.00", "1.07", "miss", "miss", "miss", "miss"]
    assert "Left out, since their trials have not finished: d." in text
    assert "holds the best single η of the grid in 6" in text
    assert {path.name for path in tmp_path.glob("*.png")} == {"rules.png", "picks.png", "follower.png"}
