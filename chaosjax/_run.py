"""What a sweep is asked for: grid, clock and noise, checked before anything is compiled."""

from collections.abc import Mapping
from difflib import get_close_matches
from math import prod
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from chaosjax._cell import Probes
from chaosjax._checks import check_count
from chaosjax._parts import check_probe, check_system
from chaosjax._system import System, traced_once
from chaosjax.probes._alive import alive

RESERVED = ("time", "alive", "diverged_at", "checkpoints", "zarr.json")
"""Names that a store has for itself."""

NON_NEGATIVE = ("learning_rate", "weight_decay", "radius", "init_scale", "seed")


class Grid(NamedTuple):
    """Every combination of the axes' values is a cell; the last axis varies fastest, and without an axis there is one.

    Attributes:
        axes: 1-d arrays by name: control parameters and ``seed``.
        constants: the control parameters that are no axis, where they have a default.
        part: the first cell and the one behind the last of those to compute; None: all.
    """

    axes: dict[str, np.ndarray]
    constants: dict[str, float]
    part: tuple[int, int] | None = None

    @property
    def dims(self) -> dict[str, np.ndarray]:
        """The dims of cells in a result, with their coordinates: the axes, or of a part its cells, numbered from 1."""
        return self.axes if self.part is None else {"cell": np.arange(self.part[1] - self.part[0]) + 1}

    @property
    def size(self) -> int:
        """Number of cells."""
        return prod(len(values) for values in self.dims.values())

    def cells(self) -> dict[str, Any]:
        """Return what tells the cells apart, ``[cells]`` each: ``theta`` by name, ``seed`` and ``index``."""
        values = [grid.ravel() for grid in np.meshgrid(*self.axes.values(), indexing="ij")]
        cells = dict(zip(self.axes, values, strict=True))
        count = prod(len(values) for values in self.axes.values())
        seed = cells.pop("seed", np.zeros(count, np.int64))
        dtype, own = jnp.result_type(float), slice(*(self.part or (0, count)))
        return {
            "theta": {name: value.astype(dtype)[own] for name, value in cells.items()},
            "seed": seed.astype(np.uint32)[own],
            "index": np.arange(count, dtype=np.int32)[own],
        }


class Clock(NamedTuple):
    """Steps of a run, and steps between its records; they lie at 0, stride, …, steps."""

    steps: int
    stride: int

    @property
    def records(self) -> int:
        """Number of records, first and last state included."""
        return self.steps // self.stride + 1

    @classmethod
    def checked(cls, steps: Any, stride: Any) -> "Clock":
        """Make a clock.

        Raises:
            ValueError: for numbers that are not positive integers below 2³¹, or a stride that does not divide steps.
        """
        steps, stride = (
            check_count(name, value, most=2**31 - 1) for name, value in (("steps", steps), ("stride", stride))
        )
        if steps % stride:
            raise ValueError(
                f"stride={stride} does not divide steps={steps}; records lie at multiples of it, the last step included"
            )
        return cls(steps, stride)


class NoiseSource(NamedTuple):
    """The seed of the minibatches, and whether each cell has its own."""

    seed: int
    independent: bool


class Run(NamedTuple):
    """Everything that decides what is computed, but not where."""

    system: System
    probes: Probes
    grid: Grid
    clock: Clock
    noise: NoiseSource

    def cost(self, steps: int, weights: int) -> dict[str, int]:
        """Evaluations of all cells together: steps (those of x included), tangent and Hessian products, losses."""
        total = {"steps": steps, "tangents": 0, "products": 0, "losses": 0}
        for probe in self.probes.values():
            for kind, number in probe.cost.of_run(steps, self.clock.stride, weights).items():
                total[kind] += number
        return {kind: self.grid.size * number for kind, number in total.items()}


