"""Full spectra of the reference systems by `probes.lyapunov` and `probes.benettin`, against what is known of them."""

import time
from typing import NamedTuple

import numpy as np

import chaosjax as cj
from validation.rows import Row


class Protocol(NamedTuple):
    """How long a system is followed, from how many starts, and what its exponents are asked to reach."""

    steps: int
    seeds: int = 8
    aim: float = 5e-3
    relative: bool = True
    others: float | None = None
    """Aim of the exponents after the first, where it is another."""
    note: str = ""


PROTOCOLS: dict[str, Protocol] = {}
DEFAULT = Protocol(20_000)


def reference_systems(scale: float = 1.0) -> list[Row]:
    """Every system of `chaosjax.systems`; `scale` shortens the runs."""
    rows = []
    for name, reference in cj.systems.REFERENCES.items():
        rows += spectrum_of(name, reference, PROTOCOLS.get(name, DEFAULT), scale)
    return rows


def spectrum_of(name: str, reference: cj.systems.Reference, protocol: Protocol, scale: float) -> list[Row]:
    """Rows of one system: every known exponent, the sum, and the Kaplan–Yorke dimension."""
    begun = time.perf_counter()
    system = reference.system()
    stride = 100
    steps = max(2000, round(protocol.steps * scale / stride) * stride)
    transient = min(reference.transient, steps // 2) // stride * stride
    whole = reference.sum is not None or reference.kaplan_yorke is not None or reference.positive is not None
    d = cj.phase(system.init(_key(), system.theta or {}))[0].size
    k = d if whole else min(len(reference.exponents), d)
    probes = {"growth": cj.probes.lyapunov(k=k)}
    ds = cj.sweep(
        system, probes, {"seed": range(protocol.seeds)}, steps=transient + steps, stride=stride, progress=False
    )
    exponents = cj.stats.exponents(ds.growth, start=transient) / reference.time_step
    mean = exponents.mean("seed").values
    error = exponents.std("seed", ddof=1).values / np.sqrt(protocol.seeds)
    seconds = time.perf_counter() - begun

    def row(
        estimator: str, value: float, spread: float, known: float, aim: float, relative: bool, note: str = ""
    ) -> Row:
        return Row(name, estimator, value, spread, known, aim, relative, steps * protocol.seeds, seconds, note)

    rows = []
    for i, known in enumerate(reference.exponents):
        aim, relative = protocol.aim, protocol.relative
        if reference.exact:
            aim, relative = 1e-5, False
        elif known == 0:
            aim, relative = 3e-3, False
        elif i and protocol.others is not None:
            aim = protocol.others
        rows.append(row(f"λ{i + 1}", mean[i], error[i], known, aim, relative, protocol.note if i == 0 else ""))
    if reference.sum is not None:
        sums = exponents.sum("exponent")
        rows.append(row("sum", float(sums.mean()), np.nan, reference.sum, 1e-6, False))
    if reference.kaplan_yorke is not None:
        dimensions = cj.stats.kaplan_yorke(exponents)
        spread = float(dimensions.std(ddof=1)) / np.sqrt(protocol.seeds)
        rows.append(row("Kaplan–Yorke", float(dimensions.mean()), spread, reference.kaplan_yorke, 5e-3, True))
    return rows


def _key():
    import jax

    return jax.random.key(0)
