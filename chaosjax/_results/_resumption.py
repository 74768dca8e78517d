"""An unfinished store made ready to go on: what is damaged is removed, and computed again where that is possible."""

import warnings
from pathlib import Path
from typing import Any

import zarr

from chaosjax._results._checkpoint import Checkpoint, checkpoints_in, remove_checkpoint
from chaosjax._results._integrity import chunks_in_time, damages
from chaosjax._results._reading import refuse_damaged


def prepared(group: zarr.Group, location: Path) -> Checkpoint | None:
    """The last whole checkpoint before any damage; None for the beginning of the run.

    The last whole checkpoint of all vouches for the records before it. Those that are damaged, and all that were
    written behind it, are removed: the run writes them again, bit for bit.

    Raises:
        ValueError: if something is damaged that no computation brings back: attributes, metadata, coordinates.
    """
    good, lost = checkpoints_in(location)
    vouched = good[0].index if good else 0
    found = list(damages(group, location, vouched, read=True))
    refuse_damaged(location, [damage for damage in found if not damage.computable])
    first = min((damage.records[0] for damage in found if damage.records), default=vouched)
    begun = next((checkpoint for checkpoint in good if checkpoint.index <= first), None)
    altered = [damage for damage in lost if not damage.interrupted]
    if found or altered:
        told = "; ".join(map(str, [*found, *altered][:3]))
        message = f"store: {location} was damaged ({told}): computed again from record {begun.index if begun else 0} on"
        warnings.warn(message, RuntimeWarning, stacklevel=5)
    for damage in found:
        if damage.file is not None and damage.records is not None:
            damage.file.unlink(missing_ok=True)
    for damage in lost:
        remove_checkpoint(location, damage.name)
    for name, array in group.arrays():
        where: Any = array
        for file, _, records in chunks_in_time(name, where, location, None):
            if records is not None and records[0] >= vouched:
                file.unlink(missing_ok=True)
    return begun
