"""What the machine allows at best for each workload, and whether an aim that was missed can be had on it."""

from collections.abc import Mapping
from statistics import median
from typing import NamedTuple

from table import Table, spread

CACHE = 2**25
"""Bytes from which on what a step reads is taken to come from memory."""

RATE_AIMS = {"torch.func.vmap": 8.0, "PyTorch, serial": 120.0}
"""How many times a peer's rate the Iris net's is to be."""

COST_AIMS = {"loss": 1.05, "ensemble": 3.2, "lyapunov": 1.8, "sharpness": 1.2}
"""The time of a step of the main job with a probe over that of a bare step."""

NO_AIM = ("",) * 5


class Floor(NamedTuple):
    """Seconds that a step takes at least, by the machine's peaks and by what XLA's own routines reach.

    Products, sums and functions share the vector units, so their times add; memory flows beside them.
    """

    peaks: float
    routines: float

    def plus(self, more: float, of: "Floor", without: "Floor") -> "Floor":
        """What is added by so many times the difference of two others."""
        return Floor(*(own + more * (a - b) for own, a, b in zip(self, of, without, strict=True)))


def floor(step: Mapping, machine: Mapping) -> Floor:
    """The floors of a step's work."""
    at_peak = _seconds(step["work"], machine)
    rest = {kind: count - step["in kernels"].get(kind, 0.0) for kind, count in step["work"].items()}
    from_memory = step["bytes"] / machine["bandwidth"] if step["bytes"] > CACHE else 0.0
    least = max(at_peak, from_memory)
    return Floor(least, max(least, step["kernels"] + _seconds(rest, machine)))


def _seconds(work: Mapping[str, float], machine: Mapping) -> float:
    seconds = 0.0
    for kind, count in work.items():
        name, dtype = kind.split()
        rate = machine["matmul"][dtype]["flops"] if name == "flops" else machine["functions"][kind]
        seconds += count / rate
    return seconds


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
        f"these peaks; data of more than {CACHE // 2**20} MiB come from memory. The floor of XLA's routines has in "
        "place of the peak what the step's own matrix products and factorisations take, each alone in a loop, in the "
        "shapes and the layout they have there; all else is at the peaks, and what moves data between them is free. Of "
        "a ratio, the best is the peer's measured time over the floor; of a cost, the bare step's measured time and "
        "the floor of what the probe adds, over the bare step's. An aim beyond the first cannot be had on this machine "
        "by any program that does this work, beyond the second by none that leaves the products to XLA. Sharpness: the "
        "products that its searches took, each as dear as the tangent of `lyapunov`."
    )
    columns = ("One step", "MFLOP", "10³ functions", "MB", "floor, µs", "XLA's, µs", "of their rates")
    columns = (*columns, "measured", "aim", "best", "best by XLA", "verdict")
    return Table("Against the machine", columns, rows, note)


def _row(title: str, step: Mapping, least: Floor, rates: list[float], judged: tuple[str, ...]) -> tuple[str, ...]:
    flops = sum(count for kind, count in step["work"].items() if kind.startswith("flops"))
    return (
        title,
        f"{flops / 1e6:,.3g}",
        f"{(sum(step['work'].values()) - flops) / 1e3:,.3g}",
        f"{step['bytes'] / 1e6:,.3g}",
        *(f"{seconds * 1e6:,.3g}" for seconds in least),
        " / ".join(f"{median(rates) * seconds:.0%}" for seconds in least),
        *judged,
    )


def _iris(found: Mapping, machine: Mapping) -> list[tuple[str, ...]]:
    ours, step = found["rates"]["chaosjax"], found["work"]["chaosjax"]
    least, rows = floor(step, machine), []
    for peer, aim in RATE_AIMS.items():
        if peer in found["rates"]:
            rows.append(
                _row(f"Iris net, over {peer}", step, least, ours, _ratio(ours, found["rates"][peer], aim, least))
            )
    copies = "chaosjax, cells of copies"
    of_copies = found["work"][copies]
    unjudged = _row("Iris net, cells of copies", of_copies, floor(of_copies, machine), found["rates"][copies], NO_AIM)
    return [*rows, unjudged]


def _main_job(job: Mapping, machine: Mapping) -> list[tuple[str, ...]]:
    bare, least = job["bare"], {probe: floor(found["work"], machine) for probe, found in job.items()}
    if {"sharpness", "lyapunov"} <= set(job):
        per_step = job["sharpness"]["products_per_step"]
        least["sharpness"] = least["bare"].plus(per_step, least["lyapunov"], least["bare"])
    rows = []
    for probe, found in job.items():
        judged = NO_AIM
        if probe in COST_AIMS:
            costs = [a / b for a, b in zip(bare["rates"], found["rates"], strict=True)]
            per_second, aim = median(bare["rates"]), COST_AIMS[probe]
            best = [1 + per_second * (own - none) for own, none in zip(least[probe], least["bare"], strict=True)]
            verdict = _verdict(median(costs) <= aim, *(cost <= aim for cost in best))
            judged = (spread(costs, 2), f"≤ {aim:g}", *(f"{cost:.2f}" for cost in best), verdict)
        title = "main job, " + ("no probe" if probe == "bare" else probe)
        rows.append(_row(title, found["work"], least[probe], found["rates"], judged))
    return rows


def _beside(found: Mapping, machine: Mapping) -> tuple[str, ...]:
    ours, theirs = (found["rates"][side] for side in ("chaosjax", found["peer"]))
    aim, least = float(found["aim"].removeprefix("≥ ")), floor(found["work"], machine)
    title = f"{found['title']}, over {found['peer']}"
    return _row(title, found["work"], least, ours, _ratio(ours, theirs, aim, least))


def _ratio(ours: list[float], theirs: list[float], aim: float, least: Floor) -> tuple[str, ...]:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    best = [1 / (median(theirs) * seconds) for seconds in least]
    verdict = _verdict(median(ratios) >= aim, *(ratio >= aim for ratio in best))
    return spread(ratios, 2), f"≥ {aim:g}", *(f"{ratio:,.3g}" for ratio in best), verdict


def _verdict(met: bool, possible: bool, with_routines: bool) -> str:
    if met:
        return "met"
    if not possible:
        return "the floor forbids it"
    return "missed, both floors allow it" if with_routines else "XLA's routines forbid it"
