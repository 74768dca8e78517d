"""One comparison of the validation, and how a list of them reads as a table."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    """An estimate held against a reference.

    Attributes:
        error: standard error of the estimate; NaN where it has none (a deterministic computation).
        aim: what the estimate is asked to reach; relative where `relative`, else absolute.
        steps: steps (or samples) behind the estimate, and `seconds` what it took with compilation.
        note: what explains a miss.
    """

    system: str
    estimator: str
    estimate: float
    error: float
    reference: float
    aim: float
    relative: bool
    steps: int
    seconds: float
    note: str = ""

    @property
    def difference(self) -> float:
        """Distance from the reference in the aim's terms."""
        gap = abs(self.estimate - self.reference)
        return gap / abs(self.reference) if self.relative else gap

    @property
    def met(self) -> bool:
        """Whether the aim is reached; a NaN never reaches one."""
        return bool(self.difference <= self.aim)


COLUMNS = ("system", "estimator", "estimate ± s.e.", "reference", "off by", "in s.e.", "aim", "", "steps", "s")


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown lines."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * 2 + " ---: |" * 5 + " --- |" + " ---: |" * 2]
    for row in rows:
        known = np.isfinite(row.error) and row.error > 1e-12 * max(abs(row.estimate), 1e-3)  # else it is rounding
        shown = f"{row.estimate:.5g} ± {row.error:.1g}" if known else f"{row.estimate:.6g}"
        off = f"{100 * row.difference:.2g} %" if row.relative else f"{row.difference:.1e}"
        aim = f"{100 * row.aim:.2g} %" if row.relative else f"{row.aim:.0e}"
        aim = aim if np.isfinite(row.aim) else "none: reported"
        deviations = f"{abs(row.estimate - row.reference) / row.error:.1f}" if known else ""
        cells = (row.system, row.estimator, shown, f"{row.reference:.6g}", off, deviations, aim)
        lines.append(
            "| "
            + " | ".join((*cells, "met" if row.met else "**missed**", f"{row.steps:,}", f"{row.seconds:.1f}"))
            + " |"
        )
    notes = [f"- {row.system}, {row.estimator}: {row.note}" for row in rows if row.note]
    return [*lines, "", *notes, *([""] if notes else [])]
