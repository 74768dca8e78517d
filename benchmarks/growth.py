"""How the cost of a sweep grows: with cells, parameters, steps and devices. Writes docs/growth.md and its figure."""

import argparse
import json
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from environment import ROOT
from worker import worker

from chaosjax import plotting

BASE = {"cells": 8, "width": 10, "steps": 1000, "devices": 1}
AXES = {
    "cells": [1, 10, 100, 1000, 10_000, 100_000],
    "width": [12, 125, 1250, 12_500, 125_000],
    "steps": [100, 1000, 10_000, 100_000, 1_000_000],
    "devices": [1, 2, 4],
}
"""A perceptron 4–width–3 has 8 width + 3 parameters."""

FEWER = {"cells": {"steps": 100}, "width": {"cells": 1, "steps": 100}, "steps": {"cells": 1}, "devices": {"cells": 64}}
"""What an axis changes of `BASE`, so that its largest point takes a minute or two."""

LABELS = {"cells": "cells", "width": "parameters", "steps": "steps", "devices": "devices"}


def measure(toy: bool) -> dict:
    """Every point in a process of its own, so that its memory is its own."""
    found: dict[str, list[dict]] = {}
    for axis, values in AXES.items():
        for value in values[:2] if toy else values:
            options = {**BASE, **FEWER[axis], axis: value}
            with worker("growth_side.py") as ask:
                answer = ask("run", **options)
            found.setdefault(axis, []).append({**options, **answer})
            print(f"{axis} {value:,}: {answer['seconds']:.3g} s", flush=True)
    return found


def draw(found: dict, path: Path) -> None:
    """Seconds and memory over each axis, with the line of a cost that is proportional to it."""
    with plotting.style():
        figure, axes = plt.subplots(2, len(AXES), figsize=(11, 5), sharex="col", layout="constrained")
        for (axis, points), (top, bottom) in zip(found.items(), axes.T, strict=True):
            x = np.array([point["parameters"] if axis == "width" else point[axis] for point in points], float)
            seconds = np.array([point["seconds"] for point in points])
            top.plot(x, seconds, "o-", label="measured")
            power = -1 if axis == "devices" else 1
            anchor = 0 if axis == "devices" else -1
            top.plot(x, seconds[anchor] * (x / x[anchor]) ** power, "--", color="grey", label="proportional")
            bottom.plot(x, [max(point["host_bytes"], 1) / 2**20 for point in points], "o-", label="host")
            if points[0]["device_bytes"]:
                bottom.plot(x, [point["device_bytes"] / 2**20 for point in points], "s-", label="device")
            if axis == "devices":
                top.set(ylim=(0, None), xticks=x)
            else:
                top.set(xscale="log", yscale="log")
            bottom.set(xlabel=LABELS[axis], ylim=(0, 1.1 * bottom.get_ylim()[1]))
        axes[0, 0].set_ylabel("seconds, compilation apart")
        axes[1, 0].set_ylabel("memory beyond that of\nthe start, MiB")
        axes[0, 0].legend(fontsize="small")
        figure.savefig(path)
        plt.close(figure)


def page(found: dict) -> str:
    """The page docs/growth.md."""
    lines = [
        "# How cost grows",
        "",
        "Written by `make bench SCALING=1`. A perceptron 4–width–3 on the 120 samples of Iris, float64, full-batch",
        "gradient descent; every point is one sweep in a process of its own. Compilation stands apart; memory is what",
        f"it took beyond what it held when the problem was made, compiler included. {found['cells'][0]['on']}, "
        f"{os.cpu_count()} cores.",
        "",
        "Devices of a CPU are simulated: however many, they share its cores, which a single one keeps busy already.",
        "",
        "![time and memory over cells, parameters, steps and devices](growth.png)",
        "",
        "| cells | parameters | steps | devices | seconds | per cell-step, µs | compilation, s | host memory, MiB |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for points in found.values():
        for p in points:
            each = 1e6 * p["seconds"] / (p["cells"] * p["steps"])
            lines.append(
                f"| {p['cells']:,} | {p['parameters']:,} | {p['steps']:,} | {p['devices']} | {p['seconds']:.3g} | "
                f"{each:.3g} | {p['compile_seconds']:.1f} | {p['host_bytes'] / 2**20:,.0f} |"
            )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two points on each axis")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder for growth.md, growth.png, growth.json")
    given = parser.parse_args()
    found = measure(given.quick)
    given.out.mkdir(parents=True, exist_ok=True)
    draw(found, given.out / "growth.png")
    (given.out / "growth.md").write_text(page(found))
    (given.out / "growth.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
