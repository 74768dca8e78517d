"""What lies on disk: round trips, what a kill may leave, and the messages of disks that refuse."""

import errno
import signal
import subprocess
import sys
import time
from pathlib import Path

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import zarr
from conftest import Interrupted
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import chaosjax as cj
from chaosjax import _execution
from chaosjax._results import Checkpoint, Store, key_impls, pack, unpack, unwrap_keys, wrap_keys
from chaosjax._results._provenance import differences

SYSTEM = cj.training(cases.problem(), optax.sgd)


def sweep(store, **options):
    settings = {"steps": 4, "chunk": 2, "cells_per_batch": 2, "progress": False, **options}
    return cj.sweep(SYSTEM, {"loss": cj.probes.loss()}, {"learning_rate": [0.1, 0.2]}, store=store, **settings)


def error_of_zarr(monkeypatch, number, after):
    """Lets the array writes of zarr fail with that error number from write `after` on."""
    write, seen = zarr.Array.__setitem__, []

    def fail(self, *args):
        seen.append(self)
        if len(seen) > after:
            raise OSError(number, "refused")
        write(self, *args)

    monkeypatch.setattr(zarr.Array, "__setitem__", fail)


arrays = hnp.arrays(st.sampled_from([np.float64, np.float32, np.int32, np.bool_]), hnp.array_shapes(min_dims=0))


@settings(max_examples=50, deadline=None)
@given(st.lists(arrays, min_size=1, max_size=4))
def test_a_packed_tree_comes_back_bit_for_bit(leaves):
    template = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), leaves)
    for before, after in zip(leaves, unpack(pack(leaves), template), strict=True):
        assert before.dtype == after.dtype
        assert before.tobytes() == after.tobytes()


def test_random_keys_are_stored_as_their_data():
    tree = {"key": jax.random.key(3), "other": jax.random.key(4, impl="rbg"), "value": jnp.ones(2)}
    plain = unwrap_keys(tree)
    restored = wrap_keys(unpack(pack(tree), jax.eval_shape(lambda: plain)), key_impls(tree))
    assert jax.random.key_impl(restored["other"]) == jax.random.key_impl(tree["other"])
    np.testing.assert_array_equal(jax.random.uniform(restored["key"]), jax.random.uniform(tree["key"]))


def test_a_state_of_another_size_is_refused():
    with pytest.raises(ValueError, match="holds 16 bytes, this run's state has 24"):
        unpack(pack([np.zeros(2)]), [jax.ShapeDtypeStruct((3,), np.float64)])


def test_differences_name_the_nested_key():
    ours, theirs = {"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 1, "c": 3}, "e": 0}
    assert differences(ours, theirs) == ["a.c: 3 → 2", "d: null → [1]", "e: 0 → null"]


def test_a_full_disk_says_so_and_keeps_what_was_recorded(tmp_path, monkeypatch):
    whole = sweep(None)
    with monkeypatch.context() as patch:
        error_of_zarr(patch, errno.ENOSPC, after=5)
        with pytest.raises(OSError, match="the disk is full: free space, then go on with resume=True"):
            sweep(tmp_path / "a.zarr")
    kept = Store.open(tmp_path / "a.zarr").load()
    assert kept.index == 2
    resumed = sweep(tmp_path / "a.zarr", resume=True)
    np.testing.assert_array_equal(resumed.loss, whole.loss)


def test_a_read_only_folder_is_named(tmp_path, monkeypatch):
    error_of_zarr(monkeypatch, errno.EROFS, after=5)
    with pytest.raises(OSError, match=r"a.zarr: cannot be written \(refused\): choose a folder that can"):
        sweep(tmp_path / "a.zarr")


def test_a_checkpoint_that_was_cut_short_is_passed_over(tmp_path, interrupt):
    interrupt(after=2)
    with pytest.raises(Interrupted):
        sweep(tmp_path / "a.zarr")
    store = Store.open(tmp_path / "a.zarr")
    store.save(Checkpoint(2, np.arange(3, dtype=np.uint8), 1.5))
    store.group["checkpoints"].create_array("000000000004", data=np.zeros(1, np.uint8))  # without its checksum
    assert cj.verify(tmp_path / "a.zarr").intact
    found = store.load()
    assert found is not None
    assert (found.index, found.seconds) == (2, 1.5)
    np.testing.assert_array_equal(found.data, [0, 1, 2])


def test_a_finished_store_is_opened_and_not_run(tmp_path, monkeypatch):
    first = sweep(tmp_path / "a.zarr")
    monkeypatch.setattr(_execution, "advanced", lambda *args: pytest.fail("ran again"))
    again = sweep(tmp_path / "a.zarr", resume=True)
    np.testing.assert_array_equal(again.loss, first.loss)
    assert again.attrs == first.attrs


def test_a_store_with_nothing_in_it_yet_begins(tmp_path, interrupt):
    interrupt(after=1)
    with pytest.raises(Interrupted):
        sweep(tmp_path / "a.zarr")
    assert Store.open(tmp_path / "a.zarr").load() is None
    np.testing.assert_array_equal(sweep(tmp_path / "a.zarr", resume=True).loss, sweep(None).loss)


KILLED = """
import sys
sys.path.insert(0, {tests!r})
import conftest
from test_store import long_run
long_run({store!r})
"""


def long_run(store, **options):
    """Long enough to be killed in its middle: 3,000 steps in chunks of 20 records."""
    probes = {"loss": cj.probes.loss(), "distance": cj.probes.ensemble(copies=2), "growth": cj.probes.lyapunov()}
    system = cj.training(cases.problem(), optax.adam, batch_size=3)
    axes = {"learning_rate": [0.1, 0.4], "seed": [0, 1]}
    settings = {"steps": 3000, "stride": 5, "chunk": 20, "cells_per_batch": 2, "progress": False, **options}
    return cj.sweep(system, probes, axes, store=store, **settings)


def test_a_process_killed_in_mid_sweep_is_continued_bit_for_bit(tmp_path):
    store = tmp_path / "a.zarr"
    script = KILLED.format(tests=str(Path(__file__).parent), store=str(store))
    process = subprocess.Popen([sys.executable, "-c", script])
    while not list(store.glob("checkpoints/*40/zarr.json")) and process.poll() is None:  # its second
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL  # it was still running
    assert 0 < Store.open(store).load().index < 600
    resumed, whole = long_run(store, resume=True), long_run(None)
    for name in whole:
        np.testing.assert_array_equal(resumed[name].values, whole[name].values, err_msg=name)
