"""What an experiment finds: each published figure or claim beside what was measured, and a verdict made by rule."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from rich.table import Table

from chaosjax import provenance_of
from chaosjax.stats import format_interval

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


def number(figure: str, quantity: str, published: float, interval: xr.DataArray, unit: str = "") -> Finding:
    """Hold a measured mean with its 95 % interval, ``[bound]``, against a number read off a figure.

    *Reproduced*: the interval and the published number ± `READING` share a point. *With a difference*: they do not,
    but the mean is within `NEAR` of it, relatively. Else *not reproduced*. *Not comparable* without an interval, and
    where it is wider than `WIDE` of the published number.
    """
    value, low, high = (float(interval.sel(bound=bound)) for bound in ("estimate", "low", "high"))
    off = value / published - 1
    if not np.isfinite([value, low, high]).all():
        verdict, note = NOT_COMPARABLE, "no interval: too few cells"
    elif high - low > WIDE * abs(published):
        verdict, note = NOT_COMPARABLE, f"the interval is wider than ±{WIDE / 2:.0%}"
    elif low <= published * (1 + READING) and high >= published * (1 - READING):
        verdict, note = REPRODUCED, ""
    else:
        verdict, note = (DIFFERENT if abs(off) <= NEAR else NOT_REPRODUCED), f"{off:+.0%}"
    read = f"{published:g} {unit}".strip()
    return Finding(figure, quantity, read, format_interval(interval, unit), verdict, note)


def claim(
    figure: str,
    quantity: str,
    published: str,
    ours: str | xr.DataArray,
    holds: bool | None,
    difference: str = "",
    unit: str = "",
) -> Finding:
    """Hold a measurement against a claim in words.

    Args:
        ours: in words, or an interval ``[bound]`` in `unit`.
        holds: whether the measurement bears it out; None where it cannot tell.
        difference: what differs although the claim holds, or why it cannot be told.
    """
    verdict = NOT_REPRODUCED if not holds else DIFFERENT if difference else REPRODUCED
    if holds is None:
        verdict, difference = NOT_COMPARABLE, difference or "the interval does not decide"
    return Finding(figure, quantity, published, _words(ours, unit), verdict, difference)


def beyond(
    figure: str, quantity: str, ours: str | xr.DataArray, note: str = "not in the study", unit: str = ""
) -> Finding:
    """Report a measurement that the study has no counterpart of, in words or as an interval ``[bound]`` in `unit`."""
    return Finding(figure, quantity, NOTHING, _words(ours, unit), NOT_COMPARABLE, note)


def _words(ours: str | xr.DataArray, unit: str) -> str:
    return ours if isinstance(ours, str) else format_interval(ours, unit)


def save(path: Path, findings: Sequence[Finding], costs: dict[str, Any], text: str = "") -> None:
    """Write findings with what they cost, and a text in markdown for the page above their table."""
    record = {"findings": [finding._asdict() for finding in findings], "cost": costs, "text": text}
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def table_of(findings: Sequence[Finding]) -> Table:
    """The findings as a table for the terminal."""
    table = Table("figure", "quantity", "published", "ours [95 %]", "verdict")
    for finding in findings:
        note = f" ({finding.note})" if finding.note else ""
        table.add_row(finding.figure, finding.quantity, finding.published, finding.ours, finding.verdict + note)
    return table


def cost(*datasets: xr.Dataset) -> dict[str, Any]:
    """What an experiment was, and what its sweeps cost together: seconds, products, memory, and on which devices."""
    parts = [_cost(dataset) for dataset in datasets]
    config = provenance_of(datasets[0])["config"]
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
    known = provenance_of(dataset)
    return {
        "seconds": known["wall_seconds"],
        "compile_seconds": known["compile_seconds"],
        "cells": dataset["diverged_at"].size,
        "gradients": known["cost"]["steps"],
        "tangents": known["cost"]["tangents"],
        "peak_bytes": known["peak_bytes"],
        "devices": known["devices"],
        "date": known["finished"][:10],
    }


def cost_line(costs: dict[str, Any]) -> str:
    """The cost in a line of words."""
    tangents = f", {costs['tangents']:.3g} tangent products" if costs["tangents"] else ""
    return (
        f"{costs['cells']:,} cells, {costs['gradients']:.3g} gradient evaluations{tangents} in "
        f"{costs['seconds']:.0f} s after {costs['compile_seconds']:.0f} s of compilation, at most "
        f"{costs['peak_bytes'] / 2**30:.1f} GiB, {costs['devices']}"
    )


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], align: str = "") -> str:
    """A table in markdown; `align` has an l or an r for each column, and all are r without it."""
    lines = [header, ["---" if side == "l" else "---:" for side in align or "r" * len(header)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
