"""Any scalar of the state: accuracies by name, or a function of the parameters."""

from collections.abc import Callable

from jaxtyping import Array, PyTree

from chaosjax._probe import Probe, reading
from chaosjax._transition import Transition


def metric(name: str | Callable[[PyTree], Array], dims: tuple[str, ...] = ()) -> Probe:
    """A metric of the system by name ("train_accuracy", "test_accuracy", …), or ``function(params)``.

    Args:
        name: a key of ``System.metrics``, or a function of the parameters that returns an array.
        dims: names of the axes of what the function returns.

    Raises:
        ValueError: when run on a system that has no metric of that name.
    """
    if callable(name):
        return reading(lambda transition: name(transition.params), dims, long_name=getattr(name, "__name__", "metric"))

    def read(transition: Transition) -> Array:
        metrics = transition.system.metrics
        if name not in metrics:
            known = ", ".join(metrics) or "none"
            task = "; for targets that are no classes: task=regression" if "test_r2" in metrics else ""
            raise ValueError(f"the system has no metric '{name}'; it has: {known}{task}")
        return metrics[name](transition.x, transition.theta)

    return reading(read, dims, long_name=name.replace("_", " "), units="1", metric=name)