def checked_run(system: Any, probes: Any, axes: Any, clock: Clock, noise: str, noise_seed: int) -> Run:
    """Check what a sweep is asked for, and add the probe ``alive``.

    Raises:
        ValueError, TypeError: naming the argument and what is allowed.
    """
    if noise not in ("common", "independent"):
        raise ValueError(f"noise={noise!r} must be 'common' or 'independent'")
    check_system(system)
    if not isinstance(axes, Mapping):
        raise TypeError(f"axes={axes!r} must map names to values, e.g. {{'learning_rate': [0.1, 1.0], 'seed': [0, 1]}}")
    if not isinstance(probes, Mapping):
        what = f"a {type(probes).__name__}"
        raise TypeError(f"probes is {what}; it must map names to probes, e.g. {{'growth': probes.lyapunov()}}")
    for name in axes:
        _check_name(name, "axes")
    for name, probe in probes.items():
        _check_name(name, "probes")
        check_probe(f"probes: '{name}'", probe)
    grid = grid_of(system, probes, axes)
    taken = {*grid.axes, *RESERVED} & set(probes)
    if taken:
        raise ValueError(f"probes: '{taken.pop()}' is the name of an axis or of sweep's own; rename the probe")
    source = NoiseSource(check_count("noise_seed", noise_seed, 0, 2**32 - 1), noise == "independent")
    return Run(traced_once(system), {"alive": alive(), **probes}, grid, clock, source)


def grid_of(system: System, probes: Probes, axes: Mapping[str, Any]) -> Grid:
    """Check the axes: floats for control parameters, integers for ``seed``.

    Raises:
        ValueError: for a name that neither system nor probes take, an empty axis, a repeated value, a value that
            is not finite or that the working precision does not hold, or a negative one where the quantity has no
            negative values.
    """
    for probe_name, probe in probes.items():
        for name in set(probe.theta) & set(system.theta or {}):
            raise ValueError(
                f"probe '{probe_name}': the system has a control parameter '{name}' too; rename the system's"
            )
    known = _known_parameters(system, probes)
    checked = {}
    for name, values in axes.items():
        if known is not None and name not in known and name != "seed":
            close = get_close_matches(name, known, 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise ValueError(f"axes: '{name}' is no control parameter here; known: {', '.join(known)}, seed{hint}")
        if name in RESERVED:
            raise ValueError(f"axes: '{name}' is a name of sweep's own; rename the control parameter")
        checked[name] = _checked_axis(name, values)
    defaults = system.theta or {}
    constants = {name: value for name, value in defaults.items() if value is not None and name not in checked}
    return Grid(checked, constants)


def _known_parameters(system: System, probes: Probes) -> dict[str, Any] | None:
    """Control parameters of system and probes with their defaults; None if the system takes any name."""
    of_probes = {name: value for probe in probes.values() for name, value in probe.theta.items()}
    return None if system.theta is None else {**system.theta, **of_probes}


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
        wrong = array[(array != np.round(array)) | (array > np.iinfo(np.uint32).max)]
        if wrong.size:
            raise ValueError(f"axes: 'seed' holds {wrong[0]:g}; it must hold integers from 0 to 2**32 - 1")
        return array.astype(np.int64)
    _check_precision(name, array)
    return array


def _check_precision(name: str, array: np.ndarray) -> None:
    """Refuse values that float32, where it is the working precision, turns into infinity, 0 or each other."""
    dtype = jnp.result_type(float)
    with np.errstate(over="ignore", under="ignore"):
        held = array.astype(dtype)
    lost = array[~np.isfinite(held) | ((held == 0) & (array != 0))]
    if lost.size:
        raise ValueError(
            f"axes: '{name}' holds {lost[0]:g}, which is {held[array == lost[0]][0]:g} in {dtype}; enable x64"
        )
    if len(np.unique(held)) < len(array):
        raise ValueError(
            f"axes: two values of '{name}' are the same number in {dtype}; space them wider, or enable x64"
        )


def _check_name(name: Any, what: str) -> None:
    """Refuse a name that cannot be a variable's."""
    bad = not isinstance(name, str) or not name.isprintable() or len(name.encode()) > 200
    if bad or not name or "/" in name or name.startswith((".", "__")):
        raise ValueError(f"{what}: {name!r} cannot name a variable; use letters, digits and underscores")
