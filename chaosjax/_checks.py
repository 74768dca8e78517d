"""Checks of arguments that many functions share."""

from typing import Any

import numpy as np


def check_count(name: str, value: Any, least: int = 1, most: int | None = None, what: str = "") -> int:
    """Return a whole number as an int; `what` is added to the message, to say what the number is for.

    Raises:
        ValueError: `value` is no whole number, or not between `least` and `most`.
    """
    whole = isinstance(value, int | float | np.integer | np.floating) and value % 1 == 0
    if not whole or value < least or (most is not None and value > most):
        allowed = f"an integer of at least {least}" if most is None else f"an integer between {least} and {most}"
        raise ValueError(f"{name}={value!r} must be {allowed}{what and ', '}{what}")
    return int(value)
