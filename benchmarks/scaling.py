"""What scale allows: writes docs/scaling.md from counts and arithmetic. No accelerator is needed.

`python benchmarks/scaling.py` writes the page; `--out FOLDER` writes it there.
"""

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX is imported

from environment import ROOT
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


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, roofline_section(roofline())])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder for scaling.md")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "scaling.md").write_text(page())
    print("written:", given.out / "scaling.md")


if __name__ == "__main__":
    main()
