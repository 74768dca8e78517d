"""What a store must hold, and what of it is damaged: missing or altered chunks, metadata and coordinates."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr

FORMAT = 2
"""Number of the stores' format: from 2 on with checksums."""

ATTRIBUTES = "zarr.json"
"""Where a store's own attributes lie."""


class Damage(NamedTuple):
    """A part of a store that is not what was written.

    Attributes:
        name: the array, or `ATTRIBUTES` for the store's own attributes.
        what: what is wrong with it.
        records: the numbers of its first record and of the one behind its last; None where it is no chunk of records.
        file: of the chunk.
        interrupted: it was being written or removed when the process ended, which is no damage.
    """

    name: str
    what: str
    records: tuple[int, int] | None = None
    file: Path | None = None
    interrupted: bool = False

    @property
    def computable(self) -> bool:
        """Whether a run that goes on writes it again."""
        return self.file is not None and (self.records is not None or self.name == "diverged_at")

    def __str__(self) -> str:
        at = f", records {self.records[0]} to {self.records[1] - 1}" if self.records else ""
        return f"{self.name}{at}: {self.what}"


def layout(group: zarr.Group) -> str:
    """What decides how each array is read, as JSON text; the length in time is left out, since a run may end early."""
    return json.dumps({name: _described(array) for name, array in sorted(group.arrays())})


def sealed(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with a checksum over all of them."""
    return {**attrs, "checksum": _digest(attrs)}


def seal_holds(attrs: Mapping[str, Any]) -> bool:
    """Whether the attributes are those that `sealed` returned."""
    return attrs.get("checksum") == _digest(attrs)


def _digest(attrs: Mapping[str, Any]) -> str:
    text = json.dumps({name: value for name, value in attrs.items() if name != "checksum"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def damages(group: zarr.Group, location: Path, records: int, read: bool) -> Iterator[Damage]:
    """What is damaged in a store on disk.

    Args:
        records: so many records were written, and must be there.
        read: read every chunk and compare its checksum; or only look whether its file is there.
    """
    attrs = group.attrs.asdict()
    if not seal_holds(attrs):
        yield Damage(ATTRIBUTES, "the attributes do not match their checksum")
        return
    identity = json.loads(str(attrs["identity"]))
    lengths = {identity["steps"] // identity["stride"] + 1, int(str(attrs.get("length", 0)))}
    for name, expected in json.loads(str(attrs["layout"])).items():
        try:
            array: Any = group[name]
            described = json.loads(json.dumps(_described(array)))
        except Exception as error:  # of many kinds: whatever zarr meets in a file that is no longer what it wrote
            yield Damage(name, f"its metadata cannot be read ({_short(error)})")
            continue
        changed = [key for key in expected if expected[key] != described[key]]
        if changed or not lengths.issuperset(_lengths(array)):
            yield Damage(name, f"its metadata was altered: {', '.join(changed or ['shape'])}")
            continue
        found = list(_damaged_chunks(name, array, location, records, read))
        yield from found
        if not found and not _right_coordinates(name, array, identity):
            yield Damage(name, "the coordinates are not those of the run")


def chunks_in_time(name: str, array: Any, location: Path, records: int | None) -> Iterator[tuple[Path, Any, Any]]:
    """The chunks of an array that hold its first `records` records (None: all): file, place in the grid, which records.

    An array without records, such as a coordinate, is not divided in time: all its chunks, and None.
    """
    dims = array.metadata.dimension_names or ()
    time = dims.index("time") if "time" in dims and name != "time" else None
    counts = [ceil(size / length) for size, length in zip(array.shape, array.chunks, strict=True)]
    if time is not None and records is not None:
        counts[time] = min(counts[time], ceil(records / array.chunks[time]))
    for place in product(*(range(count) for count in counts)):
        span = None
        if time is not None:
            first = place[time] * array.chunks[time]
            span = first, min(first + array.chunks[time], array.shape[time] if records is None else records)
        yield location / name / array.metadata.encode_chunk_key(place), place, span


def _damaged_chunks(name: str, array: Any, location: Path, records: int, read: bool) -> Iterator[Damage]:
    for file, place, span in chunks_in_time(name, array, location, records):
        if not file.is_file():
            yield Damage(name, "a chunk is missing", span, file)
        elif read:
            try:
                _ = array.blocks[place] if place else array[()]
            except Exception as error:  # of many kinds: checksum, decompression, the disk's own
                yield Damage(name, f"a chunk is damaged ({_short(error)})", span, file)


def _right_coordinates(name: str, array: Any, identity: Mapping[str, Any]) -> bool:
    if tuple(array.metadata.dimension_names or ()) != (name,):
        return True
    expected = np.arange(array.shape[0]) * identity["stride"] if name == "time" else np.arange(1, array.shape[0] + 1)
    return np.array_equal(array[...], identity["axes"].get(name, expected))


def _described(array: Any) -> dict[str, Any]:
    dims = array.metadata.dimension_names or ()
    return {
        "dtype": str(array.dtype),
        "shape": [None if dim == "time" else size for dim, size in zip(dims, array.shape, strict=True)],
        "chunks": array.chunks,
        "dims": dims,
        "fill_value": repr(array.fill_value),
        "codecs": [codec.to_dict() for codec in array.metadata.codecs],
        "attrs": array.attrs.asdict(),
    }


def _lengths(array: Any) -> set[int]:
    dims = array.metadata.dimension_names or ()
    return {size for dim, size in zip(dims, array.shape, strict=True) if dim == "time"}


def _short(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) < 80 else text[:79] + "…"
