"""One compiled program on several devices, the same machine code on each."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax._src.lib import xla_client  # pyright: ignore[reportPrivateImportUsage]
from jax.experimental import serialize_executable
from jaxtyping import PyTree


def replicas(
    function: Callable[..., PyTree], devices: Sequence[Any], arguments: Callable[[Any], tuple[PyTree, ...]]
) -> list[Callable[..., PyTree]]:
    """The jitted function compiled for the first device and loaded on the others.

    XLA puts a program over several devices through other passes than a program of one, and the two round
    differently. Programs of one device that run side by side do not, and this way are compiled only once.

    Args:
        arguments: ``device -> arguments``, arrays or shapes on that device.
    """
    first, *others = devices
    compiled = function.lower(*arguments(first)).compile()  # type: ignore[attr-defined]
    try:
        return [compiled, *(_moved(compiled, device) for device in others)]
    except Exception:
        # programs with host callbacks cannot be moved, and moving uses private parts of JAX: then each is compiled
        return [compiled, *(function.lower(*arguments(device)).compile() for device in others)]  # type: ignore[attr-defined]


def _moved(compiled: jax.stages.Compiled, device: Any) -> jax.stages.Compiled:
    data, in_tree, out_tree = serialize_executable.serialize(compiled)
    unloaded, arguments, no_kwargs = _Unpickler(io.BytesIO(data), device.client, [device]).load()
    return jax.stages.Compiled(unloaded.load(), [], in_tree.unflatten(arguments), out_tree, no_kwargs=no_kwargs)


class _Unpickler(serialize_executable._JaxPjrtUnpickler):
    """Reads an executable of one device as one of another; JAX's own insists on the device it was compiled for."""

    def persistent_load(self, pid: tuple[Any, ...]) -> Any:
        (device,) = self.devices_by_id.values()
        if pid[0] == "device":
            return device
        if pid[0] != "exec":
            return super().persistent_load(pid)
        options = xla_client.CompileOptions()
        options.num_replicas = options.num_partitions = 1
        options.device_assignment = xla_client.DeviceAssignment.create(np.array([[device.id]]))
        return self.backend.deserialize_executable(
            pid[1], executable_devices=self.execution_devices, compile_options=options
        )
