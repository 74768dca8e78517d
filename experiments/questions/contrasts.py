"""What a single change does to onset and fastest learning rate, all else equal."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from chaosjax import stats

SPANS = {"onset": "η_c", "fastest": "fastest η", "ratio": "fastest η over η_c"}
"""What is compared."""


def compared(pairs: Sequence[tuple[xr.Dataset, xr.Dataset]]) -> dict[str, xr.DataArray]:
    """Per quantity of `SPANS` the geometric mean of the ratios within pairs of summaries, over all their cases.

    Cases that do not count are left out, and those whose η_c is only known to be at or below the grid's first value.
    Each has its bootstrap interval over the cases. They are no random sample: it says how alike they are.

    Args:
        pairs: the summary with the change and the one without, with `counts`, `censored` and the quantities.
    """
    table = {}
    for quantity in SPANS:
        logs = [np.log(stats.bounds(a[quantity])[0].values / stats.bounds(b[quantity])[0].values) for a, b in pairs]
        both = [(_known(a) & _known(b)).values for a, b in pairs]
        values = np.concatenate([part[known].ravel() for part, known in zip(logs, both, strict=True)])
        cells = xr.DataArray(values[np.isfinite(values)], dims="setting")
        found = stats.mean_interval(cells, "setting") if cells.size else stats.interval(np.nan, np.nan, np.nan)
        table[quantity] = xr.ufuncs.exp(found)
    return table


def _known(summary: xr.Dataset) -> xr.DataArray:
    return summary["counts"] & ~summary["censored"].astype(bool)
