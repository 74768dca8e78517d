"""A system whose phase points carry one of another, for trainings that are steered from outside."""

from collections.abc import Mapping
from typing import Any

import chaosjax as cj


def carrying(system: cj.System, init: Any, step: Any, theta: Mapping[str, Any], **attrs: Any) -> cj.System:
    """A system that holds a phase point of `system` as `point`, where its loss, parameters and metrics are read."""

    def of_point(read: Any) -> Any:
        return lambda x, theta, *noise: read(x.point, theta, *noise)

    return cj.System(
        init,
        step,
        noise=system.noise,
        loss=None if system.loss is None else of_point(system.loss),
        params=lambda x: system.params(x.point),
        metrics={name: of_point(read) for name, read in system.metrics.items()},
        theta=theta,
        attrs={**system.attrs, **attrs},
    )
