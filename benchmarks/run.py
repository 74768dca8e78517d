"""The benchmark: chaosjax beside PyTorch and plain JAX, what each probe costs, and what the machine allows.

`python benchmarks/run.py` writes docs/benchmarks.md and benchmarks/results.json; `--quick` is a toy run that writes
nothing unless `--out` names a folder.
"""

import argparse
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from beside import BESIDE
from environment import ROOT, bench_python
from report import median, page, show
from worker import worker

PROBES = ("loss", "accuracy", "ensemble", "lyapunov", "sharpness", "all")


class Sizes(NamedTuple):
    rounds: int = 5
    members: int = 1536
    copies: int = 5
    steps: int = 200
    serial_members: int = 32
    seeds: int = 1
    main_steps: int = 160
    main_rounds: int = 3
    sharpness_every: int = 40
    matrix: int = 2048
    accelerator_matrix: int = 8192
    vector: int = 2**26
    short: int = 2**14
    beside_rounds: int = 3


QUICK = Sizes(1, 12, 2, 4, 2, 1, 4, 1, 2, 64, 64, 2**12, 2**8, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a toy run: checks the harness, measures nothing")
    parser.add_argument("--no-peers", action="store_true", help="leave PyTorch out")
    parser.add_argument("--probes", nargs="*", choices=PROBES, default=PROBES, help="probes of the main job to measure")
    parser.add_argument("--out", type=Path, help="folder for benchmarks.md and results.json")
    given = parser.parse_args()
    sizes = QUICK if given.quick else Sizes()
    results = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": os.getloadavg()[0],
        "sizes": sizes._asdict(),
    }
    torch_python = None if given.no_peers else bench_python()
    results["iris"] = iris(sizes, torch_python)
    results["main_job"] = main_job(sizes, ("bare", *given.probes))
    if torch_python is not None:
        results["beside"] = beside(torch_python, sizes.beside_rounds, toy=given.quick)
    results["machine"] = machine(sizes, torch_python)
    show(results)
    outputs = (ROOT / "docs/benchmarks.md", ROOT / "benchmarks/results.json")
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        outputs = (given.out / "benchmarks.md", given.out / "results.json")
    if given.out is not None or not given.quick:
        outputs[0].write_text(page(results))
        outputs[1].write_text(json.dumps(results, indent=1) + "\n")
        print("written:", *outputs)


def iris(sizes: Sizes, torch_python: Path | None) -> dict:
    """Member-steps per second of every side, in alternation, and how far their final losses differ."""
    with ExitStack() as stack:
        path = str(Path(stack.enter_context(TemporaryDirectory())) / "iris.npz")
        ours = stack.enter_context(worker("chaosjax_side.py"))
        plain_jax = stack.enter_context(worker("jax_side.py"))
        ours("save", path=path, members=sizes.members)
        plain_jax("load", path=path)
        plain_jax("vmap", steps=sizes.steps)
        steps, all_members = {"steps": sizes.steps}, {"members": sizes.members}
        cells = sizes.members // (1 + sizes.copies)
        sides = {
            "chaosjax": lambda: ours("plain", **all_members, **steps),
            "chaosjax, cells of copies": lambda: ours("ensemble", cells=cells, copies=sizes.copies, **steps),
            "JAX vmap": lambda: plain_jax("vmap", **steps),
        }
        found = {}
        if torch_python is not None:
            torch = stack.enter_context(worker("torch_side.py", torch_python))
            found["torch"] = torch("load", path=path)
            tuned = found["tuned"] = torch("tune", **steps)
            untuned = {"batch": sizes.members, "threads": torch("threads")}
            sides["torch.func.vmap"] = lambda: torch("vmap", **all_members, **steps, **untuned)
            sides["torch.func.vmap, tuned"] = lambda: torch("vmap", **all_members, **steps, **tuned["vmap"])
            some = {"members": sizes.serial_members, "threads": tuned["serial"]}
            sides["PyTorch, serial"] = lambda: torch("serial", **some, **steps)
        rounds = _rounds(sides, sizes.rounds, "Iris")
        members = {"chaosjax": 0, "chaosjax, cells of copies": sizes.copies}
        work = {
            side: ours("work", of="iris", copies=copies, layout=rounds[side][0]["layout"])
            for side, copies in members.items()
        }
    reference = rounds["chaosjax"][0]["losses"]
    return {
        **found,
        "provenance": rounds["chaosjax"][0]["provenance"],
        "rates": {side: [entry["rate"] for entry in entries] for side, entries in rounds.items()},
        "compile_seconds": [entry["compile_seconds"] for entry in rounds["chaosjax"]],
        "cells_per_batch": {name: rounds[name][0]["layout"]["cells"] for name in members},
        "loss_difference": {
            side: max(abs(a - b) for a, b in zip(reference, entries[0]["losses"], strict=False))
            for side, entries in rounds.items()
            if "losses" in entries[0] and side != "chaosjax"
        },
        "work": work,
    }


