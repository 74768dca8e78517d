"""Full spectra of the reference systems by `probes.lyapunov` and `probes.benettin`, against what is known of them."""

import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import chaosjax as cj
from experiments.validation.rows import Row


class Protocol(NamedTuple):
    """How long a system is followed, from how many starts, and what its exponents are asked to reach."""

    steps: int
    seeds: int = 8
    aim: float = 5e-3
    relative: bool = True
    others: float | None = None
    """Aim of the exponents after the first, where it is another."""
    note: str = ""


PROTOCOLS = {
    "logistic": Protocol(20_000, seeds=64),
    "henon": Protocol(20_000, seeds=64),
    "scalar_net": Protocol(20_000, seeds=64),
    "lorenz": Protocol(20_000, seeds=32, aim=0.01),
    "lorenz_wolf": Protocol(20_000, seeds=32, aim=0.01, note="the published λ3 was rounded in bits: ± .035"),
    "rossler": Protocol(50_000, seeds=16, aim=0.05, others=0.01),
    "lorenz_96": Protocol(8_000, seeds=16, aim=0.01, note="λ1 is published as about 1.7"),
}
DEFAULT = Protocol(4_000)
SEA = 0.005
"""Finite-time exponent above which an orbit of the standard map is taken to lie in the chaotic sea."""


def reference_systems(scale: float = 1.0) -> list[Row]:
    """Every system of `chaosjax.systems`; `scale` shortens the runs."""
    rows = []
    for name, reference in cj.systems.REFERENCES.items():
        if name == "standard_map":
            rows += chaotic_sea(reference, scale)
        else:
            rows += spectrum_of(name, reference, PROTOCOLS.get(name, DEFAULT), scale)
    return rows


def chaotic_sea(reference: cj.systems.Reference, scale: float) -> list[Row]:
    """The standard map from points uniform over the torus, without the orbits on islands.

    Area is the sea's invariant measure, so the mean over such starts has no transient; orbits stick to islands for
    long, which makes starts at one point, such as the saddle, biased for 10⁵ steps and more.
    """
    begun = time.perf_counter()
    steps, seeds = max(1000, round(10_000 * scale)), max(64, round(2048 * scale))

    def init(key: Any, theta: Any) -> Any:
        return 2 * jnp.pi * jax.random.uniform(key, (2,))

    system = reference.system()._replace(init=init)
    probes = {"growth": cj.probes.lyapunov(k=2)}
    ds = cj.sweep(system, probes, {"seed": range(seeds)}, steps=steps, stride=steps, progress=False)
    exponents = ds.growth.isel(time=-1) / steps
    sea = exponents.where(exponents.isel(exponent=0) > SEA)
    share = float(sea.isel(exponent=0).notnull().mean())
    mean, spread = sea.mean("seed").values, sea.std("seed", ddof=1).values
    error = spread / np.sqrt(share * seeds)
    seconds = time.perf_counter() - begun
    note = (
        f"{share:.0%} of {seeds:,} orbits of {steps:,} steps lie in the sea (exponent above {SEA}); where that line is "
        "drawn moves the mean by about 1 %"
    )
    work = steps * seeds
    known = reference.exponents
    rows = [
        Row("standard_map", "λ1", mean[0], error[0], known[0], 0.005, True, work, seconds, note),
        Row("standard_map", "λ2", mean[1], error[1], known[1], 0.005, True, work, seconds),
    ]
    total = float(abs(exponents.sum("exponent")).max())
    return [*rows, Row("standard_map", "largest sum", total, np.nan, 0.0, 1e-6, False, work, seconds)]


def spectrum_of(name: str, reference: cj.systems.Reference, protocol: Protocol, scale: float) -> list[Row]:
    """Rows of one system: every known exponent, the sum, and the Kaplan–Yorke dimension."""
    begun = time.perf_counter()
    system = reference.system()
    stride = 100
    steps = max(2000, round(protocol.steps * scale / stride) * stride)
    transient = min(reference.transient, steps // 2) // stride * stride
    whole = reference.sum is not None or reference.kaplan_yorke is not None or reference.positive is not None
    d = cj.phase(system.init(jax.random.key(0), system.theta or {}))[0].size
    k = d if whole else min(len(reference.exponents), d)
    probes = {"growth": cj.probes.lyapunov(k=k)}
    ds = cj.sweep(
        system, probes, {"seed": range(protocol.seeds)}, steps=transient + steps, stride=stride, progress=False
    )
    exponents = cj.stats.finite_time_exponents(ds.growth, start=transient) / reference.time_step
    mean = exponents.mean("seed").values
    error = exponents.std("seed", ddof=1).values / np.sqrt(protocol.seeds)
    seconds = time.perf_counter() - begun

    def row(
        estimator: str, value: float, spread: float, known: float, aim: float, relative: bool, note: str = ""
    ) -> Row:
        return Row(name, estimator, value, spread, known, aim, relative, steps * protocol.seeds, seconds, note)

    rows = []
    last = len(reference.exponents) - 1
    for i, known in enumerate(reference.exponents):
        aim, relative = protocol.aim, protocol.relative
        if reference.exact and name not in PROTOCOLS:  # those fluctuate along the orbit
            aim, relative = 1e-5, False
        elif known == 0:
            aim, relative = 3e-3, False
        elif i and protocol.others is not None:
            aim = protocol.others
        rows.append(row(f"λ{i + 1}", mean[i], error[i], known, aim, relative, protocol.note if i == last else ""))
    if reference.sum is not None:
        sums = exponents.sum("exponent")
        rows.append(row("sum", float(sums.mean()), np.nan, reference.sum, 1e-6, False))
    if reference.kaplan_yorke is not None:
        dimensions = cj.stats.kaplan_yorke(exponents)
        spread = float(dimensions.std(ddof=1)) / np.sqrt(protocol.seeds)
        rows.append(row("Kaplan–Yorke", float(dimensions.mean()), spread, reference.kaplan_yorke, 5e-3, True))
    if reference.positive is not None:
        positive = int((exponents.mean("seed") > 3e-3).sum())
        rows.append(row("positive exponents (above .003)", positive, np.nan, reference.positive, 0, False))
    return rows
