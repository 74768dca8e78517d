"""What the machine allows at best for each workload, and whether an aim that was missed can be had on it."""

from collections.abc import Mapping
from statistics import median

from table import Table, spread

CACHE = 2**25
"""Bytes from which on what a step reads is taken to come from memory."""

RATE_AIMS = {"torch.func.vmap": 8.0, "PyTorch, serial": 120.0}
"""How many times a peer's rate the Iris net's is to be."""

COST_AIMS = {"loss": 1.05, "ensemble": 3.2, "lyapunov": 1.8, "sharpness": 1.2}
"""The time of a step of the main job with a probe over that of a bare step."""


def floor(step: Mapping, machine: Mapping) -> float:
    """Seconds that a step takes at least: its work at the machine's peaks, or its data at the memory's rate.

    Products, sums and functions share the vector units, so their times add; memory flows beside them.
    """
    seconds = 0.0
    for kind, count in step["work"].items():
        name, dtype = kind.split()
        rate = machine["matmul"][dtype]["flops"] if name == "flops" else machine["functions"][kind]
        seconds += count / rate
    return max(seconds, step["bytes"] / machine["bandwidth"] if step["bytes"] > CACHE else 0.0)


def floors(results: Mapping) -> Table:
    """Every workload against the machine."""
    machine = results["machine"]
    rows = [*_iris(results["iris"], machine), *_main_job(results["main_job"], machine)]
    rows += [row for found in results.get("beside", []) if found["work"] for row in [_beside(found, machine)]]
    peaks = ", ".join(
        f"{found['flops'] / 1e9:,.0f} GFLOP/s in {dtype} ({found['library']})"
        for dtype, found in machine["matmul"].items()
    )
    calls = ", ".join(f"{kind} {rate / 1e9:.2f}" for kind, rate in machine["functions"].items())
    note = (
        f"Measured in this run: matrix products reach {peaks}, memory {machine['bandwidth'] / 1e9:.1f} GB/s, functions "
        f"of one variable in 10⁹ calls/s: {calls}. Work is counted from the traced step: products, sums, element-wise "
        "operations and functions, and the data and state that a step reads or writes once. The floor is that work at "
        f"these peaks; data of more than {CACHE // 2**20} MiB come from memory. Of a ratio, the best is the peer's "
        "measured time over the floor; of a cost, the bare step's measured time and the floor of what the probe adds, "
        "over the bare step's. An aim beyond it cannot be had on this machine by any program that does this work. A "
        "search of unknown length (sharpness) counts as nothing: its floor is too low."
    )
    columns = ("One step", "MFLOP", "10³ functions", "MB", "floor, µs", "of the floor's rate")
    columns = (*columns, "measured", "aim", "best", "verdict")
    return Table("Against the machine", columns, rows, note)


def _row(title: str, step: Mapping, machine: Mapping, rates: list[float], judged: tuple[str, ...]) -> tuple[str, ...]:
    least = floor(step, machine)
    flops = sum(count for kind, count in step["work"].items() if kind.startswith("flops"))
    return (
        title,
        f"{flops / 1e6:,.3g}",
        f"{(sum(step['work'].values()) - flops) / 1e3:,.3g}",
        f"{step['bytes'] / 1e6:,.3g}",
        f"{least * 1e6:,.3g}",
        f"{median(rates) * least:.0%}",
        *judged,
    )


def _iris(found: Mapping, machine: Mapping) -> list[tuple[str, ...]]:
    ours = found["rates"]["chaosjax"]
    rows = []
    for peer, aim in RATE_AIMS.items():
        if peer in found["rates"]:
            judged = _ratio(ours, found["rates"][peer], aim, floor(found["work"]["chaosjax"], machine))
            rows.append(_row(f"Iris net, over {peer}", found["work"]["chaosjax"], machine, ours, judged))
    copies = "chaosjax, cells of copies"
    return [*rows, _row("Iris net, cells of copies", found["work"][copies], machine, found["rates"][copies], ("",) * 4)]


def _main_job(job: Mapping, machine: Mapping) -> list[tuple[str, ...]]:
    bare = job["bare"]
    rows = [_row("main job, no probe", bare["work"], machine, bare["rates"], ("",) * 4)]
    for probe, found in job.items():
        if probe == "bare":
            continue
        judged: tuple[str, ...] = ("",) * 4
        if probe in COST_AIMS:
            costs = [a / b for a, b in zip(bare["rates"], found["rates"], strict=True)]
            added = floor(found["work"], machine) - floor(bare["work"], machine)
            best, aim = 1 + added * median(bare["rates"]), COST_AIMS[probe]
            judged = (spread(costs, 2), f"≤ {aim:g}", f"{best:.2f}", _verdict(median(costs) <= aim, best <= aim))
        rows.append(_row(f"main job, {probe}", found["work"], machine, found["rates"], judged))
    return rows


def _beside(found: Mapping, machine: Mapping) -> tuple[str, ...]:
    ours, theirs = (found["rates"][side] for side in ("chaosjax", found["peer"]))
    aim = float(found["aim"].removeprefix("≥ "))
    judged = _ratio(ours, theirs, aim, floor(found["work"], machine))
    return _row(f"{found['title']}, over {found['peer']}", found["work"], machine, ours, judged)


def _ratio(ours: list[float], theirs: list[float], aim: float, least: float) -> tuple[str, ...]:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    best = 1 / (median(theirs) * least)
    return spread(ratios, 2), f"≥ {aim:g}", f"{best:,.3g}", _verdict(median(ratios) >= aim, best >= aim)


def _verdict(met: bool, possible: bool) -> str:
    if met:
        return "met"
    return "missed, the floor allows it" if possible else "the floor forbids it"
