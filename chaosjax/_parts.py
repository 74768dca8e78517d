"""What a sweep is made of, checked field by field: the system and the probes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chaosjax._checks import check_callable
from chaosjax._probe import Cost, Probe
from chaosjax._system import System


def check_system(system: Any) -> None:
    """Refuse what is no system, or has a field that cannot be used.

    Raises:
        TypeError: naming the field, the value and what is allowed.
    """
    if not isinstance(system, System):
        raise TypeError(f"system is a {type(system).__name__}; give a System, e.g. training(problem, optax.sgd)")
    for field in ("init", "step", "noise", "params", "loss", "outputs"):
        check_callable(f"system: {field}", getattr(system, field), optional=field in ("loss", "outputs"))
    for field in ("metrics", "attrs", "theta"):
        value = getattr(system, field)
        if not isinstance(value, Mapping) and not (field == "theta" and value is None):
            raise TypeError(f"system: {field}={value!r} must map names to values")
    for name, value in (system.theta or {}).items():
        if isinstance(value, str) or (value is not None and np.ndim(value) != 0):
            raise TypeError(f"system: the control parameter '{name}'={value!r} must be a number, or None")


def check_probe(what: str, probe: Any) -> None:
    """Refuse what is no probe, or has a field that cannot be used.

    Raises:
        TypeError: naming the field, the value and what is allowed.
    """
    if not isinstance(probe, Probe):
        raise TypeError(f"{what} is {probe!r:.60}, not a Probe; call what makes it, e.g. probes.loss()")
    for field in ("init", "update", "emit", "members", "check"):
        check_callable(f"{what}: {field}", getattr(probe, field), optional=field in ("members", "check"))
    for field in ("attrs", "theta"):
        if not isinstance(getattr(probe, field), Mapping):
            raise TypeError(f"{what}: {field}={getattr(probe, field)!r} must map names to values")
    for name, value in probe.theta.items():
        if isinstance(value, str) or np.ndim(value) != 0:
            raise TypeError(f"{what}: the control parameter '{name}'={value!r} must be a number")
    if not isinstance(probe.cost, Cost):
        raise TypeError(f"{what}: cost={probe.cost!r} must be a Cost")
    every_dims = probe.dims.values() if isinstance(probe.dims, Mapping) else [probe.dims]
    for dims in every_dims:
        if isinstance(dims, str) or not isinstance(dims, Sequence) or not all(isinstance(dim, str) for dim in dims):
            raise TypeError(f"{what}: dims={dims!r} must be a tuple of names, e.g. ('unit',)")
