"""The axes of a sweep: control parameters and seeds, checked before anything is compiled."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from chaosjax._cell import Probes
from chaosjax._system import System

NON_NEGATIVE = ("learning_rate", "weight_decay", "radius", "init_scale", "seed")


def checked_axes(system: System, probes: Probes, axes: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The axes as 1-d arrays, floats for control parameters and integers for ``seed``.

    Raises:
        ValueError: for a name that neither system nor probes take, an empty axis, a repeated value, a value that
            is not finite, or a negative one where the quantity has no negative values.
    """
    for probe_name, probe in probes.items():
        for name in set(probe.theta) & set(system.theta or {}):
            raise ValueError(
                f"probe '{probe_name}': the system has a control parameter '{name}' too; rename the system's"
            )
    known = known_parameters(system, probes)
    checked = {}
    for name, values in axes.items():
        if known is not None and name not in known and name != "seed":
            close = get_close_matches(name, known, 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise ValueError(f"axes: '{name}' is no control parameter here; known: {', '.join(known)}, seed{hint}")
        checked[name] = _checked_axis(name, values)
    return checked


def known_parameters(system: System, probes: Probes) -> dict[str, float | None] | None:
    """Control parameters of system and probes with their defaults; None if the system takes any name."""
    of_probes = {name: value for probe in probes.values() for name, value in probe.theta.items()}
    return None if system.theta is None else {**system.theta, **of_probes}


def cells_of(axes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The values of every cell of the grid, by axis: the last axis varies fastest; one cell where there is no axis."""
    grids = np.meshgrid(*axes.values(), indexing="ij")
    return {name: grid.ravel() for name, grid in zip(axes, grids, strict=True)}


def _checked_axis(name: str, values: Any) -> np.ndarray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"axes: '{name}' must hold numbers, not {values!r}") from error
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"axes: '{name}' has shape {array.shape}; give a list of at least one value")
    if not np.isfinite(array).all():
        raise ValueError(f"axes: '{name}' holds {array[~np.isfinite(array)][0]}; every value must be finite")
    if name in NON_NEGATIVE and (array < 0).any():
        raise ValueError(f"axes: '{name}' holds {array.min():g}; it must not be negative")
    unique, counts = np.unique(array, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"axes: '{name}' holds {unique[counts > 1][0]:g} more than once; each value names one cell")
    if name == "seed":
        if (array != np.round(array)).any() or array.max() > np.iinfo(np.uint32).max:
            raise ValueError("axes: 'seed' must hold integers below 2**32")
        return array.astype(np.int64)
    return array
