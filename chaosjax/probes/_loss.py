"""The loss along the trajectory."""

from chaosjax._probe import Cost, Probe, reading


def loss(minibatch: bool = False) -> Probe:
    """The loss L(x[t]) over the full data, or over the minibatch of step t.

    Under full-batch training it shares its forward pass with the step.

    Raises:
        ValueError: when run on a system without a loss.
    """
    if minibatch:
        return reading(lambda transition: transition.batch_loss, long_name="minibatch loss", units="nats")
    return reading(lambda transition: transition.loss, cost=Cost(losses=1), long_name="loss", units="nats")
