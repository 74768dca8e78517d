"""How cells are computed: batches, padding, devices, threads, compilation; not what a probe measures."""

from chaosjax._engine._batches import Layout
from chaosjax._engine._disk_cache import use_disk_cache
from chaosjax._engine._engine import Engine
from chaosjax._engine._memory import OutOfMemory, check_fit, heard_out_of_memory
from chaosjax._engine._planning import batch_size_for, fitted, plan, plan_in_words

__all__ = [
    "Engine",
    "Layout",
    "OutOfMemory",
    "batch_size_for",
    "check_fit",
    "fitted",
    "heard_out_of_memory",
    "plan",
    "plan_in_words",
    "use_disk_cache",
]
