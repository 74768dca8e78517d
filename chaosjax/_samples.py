"""Samples spread over devices: each holds a share, and they compute a step together."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "samples"


def mesh_of(devices: int | Sequence[Any] | None, samples: int) -> Mesh | None:
    """The devices that share so many samples: a list of them, or how many of JAX's; None for one that has them all.

    Raises:
        ValueError: for fewer than one, more than there are, or as many as cannot share the samples evenly.
        TypeError: for what is no device.
    """
    if devices is None:
        return None
    found = jax.devices()
    if isinstance(devices, int) and not isinstance(devices, bool):
        if not 1 <= devices <= len(found):
            raise ValueError(f"sample_devices={devices}: JAX finds {len(found)} ({found[0].platform}); take no more")
        devices = found[:devices]
    listed = list(devices) if isinstance(devices, Sequence) and not isinstance(devices, str) else []
    if not listed or not all(isinstance(device, jax.Device) for device in listed):
        raise TypeError(f"sample_devices={devices!r} must be a number, a list of devices, or None")
    if samples % len(listed):
        raise ValueError(
            f"sample_devices: {len(listed)} devices cannot share {samples} training samples evenly; take "
            f"{samples - samples % len(listed)} of them, or another number of devices"
        )
    return Mesh(np.array(listed), (AXIS,))


def spread(samples: np.ndarray, mesh: Mesh) -> jax.Array:
    """Samples ``[n, ...]`` with a share on every device; whole on each of them where n cannot be divided."""
    axes = (AXIS,) if len(samples) % mesh.size == 0 else ()
    return jax.device_put(samples, NamedSharding(mesh, PartitionSpec(*axes)))
