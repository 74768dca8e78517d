"""Many sweeps for a given time: memory and file handles must stay flat.

python tests/soak.py SECONDS
"""

import gc
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import jax

import chaosjax as cj


def measured() -> dict[str, float]:
    """Resident memory [MiB], open file handles and threads of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    handles = len(os.listdir("/proc/self/fd"))
    return {"MiB": pages * resource.getpagesize() / 2**20, "handles": handles, "threads": threading.active_count()}


def one(folder: Path, index: int) -> None:
    """A sweep into a store, interrupted, resumed, verified, opened; one in memory. `index` decides the shapes."""
    probes = {"growth": cj.probes.lyapunov(), "distance": cj.probes.ensemble(copies=2)}
    axes = {"a": [1.2 + 0.01 * cell for cell in range(1 + index % 4)]}
    settings = {"steps": 200, "stride": 10, "chunk": 4, "progress": False}

    def stop(new):
        if new.time[-1] > 100:
            raise KeyboardInterrupt

    store = folder / "a.zarr"
    try:
        cj.sweep(cj.systems.henon(), probes, axes, store=store, callback=stop, **settings)
    except KeyboardInterrupt:
        cj.sweep(cj.systems.henon(), probes, axes, store=store, resume=True, **settings)
    assert cj.verify(store).intact
    cj.open_sweep(store).load().close()
    cj.sweep(cj.systems.henon(), probes, axes, **settings)
    shutil.rmtree(store)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    ends, index, begun = time.monotonic() + float(sys.argv[1]), 0, time.monotonic()
    told = 0.0
    with tempfile.TemporaryDirectory() as place:
        while time.monotonic() < ends:
            one(Path(place), index)
            index += 1
            if index in (4, 20) or time.monotonic() > told + float(sys.argv[1]) / 10:
                told = time.monotonic()
                gc.collect()
                figures = ", ".join(f"{value:.0f} {name}" for name, value in measured().items())
                print(f"{3 * index:6d} sweeps, {told - begun:5.0f} s: {figures}", flush=True)
