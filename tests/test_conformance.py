"""Systems with their probes: what must not change a bit, and what may change by rounding."""

import jax
import numpy as np
import pytest
from cases import CASES, probes_for
from conftest import Interrupted
from labelled import assert_same_bits

import chaosjax as cj

CLOCKS = {"steps": 12, "stride": 3, "cells_per_batch": 4, "progress": False}


@pytest.fixture(scope="module", params=CASES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def case(name):
    return CASES[name]


@pytest.fixture(scope="module")
def probes(name, request):
    return probes_for(name, every=request.config.getoption("--every-probe"))


@pytest.fixture(scope="module")
def whole(case, probes):
    """Six cells in batches of four by one thread, in one chunk."""
    return cj.sweep(case.system, probes, case.axes, **CLOCKS, chunk=5, threads=1)


def test_threads_chunks_interruptions_and_the_order_of_probes_change_no_bit(case, probes, whole, interrupt, tmp_path):
    run = {**CLOCKS, "chunk": 2, "threads": 4, "store": tmp_path / "store"}
    probes = dict(reversed(probes.items()))
    interrupt(after=2)
    with pytest.raises(Interrupted):
        cj.sweep(case.system, probes, case.axes, **run)
    assert_same_bits(cj.sweep(case.system, probes, case.axes, **run, resume=True), whole)


def test_some_cells_diverge_and_the_others_do_not(case, whole):
    assert whole.diverged_at.isnull().values.tolist() == [[True, True], [True, True], [False, False]]
    whole = whole.isel({next(iter(case.axes)): slice(2)})
    missing = ("sharpness", "alignment")  # between their records, and before the second
    for name in {name for name in whole if not str(name).startswith(missing)} - {"alive", "diverged_at"}:
        start = whole[name].attrs.get("start")
        assert np.isfinite(whole[name].sel(time=slice(start, None))).all(), name


def test_one_cell_alone_is_the_cell_of_a_batch_to_rounding(case, probes, whole):
    """vmap = loop, and batches of one = batches of four."""

    @jax.jit
    def alone(key):
        carry = cj.start(case.system, probes, key, case.theta)
        noise_key = jax.random.key(0)
        return cj.advance(case.system, probes, carry, 0, case.theta, noise_key, blocks=3, stride=3)[1]

    records = alone(jax.random.key(1))
    batched = whole.isel({next(iter(case.axes)): 1, "seed": 1})
    for name in probes:
        for entry, values in records[name].items() if isinstance(records[name], dict) else [("", records[name])]:
            both = batched[f"{name}_{entry}" if entry else name].values
            scale = np.nanmax(np.abs(both), initial=1e-300)
            np.testing.assert_allclose(both[:3], values, rtol=0, atol=1e-10 * scale, err_msg=name)


def test_eager_steps_are_jitted_steps_to_rounding(case):
    system, theta = case.system, case.theta
    x = jax.jit(system.init)(jax.random.key(1), theta)
    jitted = x
    for t in range(3):
        noise = system.noise(jax.random.key(0), jax.numpy.int32(t))
        jitted = jax.jit(system.step)(jitted, theta, noise)
        with jax.disable_jit():
            x = system.step(x, theta, noise)
    u, v = cj.phase(x)[0], cj.phase(jitted)[0]
    np.testing.assert_allclose(u, v, rtol=0, atol=1e-12 * np.max(np.abs(v)))
