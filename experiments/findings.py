"""What a study finds: each published figure or claim beside what was measured, and a verdict made by rule."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

REPRODUCED = "reproduced"
DIFFERENT = "reproduced with a difference"
NOT_REPRODUCED = "not reproduced"
NOT_COMPARABLE = "not comparable"
VERDICTS = (REPRODUCED, DIFFERENT, NOT_REPRODUCED, NOT_COMPARABLE)

NOTHING = "—"
"""What is published of a measurement that the study has no counterpart of."""

READING = 0.05
"""Relative error of a number that was read off a printed figure."""

WIDE = 1.0
"""An interval wider than this, relatively, decides nothing."""

NEAR = 0.25
"""A number that is further off than this, relatively, is not reproduced."""


class Finding(NamedTuple):
    """One line of the page: what is published, what was measured, one of `VERDICTS`, and why."""

    figure: str
    quantity: str
    published: str
    ours: str
    verdict: str
    note: str = ""


def number(
    figure: str, quantity: str, published: float, value: float, low: float, high: float, unit: str = ""
) -> Finding:
    """Holds a measured mean with its 95 % interval against a number read off a figure.

    *Reproduced*: the interval and the published number ± `READING` share a point. *With a difference*: they do not,
    but the mean is within `NEAR` of it, relatively. Else *not reproduced*. *Not comparable* without an interval, and
    where it is wider than `WIDE` of the published number.
    """
    off = value / published - 1
    if not np.isfinite([value, low, high]).all():
        verdict, note = NOT_COMPARABLE, "no interval: too few cells"
    elif high - low > WIDE * abs(published):
        verdict, note = NOT_COMPARABLE, f"the interval is wider than ±{WIDE / 2:.0%}"
    elif low <= published * (1 + READING) and high >= published * (1 - READING):
        verdict, note = REPRODUCED, ""
    else:
        verdict, note = (DIFFERENT if abs(off) <= NEAR else NOT_REPRODUCED), f"{off:+.0%}"
    return Finding(figure, quantity, f"{published:g}{unit}", interval(value, low, high, unit), verdict, note)


def claim(figure: str, quantity: str, published: str, ours: str, holds: bool | None, difference: str = "") -> Finding:
    """Holds a measurement against a claim in words.

    Args:
        holds: whether the measurement bears it out; None where it cannot tell.
        difference: what differs although the claim holds, or why it cannot be told.
    """
    if holds is None:
        return Finding(figure, quantity, published, ours, NOT_COMPARABLE, difference or "the interval does not decide")
    verdict = NOT_REPRODUCED if not holds else DIFFERENT if difference else REPRODUCED
    return Finding(figure, quantity, published, ours, verdict, difference)


def beyond(figure: str, quantity: str, ours: str, note: str = "") -> Finding:
    """A measurement that the study has no counterpart of."""
    return Finding(figure, quantity, NOTHING, ours, NOT_COMPARABLE, note or "not in the study")


def interval(value: float, low: float, high: float, unit: str = "") -> str:
    """A mean with its interval, in words."""
    if not np.isfinite(value):
        return "none"
    ends = f" [{low:.3g}, {high:.3g}]" if np.isfinite([low, high]).all() else " (no interval)"
    return f"{value:.3g}{ends}{unit}"


def shown(part: xr.Dataset, name: str = "", unit: str = "") -> str:
    """`interval` of a statistic out of a dataset; the entries are those of `triple`."""
    return interval(*triple(part, name), unit)


def triple(part: xr.Dataset, name: str = "") -> tuple[float, float, float]:
    """``estimate``, ``low`` and ``high`` of a dataset, or ``name``, ``name_low`` and ``name_high``."""
    ends = (name, f"{name}_low", f"{name}_high") if name else ("estimate", "low", "high")
    value, low, high = (float(part[end]) for end in ends)
    return value, low, high


def joined(**parts: xr.Dataset) -> xr.Dataset:
    """Statistics of ``estimate``, ``low`` and ``high`` in one dataset, each under its name as `triple` reads them."""
    named = [
        part.rename({end: name if end == "estimate" else f"{name}_{end}" for end in part})
        for name, part in parts.items()
    ]
    return xr.merge(named, compat="no_conflicts", combine_attrs="override")


def above(part: xr.Dataset, bound: float, name: str = "") -> bool | None:
    """Whether a statistic is above a bound: its whole interval is (True), is not (False), or neither (None)."""
    _, low, high = triple(part, name)
    return True if low > bound else False if high <= bound else None


def below(part: xr.Dataset, bound: float, name: str = "") -> bool | None:
    """Whether a statistic is below a bound, as `above`."""
    _, low, high = triple(part, name)
    return True if high < bound else False if low >= bound else None


def save(folder: Path, findings: Sequence[Finding], costs: dict[str, Any], text: str = "") -> None:
    """Writes findings.json and table.txt into a job's folder, and prints the table.

    Args:
        text: what is to be said of the figures, in markdown; goes to the page above the table.
    """
    record = {"findings": [finding._asdict() for finding in findings], "cost": costs, "text": text}
    (folder / "findings.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    table = Table("figure", "quantity", "published", "ours [95 %]", "verdict")
    for finding in findings:
        note = f" ({finding.note})" if finding.note else ""
        table.add_row(finding.figure, finding.quantity, finding.published, finding.ours, finding.verdict + note)
    with (folder / "table.txt").open("w") as file:
        width = None if sys.stdout.isatty() else 160
        for console in (
            Console(markup=False, highlight=False, width=width),
            Console(file=file, markup=False, width=160),
        ):
            console.print(table, cost_line(costs), sep="\n")
    print(f"Figures, table and records: {folder}")


def cost(*datasets: xr.Dataset) -> dict[str, Any]:
    """What a study was, and what its sweeps cost together: seconds, gradients, tangent products, memory, on what."""
    parts = [_cost(dataset) for dataset in datasets]
    config = datasets[0].attrs["config"]
    added = ("seconds", "compile_seconds", "cells", "gradients", "tangents")
    return {
        **{key: sum(part[key] for part in parts) for key in added},
        "peak_bytes": max(part["peak_bytes"] for part in parts),
        "devices": parts[0]["devices"],
        "date": max(part["date"] for part in parts),
        "title": config["title"],
        "size": config["size"],
    }


def _cost(dataset: xr.Dataset) -> dict[str, Any]:
    cells = dataset["diverged_at"].size
    steps = cells * int(dataset["time"][-1])
    probes = _probes(dataset)
    copies = sum(attrs.get("copies", 0) for attrs in probes)
    vectors = sum(attrs.get("k", 0) for attrs in probes if attrs.get("every_steps"))
    return {
        "seconds": dataset.attrs["wall_seconds"],
        "compile_seconds": dataset.attrs["compile_seconds"],
        "cells": cells,
        "gradients": steps * (1 + copies),
        "tangents": steps * vectors,
        "peak_bytes": dataset.attrs["peak_bytes"],
        "devices": dataset.attrs["devices"],
        "date": dataset.attrs["finished"][:10],
    }


def _probes(dataset: xr.Dataset) -> list[dict[Any, Any]]:
    """The attributes of each probe, once: a record of several entries repeats them in each."""
    named = {str(name): variable.attrs for name, variable in dataset.items()}
    return list({name.removesuffix(f"_{attrs.get('entry')}"): attrs for name, attrs in named.items()}.values())


def cost_line(costs: dict[str, Any]) -> str:
    """The cost in a line of words."""
    tangents = f", {costs['tangents']:.3g} tangent products" if costs["tangents"] else ""
    return (
        f"{costs['cells']:,} cells, {costs['gradients']:.3g} gradient evaluations{tangents} in "
        f"{costs['seconds']:.0f} s after {costs['compile_seconds']:.0f} s of compilation, at most "
        f"{costs['peak_bytes'] / 2**30:.1f} GiB, {costs['devices']}"
    )
