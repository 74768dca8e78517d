"""Checks of arguments that many functions share."""

import operator
from typing import Any


def check_count(name: str, value: Any, least: int = 1, most: int | None = None, what: str = "") -> int:
    """Return `value` as an int, where it is an integer from `least` to `most`.

    Args:
        name: the argument's name, for the message.
        value: Python, NumPy or JAX integers count as integers; bools and floats do not.
        most: None for no upper end.
        what: added to the message, e.g. the meaning of the argument or the reason of its range.

    Raises:
        ValueError: `value` is no integer or out of range.
    """
    try:
        count = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = None
    if count is None or count < least or (most is not None and count > most):
        allowed = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}={value!r} must be an integer {allowed}{f', {what}' if what else ''}")
    return count
