"""GALI and SALI against a thousand digits, closed forms and unit vectors kept as such."""

import math
from decimal import Decimal, localcontext

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import chaosjax as cj
from chaosjax.probes._gali import gali

GAP = 2 * math.log((3 + math.sqrt(5)) / 2)


def run(system, probes, theta, steps, stride=1):
    """The first memories, and the records of one orbit at times 0, stride … steps."""

    @jax.jit
    def orbit(key):
        noise_key = jax.random.key(0)
        first = cj.start(system, probes, key, theta)
        carry, records = cj.advance(system, probes, first, 0, theta, noise_key, blocks=steps // stride, stride=stride)
        last = cj.observe(system, probes, carry, steps, theta, noise_key)
        return first, jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), records, last)

    return jax.tree.map(np.asarray, orbit(jax.random.key(0)))


def test_on_the_cat_map_it_falls_by_the_gap_of_the_exponents_far_below_rounding():
    ds = cj.sweep(cj.systems.cat(), {"g": gali()}, {"seed": [0, 1]}, steps=2000, progress=False)
    falls = np.diff(ds.g.values[:, 30:], axis=1)
    np.testing.assert_allclose(falls, -GAP, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ds.g_sali.values[:, 30:], ds.g.values[:, 30:], rtol=1e-13)
    assert ds.g.values[:, -1].max() < -3800
    np.testing.assert_allclose(ds.g_sali.values[:, 0], math.log(math.sqrt(2)), rtol=1e-14)


def exact_alignment(slopes, vectors):
    """ln GALI_2 and ln SALI after standard maps with k cos x = slope at each step, in a thousand digits."""
    with localcontext(prec=1000):
        (a, b), (c, e) = ([Decimal(float(coordinate)) for coordinate in v] for v in vectors)
        for slope in map(Decimal, slopes):
            b, e = b + slope * a, e + slope * c
            a, c = a + b, c + e
        one, two = (a * a + b * b).sqrt(), (c * c + e * e).sqrt()
        volume = abs(a * e - b * c) / (one * two)
        ends = [((a / one + s * c / two) ** 2 + (b / one + s * e / two) ** 2).sqrt() for s in (1, -1)]
        return float(volume.ln()), float(min(ends).ln())


def test_a_chaotic_orbit_agrees_with_a_thousand_digits():
    steps = 600
    probes = {"g": gali(), "x": cj.probes.reading(lambda tr: tr.x[0])}
    first, records = run(cj.systems.standard_map(), probes, {"k": 5.0}, steps)
    slopes = (5 * np.cos(records["x"][:-1])).tolist()
    log_gali, log_sali = records["g"][""], records["g"]["sali"]
    for t in (1, 2, 10, 100, steps):
        volume, smaller = exact_alignment(slopes[:t], first.memories["g"].frame)
        np.testing.assert_allclose(log_gali[t], volume, rtol=1e-13, atol=1e-12)
        np.testing.assert_allclose(log_sali[t], smaller, rtol=1e-13, atol=1e-12)
    assert log_gali[-1] < -1000


def test_a_regular_orbit_falls_as_the_square_of_time():
    # without a kick the standard map is a twist: (x, p) -> (x + p, p)
    first, records = run(cj.systems.standard_map(), {"g": gali()}, {"k": 0.0}, 10_000, stride=100)
    (a, b), (c, e) = first.memories["g"].frame
    t, log_gali = 100 * np.arange(101), records["g"][""]
    expected = np.log(abs(a * e - b * c)) - np.log(np.hypot(a + b * t, b)) - np.log(np.hypot(c + e * t, e))
    np.testing.assert_allclose(log_gali, expected, rtol=0, atol=1e-10)
    assert np.polyfit(np.log(t[50:]), log_gali[50:], 1)[0] == pytest.approx(-2, abs=0.01)


def test_an_island_is_told_from_the_sea():
    @jax.jit
    def orbit(x):
        system = cj.systems.standard_map()._replace(init=lambda key, theta: jnp.stack([x, 0.0]))
        probes, theta, key = {"g": gali(), "l": cj.probes.lyapunov(2)}, {"k": 1.0}, jax.random.key(0)
        carry = cj.start(system, probes, key, theta)
        _, records = cj.advance(system, probes, carry, 0, theta, key, blocks=20, stride=1000)
        return records["g"][""], records["l"]

    island, _ = orbit(np.pi + 0.3)
    t = 1000 * np.arange(20)
    slope = np.polyfit(np.log(t[2:]), island[2:], 1)[0]
    assert slope == pytest.approx(-2, abs=0.1)  # Skokos, J. Phys. A 34 (2001) 10029: maps of the plane
    sea, growth = orbit(0.05)
    gap = float((growth[:, 0] - growth[:, 1]).sum())
    assert gap > 1000
    assert float(sea[-1]) == pytest.approx(-gap, abs=10)


def test_on_training_it_is_the_volume_of_unit_vectors_kept_as_such():
    system = cj.training(cases.problem(), optax.adam, batch_size=3)
    theta, steps = {"learning_rate": 0.05}, 25
    probes = {f"g{k}": gali(k) for k in (2, 4)}
    first, records = run(system, probes, theta, steps)

    @jax.jit
    def follow(x, frames, t):
        transition = cj.Transition(system, t, x, theta, jax.random.key(0))
        pushed = jax.tree.map(jax.vmap(transition.push), frames)
        return transition.y, jax.tree.map(lambda v: v / jnp.linalg.norm(v, axis=1)[:, None], pushed)

    x, frames = first.x, {name: m.frame for name, m in first.memories.items()}
    for t in range(steps + 1):
        for name, vectors in frames.items():
            volume = np.log(np.linalg.svd(vectors, compute_uv=False)).sum()
            log_gali = records[name][""] if name == "g2" else records[name]
            np.testing.assert_allclose(log_gali[t], volume, rtol=1e-9, atol=1e-9)
        one, two = frames["g2"]
        smaller = min(np.linalg.norm(one + two), np.linalg.norm(one - two))
        np.testing.assert_allclose(records["g2"]["sali"][t], np.log(smaller), rtol=1e-9, atol=1e-9)
        x, frames = follow(x, frames, jnp.int32(t))


def test_float32_follows_far_below_its_range():
    step = cj.systems.cat().step
    system = cj.System(lambda key, theta: jax.random.uniform(key, (2,), jnp.float32), step)
    _, records = run(system, {"g": gali()}, {}, 300)
    log_gali = records["g"][""]
    assert log_gali.dtype == np.float32
    np.testing.assert_allclose((log_gali[-1] - log_gali[100]) / 200, -GAP, rtol=3e-6)


def test_a_collapsed_direction_has_no_volume():
    system = cj.System(lambda key, theta: jnp.ones(2), lambda x, theta, noise: x * jnp.asarray([2.0, 0.0]))
    _, records = run(system, {"g": gali()}, {}, 3)
    log_gali = records["g"][""]
    assert log_gali[0] == 0
    assert (log_gali[1:] < -30).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gali(1), "k=1 must be an integer of at least 2"),
        (lambda: run(cj.systems.henon(), {"g": gali(3)}, {}, 1), "k=3 exceeds the dimension 2 of the phase space"),
    ],
)
def test_bad_input_is_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
