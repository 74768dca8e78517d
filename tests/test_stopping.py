"""One writer per store, the end of a run by until=, and what Ctrl-C and SIGTERM leave."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import cases
import numpy as np
import pytest
import zarr
from conftest import Interrupted
from test_damage import sweep

import chaosjax as cj
from chaosjax._results import _lock, only_writer
from chaosjax._results._lock import lock_file

HOLDER = f"""
import importlib.util, sys, time
from pathlib import Path
found = importlib.util.spec_from_file_location("lock", {_lock.__file__!r})
lock = importlib.util.module_from_spec(found)
found.loader.exec_module(lock)
only_writer = lock.only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def until_four(records):
    return records.sizes["time"] >= 4


@pytest.fixture(scope="module")
def short():
    return sweep(None, until=until_four)


def test_a_second_writer_is_refused_and_a_dead_one_is_no_obstacle(tmp_path):
    store = tmp_path / "a.zarr"
    command = [sys.executable, "-c", HOLDER, str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        told = f"is being written by process {holder.pid} on {socket.gethostname()}"
        for resume in (False, True):
            with pytest.raises(BlockingIOError, match=told):
                sweep(store, resume=resume)
        assert not store.exists()
        holder.kill()
    assert lock_file(store).exists()
    sweep(store)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_two_sweeps_of_one_process_do_not_share_a_store(tmp_path):
    with only_writer(tmp_path / "a.zarr"), pytest.raises(BlockingIOError, match=f"process {os.getpid()} "):
        sweep(tmp_path / "a.zarr")


@pytest.mark.parametrize(("host", "process", "refused"), [("elsewhere", 1, True), (None, 2**22 - 3, False)])
def test_without_locks_the_process_in_the_file_decides(tmp_path, monkeypatch, host, process, refused):
    """As on a network file system that has none."""
    import fcntl

    def none(*args):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    lock_file(tmp_path / "a.zarr").write_text(f"{host or socket.gethostname()} {process}\n")
    if refused:
        with pytest.raises(BlockingIOError, match="if that has ended, remove"):
            sweep(tmp_path / "a.zarr")
    else:
        sweep(tmp_path / "a.zarr")


class Kill(BaseException):
    """What a test throws in the place of a kill: nothing of ours catches it."""


def kill_points(monkeypatch, at):
    """Throws `Kill` at file operation number `at` of zarr: before it is done. Returns the operations so far."""
    seen = []
    for name in ("_set", "delete", "delete_dir"):
        operation = getattr(zarr.storage.LocalStore, name)

        async def counted(self, *args, operation=operation, name=name, **options):
            seen.append((name, args[0]))
            if at is not None and len(seen) > at:
                raise Kill
            return await operation(self, *args, **options)

        monkeypatch.setattr(zarr.storage.LocalStore, name, counted)
    return seen


def test_a_kill_at_any_file_operation_of_a_run_that_until_ends_is_harmless(tmp_path, monkeypatch):
    point = {"x": cj.probes.reading(lambda transition: transition.x)}

    def sweep(store, **options):
        settings = {"steps": 8, "chunk": 2, "cells_per_batch": 1, "progress": False, **options}
        return cj.sweep(cases.logistic(), point, {}, store=store, **settings)

    short = sweep(None, until=until_four)
    with monkeypatch.context() as patch:
        operations = kill_points(patch, None)
        sweep(tmp_path / "whole.zarr", until=until_four)
    for at in range(len(operations)):
        store = tmp_path / f"{at}.zarr"
        with monkeypatch.context() as patch:
            kill_points(patch, at)
            with pytest.raises(Kill):
                sweep(store, until=until_four)
        resumed = sweep(store, resume=True, until=until_four)
        np.testing.assert_array_equal(resumed.x, short.x, err_msg=f"killed before {operations[at]}")
        assert cj.verify(store).intact


def test_a_store_that_was_killed_while_it_was_cut_is_read_to_its_end(tmp_path, monkeypatch, short):
    monkeypatch.setattr(zarr.Array, "resize", lambda self, shape: (_ for _ in ()).throw(Interrupted))
    with pytest.raises(Interrupted):
        sweep(tmp_path / "a.zarr", until=until_four)
    monkeypatch.undo()
    zarr.open_group(tmp_path / "a.zarr")["loss"].resize((2, short.sizes["time"]))  # one of them was cut
    opened = cj.open_sweep(tmp_path / "a.zarr")
    np.testing.assert_array_equal(opened.loss, short.loss)
    np.testing.assert_array_equal(opened.time, short.time)
    assert list(opened) == list(short)


def test_a_run_that_until_has_ended_counts_as_finished(tmp_path, capsys, short):
    sweep(tmp_path / "a.zarr", until=until_four)
    again = sweep(tmp_path / "a.zarr", resume=True, progress=True)
    assert again.sizes["time"] == short.sizes["time"]
    assert again.attrs["ended_by"] == "until"
    assert "was ended by until= at t = 3 of 8 and counts as finished" in capsys.readouterr().err


def test_a_resumed_run_asks_until_about_the_chunk_before_the_kill(tmp_path, short):
    def stop(new):
        if new.time[-1] == 3:
            raise Interrupted

    with pytest.raises(Interrupted):  # behind the checkpoint, before until is asked
        sweep(tmp_path / "a.zarr", until=until_four, callback=stop)
    np.testing.assert_array_equal(sweep(tmp_path / "a.zarr", resume=True, until=until_four).loss, short.loss)


SLOW = """
import sys
import jax
jax.config.update("jax_enable_x64", True)
import chaosjax as cj
from chaosjax._loop import advanced
import chaosjax._loop
chaosjax._loop.DISPATCH_SECONDS = 1e-3
system = cj.systems.logistic()
probes = {"growth": cj.probes.lyapunov()}
def told(new):
    print("chunk", flush=True)
cj.sweep(system, probes, {"r": [3.7, 4.0]}, steps=10**8, stride=100, chunk=10**4, store=sys.argv[1], progress=False,
         callback=told)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(tmp_path, number):
    store = tmp_path / "a.zarr"
    running = subprocess.Popen([sys.executable, "-c", SLOW, str(store)], stderr=subprocess.PIPE, text=True)
    while not (store / "zarr.json").exists() and running.poll() is None:
        time.sleep(0.01)
    time.sleep(0.5)
    running.send_signal(number)
    _, told = running.communicate(timeout=60)
    assert running.returncode == {signal.SIGINT: -signal.SIGINT, signal.SIGTERM: 143}[number]
    found = cj.verify(store)
    assert found.intact
    assert found.records > 0
    assert f"stopped at t = {100 * found.records} of 100000000; run again with resume=True to go on from" in told
    assert not lock_file(store).exists()


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """A shell that starts the tests in the background lets them, and their children, ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_signal_ends_at_once_and_handlers_are_put_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    def twice(new):
        signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGTERM) != before[0]
        signal.raise_signal(signal.SIGINT)
        pytest.fail("not reached")

    with pytest.raises(KeyboardInterrupt, match="stopped at t = 2 of 8; run again with resume=True"):
        sweep(tmp_path / "a.zarr", callback=twice)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_handler_of_the_users_and_other_threads_are_left_alone():
    heard = []
    own = signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
    try:
        sweep(None, callback=lambda new: signal.raise_signal(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, own)
    assert heard
    results = []
    thread = threading.Thread(target=lambda: results.append(sweep(None)))
    thread.start()
    thread.join()
    assert results


def test_fifty_kills_at_random_moments_change_no_bit():
    script = Path(__file__).parent / "kills.py"
    done = subprocess.run([sys.executable, script, "50"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed or differ in a bit" in done.stdout
    assert "left behind" not in done.stdout
