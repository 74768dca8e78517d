"""The learning-rate range test as fastai, torch-lr-finder and Lightning do it: one run with a rising learning rate.

Source: Smith, WACV 2017, arXiv:1506.01186; fastai 2 (callback/schedule.py: `LRFinder`, `valley`, `steep`);
torch-lr-finder 0.2 (`LRFinder.range_test`, `plot`); Lightning 2 (tuner/lr_finder.py: `_lr_find`,
`_LRFinder.suggestion`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

STEPS = 100
"""Of a test, the default of all three."""


class Test(NamedTuple):
    """How a program runs the test and reads it.

    Attributes:
        low, high: learning rates at the two ends.
        progress: of step t from 0 to 1.
        smooth: the losses as the program smooths them.
        stop: the test ends at the first smoothed loss above so many times the best.
        skip: losses that are not looked at, at the start and at the end.
    """

    low: float
    high: float
    progress: Callable[[Any], Any]
    smooth: Callable[[Float[np.ndarray, " t"]], Float[np.ndarray, " t"]]
    stop: float
    skip: tuple[int, int]


def debiased(loss: Float[np.ndarray, " t"], late: int = 0) -> Float[np.ndarray, " t"]:
    """Exponential mean of memory 0.98 that starts at 0, divided by 1 − 0.98ⁿ; `late` is added to the count n."""
    mean, smoothed = 0.0, []
    for count, value in enumerate(loss, 1):
        mean = 0.98 * mean + 0.02 * value
        smoothed.append(mean / (1 - 0.98 ** (count + late)))
    return np.array(smoothed)


def from_the_first(loss: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    """Exponential mean that starts at the first loss, with the weight 0.05 of a new one."""
    smoothed = [loss[0]]
    for value in loss[1:]:
        smoothed.append(0.05 * value + 0.95 * smoothed[-1])
    return np.array(smoothed)


TESTS = {
    "fastai": Test(1e-7, 10.0, lambda t: t / STEPS, debiased, 4.0, (STEPS // 10, 5)),
    "torch-lr-finder": Test(1e-7, 10.0, lambda t: t / (STEPS - 1), from_the_first, 5.0, (10, 5)),
    "Lightning": Test(
        1e-8,
        1.0,
        lambda t: jnp.where(t > 0, (t + 1) / STEPS, 0.0),
        lambda loss: debiased(loss, late=1),
        4.0,
        (10, 1),
    ),
}


def rates_of(test: Test) -> Float[np.ndarray, " t"]:
    """The learning rate of each step."""
    return test.low * (test.high / test.low) ** np.asarray(test.progress(np.arange(STEPS)))


def rising(optimizer: Callable[..., Any]) -> Callable[..., Any]:
    """A factory whose learning rate rises as in the test of number `test` in `TESTS`."""
    table = np.array([rates_of(test) for test in TESTS.values()])

    def factory(test: Any) -> Any:
        rates = jnp.asarray(table)[jnp.asarray(test).astype(int)]
        return optimizer(learning_rate=lambda count: rates[jnp.minimum(count, STEPS - 1)])

    return factory


def seen(test: Test, loss: Float[np.ndarray, " t"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Learning rates and smoothed losses that a program looks at, of the losses of a whole test."""
    smoothed, best = test.smooth(loss[:STEPS]), np.inf
    end = len(smoothed)
    for place, value in enumerate(smoothed):
        if place and not value <= test.stop * best:
            end = place + 1
            break
        best = min(best, value)
    shown = slice(test.skip[0], end - test.skip[1])
    rates, losses = rates_of(test)[shown], smoothed[shown]
    finite = np.isfinite(losses)
    first = len(losses) if finite.all() else int(finite.argmin())
    return rates[:first], losses[:first]


def valley(rates: Float[np.ndarray, " n"], losses: Float[np.ndarray, " n"]) -> float:
    """fastai's default: the middle of the longest valley, half of its three parts into it."""
    if not len(losses):
        return np.nan
    lengths = np.ones(len(losses), int)
    start = end = 0
    for i in range(1, len(losses)):
        for j in range(i):
            if losses[i] < losses[j] and lengths[i] < lengths[j] + 1:
                lengths[i] = lengths[j] + 1
            if lengths[end] < lengths[i]:
                end, start = i, i - lengths[i]
    part = (end - start) / 3
    return float(rates[start + int(part) + int(part / 2)])


def steep(rates: Float[np.ndarray, " n"], losses: Float[np.ndarray, " n"]) -> float:
    """fastai's `steep`: where d loss / d ln η is lowest, by forward differences."""
    slopes = np.diff(losses) / np.diff(np.log(rates))
    return float(rates[slopes.argmin()]) if len(slopes) else np.nan


def steepest_step(rates: Float[np.ndarray, " n"], losses: Float[np.ndarray, " n"]) -> float:
    """torch-lr-finder's suggestion: where the loss falls most per step, by central differences."""
    return float(rates[np.gradient(losses).argmin()]) if len(losses) > 1 else np.nan


def steepest_rate(rates: Float[np.ndarray, " n"], losses: Float[np.ndarray, " n"]) -> float:
    """Lightning's suggestion: where d loss / dη is lowest."""
    return float(rates[np.gradient(losses, rates).argmin()]) if len(losses) > 1 else np.nan


SUGGESTIONS = {
    "fastai valley": ("fastai", valley),
    "fastai steep": ("fastai", steep),
    "torch-lr-finder": ("torch-lr-finder", steepest_step),
    "Lightning": ("Lightning", steepest_rate),
}


def suggestions(losses: dict[str, Float[np.ndarray, " t"]]) -> dict[str, float]:
    """The learning rate of each suggestion, of the losses of each test; NaN where it has none."""
    return {name: rule(*seen(TESTS[test], losses[test])) for name, (test, rule) in SUGGESTIONS.items()}
