"""What every public function asks of its arguments."""

from typing import Any

import numpy as np


def check_count(name: str, value: Any, least: int = 1, most: int | None = None, what: str = "") -> int:
    """Return `value` as an integer from `least` to `most`.

    Raises:
        ValueError: naming the argument, the value and what is allowed; `what` says what it counts.
    """
    whole = isinstance(value, (int, np.integer)) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or value < least or (most is not None and value > most):
        allowed = f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"
        raise ValueError(f"{name}={value!r} must be {allowed}{f' ({what})' if what else ''}")
    return int(value)
