"""What a run takes of memory: counted by hand, refused with numbers, and gone on with in smaller batches."""

from types import SimpleNamespace
from typing import Any

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import chaosjax as cj
from chaosjax._engine import Engine, Layout, _memory, batch_size_for, fitted
from chaosjax._engine._memory import Need, OutOfMemory, batch_that_fits, need_of, readable
from chaosjax._run import Clock, checked_run

GIB = 2**30
CPU = jax.devices("cpu")[0]
AXES = {"learning_rate": [0.1, 0.4], "seed": [0, 1, 2, 3]}


def sweep(**options):
    system = cj.training(cases.problem(), optax.sgd)
    probes = {"loss": cj.probes.loss()}
    return cj.sweep(system, probes, AXES, **{"steps": 12, "cells_per_batch": 4, "progress": False, **options})


def gpu(free: int) -> Any:
    stats = {"bytes_limit": 2 * free, "bytes_in_use": free}
    return SimpleNamespace(platform="gpu", device_kind="a GPU", memory_stats=lambda: stats)


def test_needs_are_those_of_the_busiest_device():
    """Ten cells in batches of four: three batches, of which one device of two holds two."""
    on_gpus = need_of(Layout(4, (gpu(1), gpu(1)), 1), 10, state_bytes=100, record_bytes=10, working=7)
    assert on_gpus == (800, 80, 7)
    assert need_of(Layout(4, (CPU,), 2), 10, 100, 10, 7) == (1200, 120, 14)


@pytest.mark.parametrize(
    ("need", "free", "batch", "fits"),
    [
        (Need(0, 0, 64), 32, 64, 32),
        (Need(10, 6, 64), 32, 64, 16),
        (Need(10, 6, 96), 32, 48, 8),
        (Need(33, 0, 64), 32, 64, None),  # the states alone are too large
        (Need(0, 0, 64), 0, 64, None),
        (Need(0, 0, 64), None, 64, 32),
        (Need(0, 0, 64), 32, 1, None),
    ],
)
def test_the_largest_power_of_two_that_fits(need, free, batch, fits):
    assert batch_that_fits(need, free, batch) == fits


def test_sizes_are_readable():
    assert [readable(n) for n in (0, 999, 2048, 1000 * 2**20, 3 * 2**40)] == [
        "0 B",
        "999 B",
        "2 KiB",
        "0.977 GiB",
        "3 TiB",
    ]


def test_what_cannot_fit_is_refused_with_numbers():
    """A step that sorts an outer product of 3 TiB, which no machine of this kind holds."""

    def step(x, theta, noise):
        v = x * jnp.arange(640_000.0)
        return jnp.sort(jnp.outer(v, v)).sum()

    system = cj.System(lambda key, theta: jnp.ones(()), step)
    with pytest.raises(MemoryError, match=r"cells_per_batch=1 does not fit on cpu: the run takes .* TiB \(states 8 B"):
        cj.sweep(system, {}, {"seed": [0]}, steps=2, progress=False)


def test_the_rule_takes_the_largest_batch_that_fits_an_accelerator():
    class Compiled:
        """10 GiB for each cell of a batch, and 4 GiB of states."""

        def __init__(self, run, layout, chunk):
            self.layout = layout

        def compile(self):
            pass

        def need(self):
            return Need(4 * GIB, 0, 10 * GIB * self.layout.batch_size)

        def close(self):
            pass

    run = checked_run(cases.logistic(), {}, {"r": [4.0]}, Clock.checked(1, 1), "common", 0)
    layout = Layout(16, (gpu(78 * GIB),), 1, "by rule: anything")
    assert fitted(run, layout, None, Compiled).layout.batch_size == 4
    told = r"cells_per_batch=16 does not fit on a GPU: .* 164 GiB .* 78 GiB is free; cells_per_batch=4 would fit"
    with pytest.raises(OutOfMemory, match=told):
        fitted(run, layout._replace(reason="as asked"), None, Compiled)


def test_a_result_says_what_was_picked_and_why(capsys):
    ds = sweep(progress=True)
    assert ds.attrs["plan"].startswith("8 cells in batches of 4 (as asked), 13 records in chunks of ")
    assert ds.attrs["plan"] in capsys.readouterr().err
    assert "(by rule: a step of a cell touches " in sweep(cells_per_batch=None).attrs["plan"]


@pytest.mark.parametrize(
    ("touched", "cells", "steps", "batch"),
    [
        (175 * 2**10, 7_000, 8, 16),  # a call of one cell would end before Python has made the next
        (25 * 2**10, 1_536, 200, 8),  # what fits the cache: a call has many steps
        (11 * 2**20, 140, 6, 1),
        (175 * 2**10, 9, 8, 5),  # both lanes get cells
    ],
)
def test_batches_on_a_cpu_fit_the_cache_and_make_a_call_worth_its_price(touched, cells, steps, batch):
    assert batch_size_for(touched, cells, CPU, 2, steps) == batch


def test_a_run_that_runs_out_of_memory_goes_on_in_smaller_batches_when_told(tmp_path, monkeypatch):
    store, advance = tmp_path / "a.zarr", Engine.advance

    def fail(self, carries, first, count):
        if first >= 6:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes.")
        return advance(self, carries, first, count)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "advance", fail)
        patch.setattr(_memory, "free_bytes", lambda device: None)
        message = (
            r"cells_per_batch=4 ran out of memory .* cells_per_batch=2 would fit: run again with it and resume=True"
        )
        with pytest.raises(MemoryError, match=message):
            sweep(store=store, chunk=2)
    with pytest.raises(ValueError, match=r"cells_per_batch: 4 → 8"):
        sweep(store=store, resume=True, cells_per_batch=8)
    smaller = sweep(store=store, resume=True, cells_per_batch=2).load()
    known = cj.provenance_of(smaller)
    assert known["identity"]["cells_per_batch"] == 2
    assert known["earlier_cells_per_batch"] == [4]
    whole = sweep()
    np.testing.assert_array_equal(smaller.loss[..., :6], whole.loss[..., :6])
    np.testing.assert_allclose(smaller.loss, whole.loss, rtol=1e-12)
    again = sweep(store=store, resume=True, cells_per_batch=None)  # finished: it is opened
    np.testing.assert_array_equal(again.loss, smaller.loss)
    assert cj.verify(store).intact


def test_another_batch_size_is_still_another_run(tmp_path, interrupt):
    from conftest import Interrupted

    interrupt(after=2)
    with pytest.raises(Interrupted):
        sweep(store=tmp_path / "a.zarr", chunk=2)
    with pytest.raises(ValueError, match=r"cells_per_batch: 4 → 2"):
        sweep(store=tmp_path / "a.zarr", resume=True, cells_per_batch=2)
