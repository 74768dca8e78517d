"""What is measured beside other packages."""

from typing import NamedTuple


class Beside(NamedTuple):
    """A task of instruments_side.py and instruments_peers.py: what it is, its unit, and the ratio that is aimed at."""

    title: str
    peer: str
    task: str
    options: dict
    toy: dict
    aim: str
    unit: str = "steps/s"


def _mnist(dtype: str, by: str, aim: str) -> Beside:
    options = {"samples": 60_000, "steps": 4, "dtype": dtype, "by": by}
    title = f"784–64–10, 60,000 samples, {dtype}, growth by {by}"
    return Beside(title, "PyTorch, 5 copies", "mnist", options, {**options, "samples": 20, "steps": 2}, aim)


def _lorenz96(title: str, peer: str, systems: int, steps: int, aim: str) -> Beside:
    toy = {"systems": min(systems, 2), "steps": 4}
    return Beside(title, peer, "lorenz96", {"systems": systems, "steps": steps}, toy, aim)


def _rosenstein(length: int, series: int) -> Beside:
    title = f"Rosenstein, {series} series of {length:,}"
    options, toy = {"length": length, "series": series}, {"length": 300, "series": 2}
    return Beside(title, "nolds", "rosenstein", options, toy, "≥ 10", "series/s")


BESIDE = (
    Beside(
        "one network 20–64–10, 512 samples, bare steps",
        "plain JAX scan",
        "single_cell",
        {"steps": 10_000, "every": 500},
        {"steps": 4, "every": 2},
        "≥ 0.95",
    ),
    Beside("four exponents of its training", "lyapax", "gd_spectrum", {"steps": 500}, {"steps": 4}, "≥ 1.5"),
    Beside(
        "Lorenz-96, 40 exponents",
        "lyapax",
        "lorenz96",
        {"systems": 1, "steps": 5000},
        {"systems": 1, "steps": 4},
        "≥ 1",
    ),
    Beside(
        "32 systems Lorenz-96",
        "lyapax, vmap",
        "lorenz96",
        {"systems": 32, "steps": 500},
        {"systems": 2, "steps": 4},
        "≥ 5",
    ),
    Beside(
        "LeNet, 1,000 images, 16 networks with a tangent",
        "torch.func",
        "lenet",
        {"samples": 1000, "cells": 16, "steps": 2},
        {"samples": 8, "cells": 2, "steps": 2},
        "≥ 3",
    ),
    _mnist("float64", "tangent", "≥ 5"),
    _mnist("float32", "tangent", "≥ 12"),
    _mnist("float64", "copies", "≥ 1.5"),
    _rosenstein(5000, 1),
    _rosenstein(20_000, 1),
    _rosenstein(2000, 200),
)
