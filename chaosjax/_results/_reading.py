"""Stores that lie on disk: opened, verified, and never written."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr
import zarr

from chaosjax._results._checkpoint import checkpoints_in
from chaosjax._results._integrity import ATTRIBUTES, FORMAT, Damage, damages, seal_holds

_INNER = ("layout", "checksum", "chunk")
"""Attributes that say how a store is written, and nothing about the records."""


class Verification(NamedTuple):
    """What `verify` has found.

    Attributes:
        finished: whether the run came to its end.
        records: records in time that were written and must be there.
        damage: what is missing or altered, in words; empty if the store is intact.
    """

    finished: bool
    records: int
    damage: tuple[str, ...]

    @property
    def intact(self) -> bool:
        """Whether everything is as it was written."""
        return not self.damage

    def __str__(self) -> str:
        state = "finished" if self.finished else "unfinished"
        return "\n".join([f"{state}, {self.records} records, {'damaged' if self.damage else 'intact'}", *self.damage])


def verify(store: str | Path) -> Verification:
    """Check a store of a sweep, finished or not: every chunk, checkpoint, coordinate and attribute.

    Chunks, checkpoints and attributes have checksums. The number of records that must be there is that of the end, or
    of the last checkpoint. Nothing is written.

    Cost: reads the whole store once.

    Raises:
        ValueError: if the folder is no store of a sweep, or one of another format.
    """
    location = local_folder(store)
    group = group_at(location, "r")
    finished, records, lost = written(group, location)
    found = [*damages(group, location, records, read=True), *lost]
    return Verification(finished, records, tuple(map(str, found)))


def open_sweep(store: str | Path, *, chunks: Any = None, read: bool = True) -> xr.Dataset:
    """Open the records of a sweep's store, finished or not; what is not computed yet is NaN.

    Args:
        chunks: None: arrays are read when used; ``{}``: dask arrays, chunk by chunk as they are stored.
        read: first read every chunk and compare its checksum; if not, look only whether each is there: a chunk that was
            altered then raises when it is used.

    Cost: reads the whole store once; little with ``read=False``.

    Raises:
        ValueError: if the folder is no store of a sweep, one of another format, or damaged: the message names what.
    """
    location = local_folder(store)
    group = group_at(location, "r")
    _, records, _ = written(group, location)
    refuse_damaged(location, list(damages(group, location, records, read)))
    return dataset_of(location, group, chunks)


def recorded_until(store: Path) -> float:
    """The time of the last record [steps]: of a finished run its end, else that of the last checkpoint; NaN: none."""
    group = group_at(store, "r")
    identity: Any = json.loads(str(group.attrs["identity"]))
    ended, records, _ = written(group, store)
    records = int(str(group.attrs["length"])) if ended else records
    return float((records - 1) * identity["stride"]) if records else float("nan")


def written(group: zarr.Group, location: Path) -> tuple[bool, int, list[Damage]]:
    """Whether a run has finished, how many records are vouched for, and its damaged checkpoints."""
    attrs = group.attrs.asdict()
    if not seal_holds(attrs):
        return False, 0, []
    if "finished" in attrs:
        return True, int(str(attrs["recorded"])), []
    good, lost = checkpoints_in(location)
    return False, good[0].index if good else 0, [damage for damage in lost if not damage.interrupted]


def refuse_damaged(location: Path, damage: list[Damage]) -> None:
    """Say what of a store is lost.

    Raises:
        ValueError: if there is any.
    """
    if damage:
        more = f" and {len(damage) - 3} more; cj.verify lists all" if len(damage) > 3 else ""
        told = "; ".join(map(str, damage[:3]))
        raise ValueError(f"store: {location} is damaged ({told}{more}): restore it, or remove it and run again")


def dataset_of(location: Any, group: zarr.Group, chunks: Any = None) -> xr.Dataset:
    """The variables of a store in their order; of a finished run the records up to its end."""
    length: Any = group.attrs.get("length")
    sizes: dict[str, int] = {}
    for name, array in group.arrays():
        dims: Any = array.metadata.dimension_names or ()  # type: ignore[union-attr]
        if "time" in dims:
            sizes[name] = array.shape[dims.index("time")]
    parts = []
    for size in dict.fromkeys(sizes.values()):  # several, where a kill came while a run was cut to its length
        others = [name for name in sizes if sizes[name] != size]
        part = xr.open_zarr(location, consolidated=False, chunks=chunks, drop_variables=others)
        parts.append(part.isel(time=slice(length)))
    whole: Any = parts[0] if len(parts) == 1 else xr.merge(parts, compat="override", join="outer")
    dataset = whole[json.loads(whole.attrs["records"])]  # zarr keeps no order
    return dataset.assign_attrs({name: value for name, value in dataset.attrs.items() if name not in _INNER})


def group_at(location: Path, mode: Any, intact: bool = False) -> zarr.Group:
    """The group of a sweep's store.

    Args:
        intact: refuse one whose attributes do not match their checksum.

    Raises:
        ValueError: if the folder is no store of a sweep, one of another format, or one whose attributes are damaged.
    """
    try:
        group = zarr.open_group(location, mode=mode)
        attrs = group.attrs.asdict()
    except Exception as error:  # of many kinds: whatever zarr meets in a folder of another's
        if (location / ATTRIBUTES).is_file() and (location / "diverged_at" / ATTRIBUTES).is_file():
            refuse_damaged(location, [Damage(ATTRIBUTES, f"cannot be read ({type(error).__name__})")])
        attrs = {}
    if not location.exists():
        raise ValueError(f"store: {location} does not exist")
    if not {"identity", "layout", "checksum"} & set(attrs):
        raise ValueError(f"store: {location} is no store that sweep has made; choose another path")
    number = attrs.get("format", 1)
    if number != FORMAT and (seal_holds(attrs) or "checksum" not in attrs):
        newer = isinstance(number, int) and number > FORMAT
        raise ValueError(
            f"store: {location} has format {number}, of {'a newer' if newer else 'an older'} chaosjax; this one "
            f"reads and continues {FORMAT}. xarray.open_zarr(path, consolidated=False) reads its records"
        )
    if intact and not seal_holds(attrs):
        refuse_damaged(location, [Damage(ATTRIBUTES, "the attributes do not match their checksum")])
    return group


def local_folder(store: Any) -> Path:
    """The folder that is meant; ``~`` is the user's home.

    Raises:
        TypeError: for what is no path.
        ValueError: for an address of a remote store.
    """
    if not isinstance(store, str | os.PathLike) or not str(store):
        raise TypeError(f"store={store!r} must be the path of a folder, e.g. 'runs/a.zarr', or None")
    if "://" in str(store):
        raise ValueError(
            f"store={str(store)!r} is an address; a sweep writes to folders only: give one, and copy it when the "
            "run has ended"
        )
    return Path(store).expanduser()
