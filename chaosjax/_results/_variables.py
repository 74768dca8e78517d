"""Records as variables of a dataset: their names, dims, dtypes and attributes."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from chaosjax._cell import Probes
from chaosjax._results._provenance import plain

_DECODED = (
    "scale_factor",
    "add_offset",
    "_FillValue",
    "missing_value",
    "calendar",
    "dtype",
    "coordinates",
    "grid_mapping",
)
"""Attributes by which readers of netCDF and zarr would change the values."""

_TIME_UNITS = ("days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds")
"""Units that xarray takes for lengths of time, and decodes."""


class Variable(NamedTuple):
    """A record of one cell: its shape and dtype, the names of its own axes, and what is said about it."""

    shape: tuple[int, ...]
    dtype: np.dtype
    dims: tuple[str, ...]
    attrs: Mapping[str, Any]


def variables(probes: Probes, records: Mapping[str, Any], axes: Iterable[str]) -> dict[str, Variable]:
    """Return the variables of all records, in the order of the probes.

    Args:
        records: shapes and dtypes of one cell's records, by probe.
        axes: the axes of the grid.

    Raises:
        ValueError: for a name that is taken or that no file can hold, dims that do not fit, a dtype that cannot be
            stored, or attributes that would change the values when read.
    """
    found: dict[str, Variable] = {}
    sizes = dict.fromkeys((*axes, "time", *records), 0)  # names that no record's own axis can have
    for name, probe in probes.items():
        for entry, leaf in _entries(name, records[name]).items():
            dims = tuple(probe.dims.get(entry, ()) if isinstance(probe.dims, Mapping) else probe.dims)
            if len(dims) != len(leaf.shape):
                raise ValueError(
                    f"probe '{name}': its record has {len(leaf.shape)} axes, its dims name {len(dims)}: {dims}"
                )
            for dim, size in zip(dims, leaf.shape, strict=True):
                if sizes.setdefault(dim, size) != size:
                    raise ValueError(
                        f"probe '{name}': its axis '{dim}' of {size} entries is another one's name in this dataset; "
                        "rename it: probe._replace(dims=(...))"
                    )
            variable = _variable(name, entry)
            if variable in (*found, "diverged_at", *axes):
                raise ValueError(f"probe '{name}': its record '{variable}' has a taken name; rename the probe")
            attrs = plain({name: value for name, value in probe.attrs.items() if name != "entries"})
            attrs |= {"entry": entry, **probe.attrs.get("entries", {}).get(entry, {})} if entry else {}
            found[variable] = Variable(
                tuple(leaf.shape), _checked_dtype(name, leaf.dtype), dims, _checked_attrs(name, attrs)
            )
    return found


def flat_records(records: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Records by probe as arrays by variable."""
    return {
        _variable(name, entry): leaf
        for name, record in records.items()
        for entry, leaf in _entries(name, record).items()
    }


def _entries(name: str, record: Any) -> dict[str, Any]:
    entries = record if isinstance(record, dict) else {"": record}
    for entry, leaf in entries.items():
        if not (isinstance(entry, str) and hasattr(leaf, "shape")):
            raise ValueError(
                f"probe '{name}': its record {f'entry {entry!r} ' if entry else ''}is a {type(leaf).__name__}; return "
                "an array or a flat dict of arrays, e.g. by jax.flatten_util.ravel_pytree"
            )
    return entries


def _variable(name: str, entry: str) -> str:
    return f"{name}_{entry}" if entry else name


def _checked_dtype(name: str, dtype: Any) -> np.dtype:
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufc":
        raise ValueError(f"probe '{name}': its record of dtype {dtype} cannot be stored; convert it, e.g. to float32")
    return dtype


def _checked_attrs(name: str, attrs: Mapping[str, Any]) -> Mapping[str, Any]:
    decoded = [key for key in attrs if key in _DECODED]
    units = str(attrs.get("units", ""))
    if decoded or units in _TIME_UNITS or " since " in units:
        what = decoded[0] if decoded else f"units={units!r}"
        raise ValueError(f"probe '{name}': the attribute {what} would change its values when they are read; rename it")
    return attrs