def main_job(sizes: Sizes, probes: Sequence[str]) -> dict:
    """Each probe alone, none and all: one process for each, in alternation, so that each has its own peak memory."""
    with ExitStack() as stack:
        settings = {"seeds": sizes.seeds, "steps": sizes.main_steps, "sharpness_every": sizes.sharpness_every}

        def side(probe: str):
            ask = stack.enter_context(worker("chaosjax_side.py"))
            return lambda: ask("main_job", probe=probe, **settings)

        rounds = _rounds({probe: side(probe) for probe in probes}, sizes.main_rounds, "main job")
        count = stack.enter_context(worker("chaosjax_side.py"))
        every = sizes.sharpness_every
        work = {
            probe: count("work", of=probe, sharpness_every=every, layout=entries[0]["layout"])
            for probe, entries in rounds.items()
        }
    return {
        probe: {
            "rates": [entry["rate"] for entry in entries],
            "compile_seconds": [entry["compile_seconds"] for entry in entries],
            "cells_per_batch": entries[0]["layout"]["cells"],
            "peak_bytes": entries[0]["peak_bytes"],
            "products_per_step": entries[0]["products_per_step"],
            "work": work[probe],
        }
        for probe, entries in rounds.items()
    }


def beside(peers_python: Path, rounds: int, toy: bool) -> list[dict]:
    """Every task of `BESIDE` on both sides, in alternation."""
    found = []
    for row in BESIDE:
        options = row.toy if toy else row.options
        with worker("instruments_side.py") as ours, worker("instruments_peers.py", peers_python) as peers:
            swept = row.task != "rosenstein"
            asked = {"task": "run", "job": row.task} if swept else {"task": row.task}
            sides = {
                "chaosjax": lambda: ours(**asked, **options),  # noqa: B023
                row.peer: lambda: peers(row.task, **options),  # noqa: B023
            }
            both = _rounds(sides, rounds, row.title)
            work = ours("work", job=row.task, layout=both["chaosjax"][0]["layout"], **options) if swept else None
        found.append(
            {
                "title": row.title,
                "peer": row.peer,
                "unit": row.unit,
                "aim": row.aim,
                "options": options,
                "rates": {side: [entry["rate"] for entry in entries] for side, entries in both.items()},
                "compile_seconds": {side: entries[0]["compile_seconds"] for side, entries in both.items()},
                "values": {side: entries[0]["values"] for side, entries in both.items()},
                "work": work,
            }
        )
    return found


def machine(sizes: Sizes, peers_python: Path | None) -> dict:
    """What the machine can do at best: the floor under every workload."""
    with ExitStack() as stack:
        ask = stack.enter_context(worker("machine.py"))
        about = ask("describe")
        size = sizes.accelerator_matrix if about["accelerator"] else sizes.matrix
        matmul = {dtype: ask("matmul", dtype=dtype, size=size) for dtype in ("float64", "float32")}
        if peers_python is not None and not about["accelerator"]:
            peers = stack.enter_context(worker("instruments_peers.py", peers_python))
            for dtype, best in matmul.items():
                theirs = {**peers("matmul", dtype=dtype, size=size), "library": "PyTorch"}
                matmul[dtype] = max(best, theirs, key=lambda found: found["flops"])
        kinds = [(name, dtype) for name in ("tanh", "exp", "log", "logistic") for dtype in matmul]
        return {
            **about,
            "matmul": matmul,
            "functions": {
                f"{name} {dtype}": ask("function", name=name, dtype=dtype, size=sizes.short)["calls"]
                for name, dtype in kinds
            },
            "bandwidth": ask("bandwidth", size=sizes.vector)["bytes"],
        }


def _rounds(sides: dict, rounds: int, title: str) -> dict[str, list[dict]]:
    """Run the sides in alternation, A B C A B C …: what disturbs the machine for a while disturbs all sides."""
    found: dict[str, list[dict]] = {side: [] for side in sides}
    for i in range(rounds):
        for side, ask in sides.items():
            found[side].append(ask())
            rates = [entry["rate"] for entry in found[side]]
            print(f"{title}, round {i + 1} of {rounds}: {side:26}{median(rates):12,.0f} per second", flush=True)
    return found


if __name__ == "__main__":
    main()
