"""Checks of arguments that many functions share."""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
from jaxtyping import PyTree

_TRACED = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


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


@contextmanager
def blamed(what: str) -> Iterator[None]:
    """Put in front of an error whose function was being called; say what a traced value cannot do.

    Errors of other kinds, those of the user's own code, go through with a note.
    """
    try:
        yield
    except _TRACED as error:
        raise ValueError(
            f"{what}: it needs the value of a traced array, known only when the program runs ({_first(error)}): "
            "use jnp.where or lax.cond for if, jnp functions for NumPy's and float()"
        ) from error
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
    except TypeError as error:
        raise TypeError(f"{what}: {_first(error)}") from error
    except Exception as error:
        unknown = isinstance(error, KeyError) and what.startswith("the system")
        hint = f"; if {error} is a control parameter, give it in axes, or in the system's theta" if unknown else ""
        error.add_note(f"in {what}{hint}")
        raise


def arrays_only(tree: PyTree, what: str) -> PyTree:
    """Return the tree, where every leaf is a number or an array of numbers.

    Raises:
        TypeError: naming the first other leaf.
    """
    for leaf in jax.tree.leaves(tree):
        dtype = getattr(leaf, "dtype", None)
        number = isinstance(leaf, bool | int | float | complex)
        if not number and (dtype is None or getattr(dtype, "kind", "f") in "OSUMm"):
            text = f"{leaf!r}"
            shown = text if len(text) < 40 else f"{text[:39]}…"
            raise TypeError(f"{what} holds {shown} of type {type(leaf).__name__}; keep arrays of numbers only")
    return tree


def check_callable(name: str, value: Any, optional: bool = True) -> None:
    """Refuse what cannot be called.

    Raises:
        TypeError: naming the argument.
    """
    if not callable(value) and not (optional and value is None):
        raise TypeError(f"{name}={value!r} must be a function{' or None' if optional else ''}")


def _first(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
