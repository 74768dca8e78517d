"""Estimators compiled once for each shape of the series and each choice of options."""

import inspect
from collections.abc import Callable, Hashable, Mapping
from functools import wraps
from typing import Any, TypeVar

import jax
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Return the function under `jax.jit`: arrays are traced, options of other types are part of the program."""
    signature = inspect.signature(function)

    def with_options(arrays: Mapping[str, Any], options: tuple[tuple[str, Any], ...]) -> Any:
        return function(**arrays, **dict(options))

    run = jax.jit(with_options, static_argnums=1)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        arrays = {name: value for name, value in given.items() if isinstance(value, np.ndarray | jax.Array)}
        options = tuple((name, value) for name, value in given.items() if name not in arrays)
        if not all(isinstance(value, Hashable) for _, value in options):
            return function(*args, **kwargs)
        return run(arrays, options)

    return call  # type: ignore[return-value]
