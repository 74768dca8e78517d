"""What scale allows: writes docs/scaling.md from counts and arithmetic. No accelerator is needed.

`python benchmarks/scaling.py` writes the page; `--out FOLDER` writes it there.
"""

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX is imported

from beyond import CELLS, CHUNK_BYTES, DEVICES, DISK, JOBS, RECORDED, failures_rows, plan_of
from environment import ROOT
from failures import CLUSTERS
from roofline import ACCELERATORS, roofline

HEAD = """# Scaling

This page is written by `make scaling`, from counts and arithmetic: no accelerator was at hand. What each platform can
and cannot do stands in [platforms.md](platforms.md), what was measured in [benchmarks.md](benchmarks.md).
"""

ROOFLINE = """## Roofline

No program can take more steps of one cell per second than a device's peaks allow: its operations per second over those
of a step, its bytes per second over those that a step must move. *At best* each parameter and sample is read once and
each parameter written once per step and batch, all else stays on the chip. *As compiled* is XLA's own count of the
bytes that its fused program moves, activations included: what to expect of a batch that does not fit the caches. The
time to launch programs is not in it, and decides where a step takes less than some 0.1 ms: then more cells per batch
are free.

A TPU multiplies in bfloat16; six passes make one product exact in float32 (`matmul="highest"`). It has no float64 of
its own. The H100 is the SXM card, dense rates, float64 on its tensor cores. Sources: NVIDIA's H100 data sheet, Google
Cloud's pages of TPU v5e and v5p.
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; all columns but the first are right-aligned."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def figures(value: float) -> str:
    """Three figures of a number, without an exponent."""
    return f"{float(f'{value:.3g}'):,.10g}"


def roofline_section(rows: list[dict[str, Any]]) -> str:
    """The bounds of every workload, device and precision."""
    peaks = table(
        ["Device", "TFLOP/s of matrix products", "TB/s", "GB"],
        [
            [
                device.name,
                "; ".join(f"{kind}: {flops / 1e12:.0f}" for kind, flops in device.flops.items()),
                f"{device.bandwidth / 1e12:.2f}",
                f"{device.memory / 1e9:.0f}",
            ]
            for device in ACCELERATORS
        ],
    )
    work = {(row["workload"], row["precision"].split(",")[0]): row for row in rows}
    counts = table(
        ["One step of one cell", "cells in a batch", "precision", "MFLOP", "MB at best", "MB as compiled"],
        [
            [name, f"{row['cells']:,}", dtype, *(figures(row[key]) for key in ("mflop", "least_mb", "most_mb"))]
            for (name, dtype), row in work.items()
        ],
    )
    bounds = table(
        ["Steps of one cell per second, at most", "device", "precision", "at best", "as compiled", "then bound by"],
        [
            [row["workload"].split(",")[0], row["device"], row["precision"]]
            + [figures(row[key]) for key in ("fused", "as_compiled")]
            + [row["bound"]]
            for row in rows
        ],
    )
    return "\n".join([ROOFLINE, peaks, counts, bounds])


BEYOND = """## A million cells on 64 accelerators

{cells:,} cells on {devices} H100, one process for each, in float64, with all probes of the main job at every step
(three copies, one tangent vector, sharpness, loss, accuracy: {record} bytes per record and cell). Steps per second
are those of the roofline, *as compiled*: what is reached in practice is less, and the times are so many times
longer. Files are written at {disk:.0f} GB/s by each process, which is assumed; one process writes the joined store.
"""

BREAKS = """\
**What breaks first** is neither time nor records: it is the checkpoint. The states of all cells are {ratio:,.0f}
times the records of a step on digits, and every chunk ends with a checkpoint of them. By the rule a chunk holds
at most {chunk_mb:.0f} MiB of records, but at least one step's: here it is one. So longer chunks are to be asked for
(`sweep.chunk=40`); a kill then costs 40 steps. What comes next:

- Device memory: the states of all of a process's cells stay on its device. More parameters, copies or vectors than
  the table has take more devices, or several sweeps one after the other.
- Reading: a chunk holds all cells for some steps, so that the series of one cell touches every file of a variable.
  A copy with chunks along the cells (`ds.chunk(cell…).to_zarr(…)`) serves that better. zarr's shards would not
  help: the files are few and large already, and they must not be written by two processes.
- The start: every process compiles for itself, some seconds for small networks, as long as the digits take to
  compute.
"""

FAILURES = """## Failures

Mean hours, simulated (`benchmarks/failures.py`), until a sweep of 24 hours on each of {devices} devices is done,
where each device fails at random. *By themselves*: each process has its `share=` and is started again alone.
*Together*: under JAX's distributed runtime (`distributed=auto`) the failure of one ends all, which start again from
their own checkpoints.
"""


def beyond_section(rows: list[dict[str, Any]]) -> str:
    """Time, memory and files of a million cells, by the chunk."""
    rates = {row["workload"].split(",")[0]: row for row in rows if row["device"] == "H100 SXM"}
    lines = []
    for job in JOBS:
        rate = rates[job.workload]["as_compiled"] / (10 if job.workload.startswith("a tenth") else 1)
        for chunk in (None, 40):
            found = plan_of(job, rate, chunk)
            lines.append(
                [
                    job.name,
                    f"{found['chunk']}" + ("" if chunk else " (rule)"),
                    duration(found["seconds"]),
                    duration(found["saving"]),
                    *(figures(found[key]) for key in ("state_gb", "checkpoints_tb", "store_gb")),
                    f"{found['files']:,}",
                    figures(found["file_mb"]),
                    f"{found['part_files']:,}",
                    duration(found["join"]),
                ]
            )
    head = ["Sweep", "records per chunk", "computing", "checkpoints", "states per device, GB", "checkpoints, TB"]
    head += ["store, GB", "files", "MB per file", "files before the joining", "joining"]
    record, job = sum(RECORDED.values()), JOBS[0]
    state = job.parameters * 8 * 7
    words = BEYOND.format(cells=CELLS, devices=DEVICES, record=record, disk=DISK / 1e9)
    return "\n".join([words, table(head, lines), BREAKS.format(ratio=state / record, chunk_mb=CHUNK_BYTES / 2**20)])


def failures_section() -> str:
    """What failures cost, by kind of cluster and interval."""
    about = {c.name: f"{c.name}: one failure per {c.hours_between:,.0f} h and device" for c in CLUSTERS}
    rows = [
        [about[row["cluster"]], f"{row['minutes']}", f"{row['alone']:.1f}", f"{row['together']:.1f}"]
        for row in failures_rows()
    ]
    head = ["Devices", "minutes between checkpoints", "by themselves, h", "together, h"]
    source = "Rates: of Llama 3 (arXiv:2407.21783), 419 interruptions in 54 days on 16,384 GPUs; the other is assumed."
    return "\n".join([FAILURES.format(devices=DEVICES), table(head, rows), source + "\n"])


def duration(seconds: float) -> str:
    """Seconds as the unit that suits them."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{figures(seconds / size)} {unit}"
    return f"{figures(seconds)} s"


def page() -> str:
    """The whole page."""
    rows = roofline()
    return "\n".join([HEAD, roofline_section(rows), beyond_section(rows), failures_section()])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder for scaling.md")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "scaling.md").write_text(page())
    print("written:", given.out / "scaling.md")


if __name__ == "__main__":
    main()
