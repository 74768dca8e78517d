"""Several processes compute one sweep: the store is that of one process, bit for bit, whatever happens on the way."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import cases
import optax
import pytest
from labelled import assert_same_bits

import chaosjax as cj

AXES = {"learning_rate": [0.05, 0.4, 1e308], "seed": [0, 1, 2]}
PROBES = {"loss": cj.probes.loss(), "growth": cj.probes.lyapunov(k=2)}
OPTIONS = {"steps": 12, "stride": 2, "cells_per_batch": 2, "chunk": 3, "progress": False}


def sweep(axes=AXES, system=None, **options):
    system = system or cj.training(cases.problem(), optax.sgd, batch_size=3)
    return cj.sweep(system, PROBES, axes, **{**OPTIONS, **options})


def files(store: Path) -> dict[str, bytes]:
    """The chunks of a store."""
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("c/**/*") if path.is_file()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return tmp_path_factory.mktemp("alone") / "a.zarr"


@pytest.fixture(scope="module")
def whole(alone):
    return sweep(store=alone, noise="independent")


def in_turn(store, count, order, **options):
    """The shares of several processes, one after the other in this one: none waits but the first, which is last."""
    import chaosjax._shares as shares

    class Enough(Exception):
        pass

    def give_up(missing):
        if missing():
            raise Enough

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares._Wait, "until", lambda self, missing: give_up(missing))
        for index in order:
            found = None
            with suppress(Enough):
                found = sweep(store=store, share=(index, count), resume=True, **options)
    return found


@pytest.mark.parametrize(("count", "order"), [(2, (0, 1, 0)), (3, (0, 2, 1, 0)), (9, (0, 3, 2, 1, 4, 5, 8, 0))])
def test_shares_make_the_store_of_one_process(whole, alone, tmp_path, count, order):
    """Five batches over two, three or nine processes: chunk by chunk the same files."""
    store = tmp_path / "a.zarr"
    joined = in_turn(store, count, order, noise="independent")
    assert_same_bits(joined, whole)
    assert cj.provenance_of(joined)["identity"] == cj.provenance_of(whole)["identity"]
    assert not store.with_name("a.zarr.parts").exists()
    assert files(store) == files(alone)
    assert cj.verify(store).intact
    assert_same_bits(sweep(store=store, resume=True, noise="independent"), whole)


def test_an_interrupted_share_goes_on_in_another_process(whole, tmp_path, interrupt):
    """Two processes begin; one is cut, and then one alone ends what both had begun."""
    from conftest import Interrupted

    store = tmp_path / "a.zarr"
    interrupt(after=2)
    with pytest.raises(Interrupted):
        in_turn(store, 2, (0,), noise="independent")
    assert_same_bits(in_turn(store, 1 + 1, (1, 0), noise="independent"), whole)


def test_a_sweep_whose_cells_all_die_ends_as_in_one_process(tmp_path):
    axes = {"learning_rate": [1e307, 1e308], "seed": [0, 1, 2]}
    alone = sweep(axes, store=tmp_path / "b.zarr")
    assert bool(alone.diverged_at.notnull().all())
    joined = in_turn(tmp_path / "a.zarr", 3, (0, 1, 2, 0), axes=axes)
    assert_same_bits(joined, alone)
    assert files(tmp_path / "a.zarr") == files(tmp_path / "b.zarr")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": (2, 2)}, "share=2 must be an integer"),
        ({"share": 3}, r"share=3 must be \(number of this process, processes\)"),
        ({"share": (0, 2)}, r"share=\(0, 2\) needs a store"),
        ({"share": (0, 2), "store": "a.zarr"}, "resume=False, but a store that another process has begun"),
        ({"share": (0, 2), "store": "a.zarr", "resume": True, "until": lambda ds: True}, "until= sees all records"),
    ],
)
def test_what_shares_cannot_do_is_explained(options, message, tmp_path):
    options = {**options, **({"store": tmp_path / "a.zarr"} if "store" in options else {})}
    with pytest.raises(ValueError, match=message):
        sweep(**options)


SCRIPT = """
import sys
number, count, port, store, tests, steps = sys.argv[1:]
sys.path.insert(0, tests)
import jax
import chaosjax as cj
cj.configure(x64=True)
jax.distributed.initialize(f"127.0.0.1:{port}", int(count), int(number))
import test_shares
print(test_shares.sweep(store=store, resume=True, steps=int(steps), stride=2, chunk=200).sizes)
"""


def processes(count, store, steps=12):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [str(count), str(port), str(store), os.path.dirname(__file__), str(steps)]
    command = [sys.executable, "-c", SCRIPT]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return [
        subprocess.Popen([*command, str(i), *arguments], env=environment, stderr=subprocess.PIPE, text=True)
        for i in range(count)
    ]


@pytest.mark.parametrize("count", [2, 4])
def test_processes_of_jaxs_distributed_runtime_are_killed_and_go_on(tmp_path, count):
    """Real processes over loopback: all are killed on the way, started again, and end with the bits of one."""
    store, steps = tmp_path / "a.zarr", 8_000
    begun = processes(count, store, steps)
    parts = store.with_name("a.zarr.parts")
    deadline = time.monotonic() + 120
    while len(list(parts.glob("*.zarr/checkpoints/*"))) < count and time.monotonic() < deadline:
        assert not store.exists()
        time.sleep(0.05)
    for process in begun:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert parts.exists()
    again = processes(count, store, steps)
    told = [process.communicate(timeout=300)[1] for process in again]
    assert [process.returncode for process in again] == [0] * count, told
    alone = sweep(store=tmp_path / "b.zarr", steps=steps, stride=2, chunk=200)
    assert_same_bits(cj.open_sweep(store), alone)
    assert files(store) == files(tmp_path / "b.zarr")
