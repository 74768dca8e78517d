"""Names of what a user hands over, for provenance and messages."""

import re
from functools import partial
from typing import Any


def describe(thing: Any) -> str:
    """Describe a function, partial, module or name in words that are the same in every process."""
    if isinstance(thing, str):
        return thing
    if isinstance(thing, tuple):
        return f"({', '.join(map(describe, thing))})"
    if isinstance(thing, partial):
        bound = [describe(value) for value in thing.args]
        bound += [f"{key}={describe(value)}" for key, value in sorted(thing.keywords.items())]
        return f"{describe(thing.func)}({', '.join(bound)})"
    if hasattr(thing, "__qualname__"):
        return f"{thing.__module__}.{thing.__qualname__}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(thing))
