"""What each weight is worth: the loss without it."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from chaosjax._checks import check_count
from chaosjax._probe import Cost, Probe, reading
from chaosjax._system import phase
from chaosjax._transition import Transition


def ablation(side_by_side: int = 16) -> Probe:
    """The loss change when one parameter alone is set to 0: ``L(w with w_i = 0) − L(w)``, full data, ``[weight]``.

    Exactly 0 for a parameter that is 0. L is the system's loss, with its L2 term. Cost: one loss per parameter and
    record: take it with `every`.

    Args:
        side_by_side: losses computed in one batched call; memory grows with it.

    Raises:
        ValueError: for side_by_side below 1; when run on a system without a loss.

    Source: Danovski, Soriano, Lacasa, Front. Complex Syst. 2:1367957 (2024), figure 5.
    """
    side_by_side = check_count("side_by_side", side_by_side)

    def read(transition: Transition) -> Float[Array, " weights"]:
        w = transition.project(phase(transition.x)[0])
        batch = min(side_by_side, w.size + 1)
        # whole batches, the last loss that of w itself: all of one program, so that they differ by the weight alone
        count = -(-(w.size + 1) // batch) * batch

        def without(i: Int[Array, ""]) -> Float[Array, ""]:
            return transition.loss_of(w.at[i].set(0.0, mode="drop"))

        losses = lax.map(without, jnp.arange(count), batch_size=batch)
        return losses[: w.size] - losses[-1]

    return reading(
        read, ("weight",), Cost(losses_per_weight=1), long_name="loss change without the weight", units="nats"
    )
