"""A sweep of a million cells on 64 accelerators: time, memory, files, and what breaks first. Arithmetic on counts."""

from math import ceil
from typing import Any, NamedTuple

from failures import CLUSTERS, makespan

CELLS, DEVICES = 1_000_000, 64
CHUNK_BYTES = 64 * 2**20

RECORDED = {"alive": 1, "loss": 8, "test_accuracy": 8, "distance": 3 * 8, "growth": 8, "sharpness": 3 * 8 + 4}
"""Bytes per record of the main job's variables: three copies, one vector, one eigenvalue with its quality."""

DISK = 1e9
"""Bytes per second that one process writes to a parallel file system, assumed."""


class Job(NamedTuple):
    """A sweep of the main job's probes on a network of so many parameters."""

    name: str
    workload: str
    parameters: int
    steps: int
    probes_cost: float


JOBS = (
    Job("digits, the main job", "digits", 4810, 160, 6.15),
    Job("MNIST in full, the main job", "a tenth of MNIST", 50890, 201, 6.15),
)
"""All probes cost 6.15 bare steps on digits (docs/benchmarks.md)."""


def plan_of(job: Job, steps_per_second: float, chunk: int | None) -> dict[str, Any]:
    """What a million cells of a job take.

    Args:
        steps_per_second: bare steps of one cell on one device.
        chunk: records per chunk; None: by the sweep's rule.
    """
    record, records = sum(RECORDED.values()), job.steps + 1
    chunk = chunk or max(1, min(ceil(records / 24), CHUNK_BYTES // (CELLS * record)))
    state = job.parameters * 8 * (1 + 3 + 1 + 2)
    chunks = ceil(records / chunk)
    mine = ceil(CELLS / DEVICES)
    compute = mine * job.steps * job.probes_cost / steps_per_second
    saving = chunks * mine * state / DISK
    return {
        "chunk": chunk,
        "seconds": compute,
        "saving": saving,
        "state_gb": mine * state / 1e9,
        "checkpoints_tb": chunks * CELLS * state / 1e12,
        "store_gb": CELLS * records * record / 1e9,
        "files": chunks * len(RECORDED),
        "file_mb": CELLS * chunk * record / len(RECORDED) / 1e6,
        "part_files": DEVICES * chunks * len(RECORDED),
        "join": 2 * CELLS * records * record / DISK,
    }


def failures_rows() -> list[dict[str, Any]]:
    """Hours that a sweep of 24 hours per device takes where devices fail, by the minutes between checkpoints."""
    rows = []
    for cluster in CLUSTERS:
        for minutes in (1, 10, 60):
            both = [makespan(cluster, DEVICES, 24.0, minutes / 60, together) for together in (False, True)]
            rows.append({"cluster": cluster.name, "minutes": minutes, "alone": both[0], "together": both[1]})
    return rows
