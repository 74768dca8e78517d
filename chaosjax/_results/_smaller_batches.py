"""A run that ran out of memory, and goes on in smaller batches: what its store says about that."""

import json
from collections.abc import Mapping
from typing import Any

from chaosjax._results._store import Store


def batch_that_fits(store: Store) -> int:
    """The batch size that would fit where the store's ran out of memory; 0 where it did not."""
    return int(str(store.group.attrs.get("batch_that_fits", 0)))


def note_that_fits(store: Store, batch_size: int) -> None:
    """Note that the run has ended for lack of memory, and what would fit."""
    store.note({"batch_that_fits": batch_size})


def go_on_with(store: Store, identity: Mapping[str, Any]) -> None:
    """Note that the run goes on in smaller batches; the earlier sizes stay on record."""
    earlier = json.loads(str(store.group.attrs.get("earlier_cells_per_batch", "[]")))
    sizes = [*earlier, store.identity["cells_per_batch"]]
    store.note({"identity": dict(identity), "earlier_cells_per_batch": sizes, "batch_that_fits": 0})
