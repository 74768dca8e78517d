"""An estimator over many series at once."""

from collections.abc import Callable
from math import ceil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import lax

from chaosjax._engine import batch_size_for
from chaosjax.series._estimate import REASONS

BLOCK = 256
"""Series lengths of memory that an estimator touches at a time, at most."""


def apply(
    function: Callable[..., Any], series: xr.DataArray, dim: str = "time", batch_size: int | None = None
) -> xr.Dataset:
    """Apply an estimator to every series of an array, on the device.

    Args:
        function: maps a series [n] to a named tuple of arrays, or to one array; set its arguments with
            `functools.partial`.
        series: the series along `dim`, one a cell of the other dimensions. A series with a NaN, such as a diverged
            run's, gets the estimator's NaN and its reason.
        batch_size: series computed side by side; None takes one on a CPU, as many as fit an accelerator. Results
            for different batch sizes differ by rounding.

    Returns:
        A variable for each field, over the other dimensions of `series` and, where a field is an array itself, the
        dimensions "field_0", … Fields named `reason` carry the meaning of their codes in `attrs["reasons"]`.
        An estimator that returns one array gives the variable `value`.

    Cost: that of the estimator times the cells; memory of `batch_size` at once.

    Raises:
        ValueError: `dim` is missing, there is no series, or `batch_size` is below 1.
    """
    if dim not in series.dims:
        raise ValueError(f"series has no dimension {dim!r}, only {tuple(series.dims)}; name one of these as dim")
    cells = series.transpose(..., dim)
    if cells.size == 0:
        raise ValueError(f"series is empty: {dict(cells.sizes)}; at least one series with one sample is needed")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size={batch_size} must be at least 1, or None")
    n, lead = cells.sizes[dim], cells.dims[:-1]
    rows = cells.values.astype(jnp.result_type(float)).reshape(-1, n)
    size = batch_size or batch_size_for(n * min(n, BLOCK) * rows.itemsize, len(rows), jax.devices()[0], 1)
    # Padded to whole batches, so that every series is computed by the same program.
    padded = np.concatenate([rows, np.repeat(rows[-1:], -len(rows) % size, axis=0)])
    batches = padded.reshape(ceil(len(rows) / size), size, n)
    result = jax.device_get(jax.jit(lambda batches: lax.map(jax.vmap(function), batches))(batches))
    fields = result._asdict() if hasattr(result, "_asdict") else {"value": result}
    shape = tuple(cells.sizes[d] for d in lead)
    variables = {}
    for name, values in fields.items():
        own = values.shape[2:]
        values = values.reshape(-1, *own)[: len(rows)].reshape(*shape, *own)
        attrs = {"reasons": "; ".join(f"{code}: {why}" for code, why in REASONS.items())} if name == "reason" else {}
        variables[name] = ((*lead, *(f"{name}_{axis}" for axis in range(len(own)))), values, attrs)
    coords = {name: coord for name, coord in cells.coords.items() if dim not in coord.dims}
    return xr.Dataset(variables, coords)
