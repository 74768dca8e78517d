"""A new store: one array per record and coordinate, empty but for the coordinates."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import MemoryStore

from chaosjax._results._checkpoint import CHECKPOINTS
from chaosjax._results._integrity import FORMAT, layout, sealed
from chaosjax._results._provenance import flat_attrs
from chaosjax._results._variables import Variable

WRITE_ALL = {"write_empty_chunks": True}
"""zarr leaves a chunk of nothing but fill values out; here a chunk that is not there is a lost one."""

_CHECKED: Any = {"compressors": (ZstdCodec(), Crc32cCodec()), "config": WRITE_ALL}
"""Every chunk ends with a checksum, which zarr compares whenever it reads the chunk."""


def created(
    location: Path | MemoryStore,
    axes: Mapping[str, np.ndarray],
    times: np.ndarray,
    variables: Mapping[str, Variable],
    chunk: int,
    attrs: Mapping[str, Any],
) -> zarr.Group:
    """Make the group with its arrays ``[*axes, time, *own dims]``; missing values are NaN, or 0 where there is none."""
    group = zarr.create_group(location)
    own = {dim: size for v in variables.values() for dim, size in zip(v.dims, v.shape, strict=True)}
    numbers = {dim: np.arange(1, size + 1) for dim, size in own.items()}
    for name, values in {**axes, "time": times, **numbers}.items():
        group.create_array(
            name,
            data=values,
            chunks=(max(1, len(values)),),
            dimension_names=(name,),
            attributes=_coordinate_attrs(name),
            **_CHECKED,
        )
    cells = tuple(len(values) for values in axes.values())
    for name, variable in variables.items():
        group.create_array(
            name,
            shape=(*cells, len(times), *variable.shape),
            chunks=tuple(max(1, size) for size in (*cells, min(chunk, len(times)), *variable.shape)),
            dtype=variable.dtype,
            fill_value=np.nan if np.issubdtype(variable.dtype, np.floating) else 0,
            dimension_names=(*axes, "time", *variable.dims),
            attributes=flat_attrs(variable.attrs),
            **_CHECKED,
        )
    group.create_array(
        "diverged_at",
        data=np.full(cells, np.nan),
        chunks=cells or "auto",
        dimension_names=tuple(axes),
        attributes={"long_name": "first record time that is not finite", "units": "steps"},
        **_CHECKED,
    )
    group.create_group(CHECKPOINTS)
    known = flat_attrs({**attrs, "format": FORMAT, "chunk": chunk, "records": [*variables, "diverged_at"]})
    group.update_attributes(sealed({**known, "layout": layout(group)}))
    return group


def created_whole(
    location: Path,
    axes: Mapping[str, np.ndarray],
    times: np.ndarray,
    variables: Mapping[str, Variable],
    chunk: int,
    attrs: Mapping[str, Any],
) -> None:
    """Make it beside its place and move it there when it is whole, so that a store is there or is not."""
    whole = location.parent / f".{location.name}.new" / location.name
    if [entry.name for entry in whole.parent.glob("*")] in ([], [whole.name]):  # left by a kill
        shutil.rmtree(whole.parent, ignore_errors=True)
    whole.parent.mkdir()
    try:
        created(whole, axes, times, variables, chunk, attrs)
        whole.rename(location)
    finally:
        shutil.rmtree(whole.parent, ignore_errors=True)


def _coordinate_attrs(name: str) -> dict[str, Any]:
    known = {"time": {"long_name": "time", "units": "steps"}, "seed": {"long_name": "initialisation seed"}}
    return known.get(name, {"long_name": name.replace("_", " ")})
