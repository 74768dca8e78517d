"""An estimator over many series at once."""

from functools import partial
from math import ceil
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import lax
from jaxtyping import Array, Float

from chaosjax._checks import check_count
from chaosjax._engine import batch_size_for, use_disk_cache
from chaosjax.series._estimate import REASONS

BLOCK = 256
"""Series lengths of memory that an estimator touches at a time, at most."""

BOUNDS = ("estimate", "low", "high")


@runtime_checkable
class Estimator(Protocol):
    """A function of one series that returns a named tuple of arrays (such as `Estimate`), or one array."""

    def __call__(self, x: Float[Array, " n"], /) -> Any: ...


def apply(function: Estimator, series: xr.DataArray, dim: str = "time", batch_size: int | None = None) -> xr.Dataset:
    """Apply an estimator to every series of an array, on the device.

    Args:
        function: the estimator; set its further arguments with `functools.partial`.
        series: the series along `dim`, one for each cell of the other dimensions. A series with a NaN, such as that
            of a diverged run, gets the estimator's NaN and its reason.
        dim: the dimension that the estimator reads.
        batch_size: series computed side by side; None takes one on a CPU, as many as fit an accelerator. Results
            for different batch sizes differ by rounding.

    Returns:
        A variable per field, over the other dimensions of `series` and, where a field is an array itself, the
        dimensions "field_0", … A field that is followed by its interval, fields `low` and `high`, is one variable with
        these three along a first dimension ``bound`` (estimate, low, high): ``apply(rosenstein, series).value`` is
        ``[bound, ...]``. Fields named `reason` carry the meaning of their codes in ``attrs["reasons"]``.
        An estimator that returns one array gives the variable ``value``.

    Raises:
        ValueError: `dim` is missing, there is no series, or `batch_size` is below 1.

    Cost: that of the estimator times the cells; memory of `batch_size` at once. The program of one `function` object
    is compiled once per shape.
    """
    if dim not in series.dims:
        raise ValueError(f"series has no dimension {dim!r}, only {tuple(series.dims)}; name one of these as dim")
    cells = series.transpose(..., dim)
    if cells.size == 0:
        raise ValueError(f"series is empty: {dict(cells.sizes)}; at least one series with one sample is needed")
    n, lead = cells.sizes[dim], cells.dims[:-1]
    rows = cells.values.astype(jnp.result_type(float)).reshape(-1, n)
    if batch_size is None:
        batch_size = batch_size_for(n * min(n, BLOCK) * rows.itemsize, len(rows), jax.devices()[0], 1)
    size = check_count("batch_size", batch_size)
    # Padded to whole batches, so that every series is computed by the same program.
    padded = np.concatenate([rows, np.repeat(rows[-1:], -len(rows) % size, axis=0)])
    use_disk_cache()
    result = jax.device_get(_mapped(function, padded.reshape(ceil(len(rows) / size), size, n)))
    fields = result._asdict() if hasattr(result, "_asdict") else {"value": result}
    shape = tuple(cells.sizes[d] for d in lead)
    variables = {}
    for name, values in fields.items():
        own = values.shape[2:]
        values = values.reshape(-1, *own)[: len(rows)].reshape(*shape, *own)
        attrs = {"reasons": "; ".join(f"{code}: {why}" for code, why in REASONS.items())} if name == "reason" else {}
        variables[name] = xr.Variable((*lead, *(f"{name}_{axis}" for axis in range(len(own)))), values, attrs)
    coords = {name: coord for name, coord in cells.coords.items() if dim not in coord.dims}
    return xr.Dataset(_with_bounds(variables), coords)


@partial(jax.jit, static_argnums=0)
def _mapped(function: Estimator, batches: Float[Array, "batches size n"]) -> Any:
    return lax.map(jax.vmap(function), batches)


def _with_bounds(variables: dict[str, xr.Variable]) -> dict[str, Any]:
    """The variables with an interval in one, along `bound`."""
    names = list(variables)
    at = names.index("low") - 1 if "low" in names and "high" in names else -1
    if at < 0:
        return variables
    interval = xr.Variable.concat([variables[name] for name in (names[at], "low", "high")], dim="bound")
    kept = {name: variable for name, variable in variables.items() if name not in ("low", "high")}
    return {**kept, names[at]: interval, "bound": ("bound", list(BOUNDS))}
