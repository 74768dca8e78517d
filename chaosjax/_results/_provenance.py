"""Where numbers came from: what decides them, and on what they were computed."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from chaosjax import _precision
from chaosjax._run import Run

try:
    import resource
except ImportError:  # on Windows
    resource = None


def identity(run: Run, batch_size: int, fingerprint: str, device: Any) -> dict[str, Any]:
    """Everything that decides the numbers, as plain values: a run with another identity is another run."""
    part = {} if run.grid.part is None else {"cells": list(run.grid.part)}
    return plain(
        {
            **part,
            "axes": {name: values.tolist() for name, values in run.grid.axes.items()},
            "steps": run.clock.steps,
            "stride": run.clock.stride,
            "noise": "independent" if run.noise.independent else "common",
            "noise_seed": run.noise.seed,
            "cells_per_batch": batch_size,
            "system": run.system.attrs,
            "probes": {name: {**probe.attrs, **probe.theta} for name, probe in run.probes.items()},
            "precision": _precision.describe(),
            "device": device.device_kind,
            "versions": {name: version(name) for name in ("jax", "jaxlib", "chaosjax")},
            "program": fingerprint,
        }
    )


def provenance(device: Any, at_once: int) -> dict[str, Any]:
    """Versions, commit, devices (one of them, and how many work at the same time) and time."""
    names = ("chaosjax", "jax", "jaxlib", "optax", "flax", "numpy", "xarray", "zarr")
    return {
        "versions": {name: version(name) for name in names},
        "commit": commit(),
        "python": platform.python_version(),
        "devices": f"{at_once} × {device.device_kind} ({device.platform})",
        "started": now(),
    }


def now() -> str:
    """The time in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def peak_bytes(devices: Sequence[Any]) -> int:
    """The most memory held so far: of the accelerators together, or of this process on a CPU."""
    if devices[0].platform != "cpu":
        return sum((device.memory_stats() or {}).get("peak_bytes_in_use", 0) for device in devices)
    if resource is None:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def commit() -> str:
    """The commit of the checkout this package lies in."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return "not a checkout"
    try:
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def flat_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as every file format holds them: texts and numbers; what is nested becomes JSON text."""

    def flat(value: Any) -> str | int | float:
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, int) and abs(value) >= 2**31:
            return float(value)  # netCDF 3 has no wider integers
        return value if isinstance(value, str | int | float) else json.dumps(value)

    return {name: flat(value) for name, value in attrs.items() if value is not None}


def provenance_of(ds: xr.Dataset) -> dict[str, Any]:
    """Return what a result knows about itself: identity, configuration, versions, devices, seconds, cost.

    These are the dataset's attributes, with those that are stored as JSON text decoded.
    """

    def decoded(value: Any) -> Any:
        is_json = isinstance(value, str) and value.startswith(("{", "["))
        return json.loads(value) if is_json else value

    return {str(name): decoded(value) for name, value in ds.attrs.items()}


def plain(values: Any) -> Any:
    """Values as JSON holds them."""
    return json.loads(
        json.dumps(values, default=lambda value: value.tolist() if hasattr(value, "tolist") else str(value))
    )


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Where two identities differ, as "key: theirs → ours", nested keys joined by dots."""
    found = []
    for key in sorted({*ours, *theirs}):
        mine, other = ours.get(key), theirs.get(key)
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            found += differences(mine, other, f"{prefix}{key}.")
        elif json.dumps(mine) != json.dumps(other):
            found.append(f"{prefix}{key}: {_short(other)} → {_short(mine)}")
    return found


def _short(value: Any, most: int = 60) -> str:
    text = json.dumps(value)
    return text if len(text) <= most else text[: most - 1] + "…"
