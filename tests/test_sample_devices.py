"""Samples that are spread over devices: the same training to rounding, a share of the samples on each device."""

import jax
import numpy as np
import optax
import pytest

import chaosjax as cj
from chaosjax import models, probes
from chaosjax._engine import Engine, Layout
from chaosjax._engine._group import Group
from chaosjax._run import Clock, checked_run

AXES = {"learning_rate": [0.1, 0.4], "seed": [0, 1]}
PROBES = {
    "loss": probes.loss(),
    "growth": probes.lyapunov(),
    "copies": probes.ensemble(copies=2, radius=1e-6),
    "sharpness": probes.sharpness(),
}


def dataset(samples: int = 40) -> cj.datasets.Dataset:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(samples, 5))
    return cj.datasets.arrays(inputs, np.tanh(inputs[:, :2]), test=8, name="planes")


def system(samples: int = 40, **options) -> cj.System:
    problem = cj.supervised(models.mlp(widths=(6,), activation="tanh"), dataset(samples), "squared_error", **options)
    return cj.training(problem, optax.sgd)


def run(system, names=tuple(PROBES), **options):
    return cj.sweep(system, {name: PROBES[name] for name in names}, AXES, steps=20, stride=5, progress=False, **options)


@pytest.fixture(scope="module")
def whole():
    return run(system(), cells_per_batch=2)


def test_records_are_those_of_one_device_to_rounding(whole):
    shared = run(system(sample_devices=2), cells_per_batch=2)
    tolerance = {"loss": 1e-9, "growth": 1e-7, "copies": 1e-5, "sharpness": 1e-5}
    for name, rtol in tolerance.items():
        np.testing.assert_allclose(shared[name], whole[name], rtol=rtol, atol=1e-13)
    assert cj.provenance_of(shared)["devices"].startswith("2 × ")


def test_each_device_holds_its_share_and_they_sum_over_it():
    checked = checked_run(system(sample_devices=2), {"loss": probes.loss()}, AXES, Clock.checked(4, 1), "common", 0)
    assert checked.system.mesh is not None
    engine = Engine(checked, Layout(2, (Group(checked.system.mesh),), 1), None)
    engine.compile()
    (program,) = engine._advance._compiled.values()
    ((data, *rest), _) = program.input_shardings
    assert {sharding.spec for sharding in data} == {jax.sharding.PartitionSpec("samples")}
    assert all(sharding.is_fully_replicated for sharding in jax.tree.leaves(rest))
    assert "all-reduce" in str(program.as_text())
    engine.close()


def test_a_store_is_continued_bit_for_bit_and_only_on_as_many_devices(tmp_path):
    shared = system(sample_devices=2)
    ended = run(shared, ["loss"], chunk=1)
    with pytest.raises(KeyboardInterrupt):
        run(shared, ["loss"], chunk=1, store=tmp_path / "a.zarr", callback=interrupt)
    resumed = run(shared, ["loss"], chunk=1, store=tmp_path / "a.zarr", resume=True)
    np.testing.assert_array_equal(resumed["loss"], ended["loss"])
    with pytest.raises(ValueError, match="sample_devices"):
        run(system(), ["loss"], chunk=1, store=tmp_path / "a.zarr", resume=True)


def interrupt(ds):
    if float(ds["time"][0]) > 5:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_devices": 0}, "JAX finds 2"),
        ({"sample_devices": 3}, "JAX finds 2"),
        ({"sample_devices": "two"}, "a number, a list of devices"),
        ({"sample_devices": []}, "a number, a list of devices"),
        ({"samples": 41, "sample_devices": 2}, "take 32 of them"),
    ],
)
def test_mistakes_say_what_to_do(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        system(**options)


def test_devices_are_not_asked_for_twice():
    with pytest.raises(ValueError, match="leave devices out"):
        run(system(sample_devices=2), devices=jax.devices()[:1])
