"""How cells are computed: batches, padding, devices, threads, compilation; not what a probe measures."""

from chaosjax._engine._batches import Layout
from chaosjax._engine._disk_cache import use_disk_cache
from chaosjax._engine._engine import Engine
from chaosjax._engine._planning import batch_size_for, plan

__all__ = ["Engine", "Layout", "batch_size_for", "plan", "use_disk_cache"]
