"""Several devices that compute every step together: one device to the rest of the engine."""

from typing import Any, NamedTuple

from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding


class Group(NamedTuple):
    """The devices of a mesh, over which the samples are spread; states and records lie on each of them."""

    mesh: Mesh

    @property
    def devices(self) -> tuple[Any, ...]:
        """The devices themselves."""
        return tuple(self.mesh.devices.flat)

    @property
    def platform(self) -> str:
        """Of all of them."""
        return self.devices[0].platform

    @property
    def device_kind(self) -> str:
        """Their number and kind."""
        return f"{self.mesh.size} × {self.devices[0].device_kind}"

    def memory_stats(self) -> dict[str, int] | None:
        """Of one: they hold alike."""
        return self.devices[0].memory_stats()


def sharding_of(device: Any) -> Sharding:
    """Where the arrays of a device lie; those of a group lie whole on each of its devices."""
    return NamedSharding(device.mesh, PartitionSpec()) if isinstance(device, Group) else SingleDeviceSharding(device)


def is_spread(array: Any) -> bool:
    """Whether an array lies on several devices."""
    sharding = getattr(array, "sharding", None)
    return sharding is not None and len(sharding.device_set) > 1
