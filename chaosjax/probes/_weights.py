"""The weights themselves, one by one."""

import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from chaosjax._probe import Probe, reading
from chaosjax._system import phase
from chaosjax._transition import Transition
from chaosjax.probes._perturbation import Where, check_where, chosen, describe_where


def weights(where: str | Where = "params") -> Probe:
    """The parameters w(t), raveled: ``[weight]``. What single weights do, such as those that switch on and off.

    A record holds as many numbers as the network: mind ``stride``, or take it with `every`.

    Args:
        where: "params": ``System.params``, in the order of `travel` and `ablation`. Or a choice among the coordinates
            of x, in their order, by the words of `ensemble`: "kernels", "all" (optimizer state too), or a predicate of
            a leaf's path. An axis of another length than theirs needs another name: ``._replace(dims=("kernel",))``.

    Raises:
        ValueError: for a `where` that is not known and, when run, for one that matches nothing.

    Source: Danovski, Soriano, Lacasa, Front. Complex Syst. 2:1367957 (2024), figures 9–12.
    """
    check_where(where)

    def read(transition: Transition) -> Float[Array, " weights"]:
        if isinstance(where, str) and where == "params":
            return ravel_pytree(transition.params)[0]
        indices = jnp.asarray(np.flatnonzero(chosen(transition.x, where)))
        return phase(transition.x)[0][indices]

    return reading(read, ("weight",), long_name="weight", units="1", where=describe_where(where))
