"""A learning rate from short probing runs: where training stops being stable, and how fast it falls before that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import plotting, probes, stats
from chaosjax._checks import check_count
from chaosjax._jumps import jumps
from chaosjax._problem import Problem
from chaosjax._questions._probing import (
    ROUNDS,
    TANGENT_ROUND,
    crossing_of,
    fall,
    final_loss,
    predicted_time,
    rates_of,
    steps_of,
    trains,
)
from chaosjax._results import provenance_of
from chaosjax._sweep import sweep
from chaosjax._system import System, phase
from chaosjax._training import training

SLACK = 0.1
"""The interval holds the learning rates that take at most so much longer than the recommended one."""

SCORES = 32
"""Looks at the target in each run of the last round."""


@dataclass(frozen=True, eq=False, repr=False)
class FoundLearningRate:
    """What `find_learning_rate` found; it prints as a sentence and a few lines, and draws itself by `plot`.

    Attributes:
        learning_rate: ``[bound]``, the recommended one; its interval holds those which the probing runs expect to take
            at most 10 % longer, and is no wider than the rates probed last. NaN where nothing trained.
        training_time: ``[bound]``, steps to the target, extrapolated where the probing runs ended before it; NaN
            without a target, or where it is too far away to tell (`low` is then the length of the probing runs).
        onset: ``[bound]``, η_c: where the tangent's exponent first rises through `level`, between neighbouring rates.
            NaN: no edge found, for the reason in `notes`.
        stable: the largest learning rate that trained in every round that tried it.
        unstable: the smallest above it that diverged or ended above the loss it began with; NaN: none.
        cost: gradient evaluations: steps and tangent products.
        budget: what they were allowed to be.
        level: exponent that counts as chaos, nats per step.
        target: metric and value, or None.
        notes: what could not be known.
        rounds: the records of each round.
    """

    learning_rate: xr.DataArray
    training_time: xr.DataArray
    onset: xr.DataArray
    stable: float
    unstable: float
    cost: int
    budget: int
    level: float
    target: tuple[str, float] | None
    notes: tuple[str, ...]
    rounds: tuple[xr.Dataset, ...]

    @property
    def sentence(self) -> str:
        """The answer in plain words."""
        rate, low, high = map(float, stats.bounds(self.learning_rate))
        if np.isnan(rate):
            return "No learning rate of the range trained: the loss rose, or stayed, wherever it was tried."
        said = f"Take {rate:.3g}; from {low:.3g} to {high:.3g} training should take at most {SLACK:.0%} longer."
        steps, least, most = map(float, stats.bounds(self.training_time))
        if self.target is not None:
            goal = f"{self.target[0].replace('_', ' ')} {self.target[1]:g}"
            known = f"in about {steps:.0f} steps ({least:.0f} to {most:.0f})"
            said += f" It should reach {goal} {known if np.isfinite(steps) else f'in more than {least:.0f} steps'}."
        onset = float(stats.bounds(self.onset)[0])
        edges = [f"turns chaotic at {onset:.3g}"] if np.isfinite(onset) else []
        edges += [f"no longer trains at {self.unstable:.3g}"] if np.isfinite(self.unstable) else []
        return said + (f" Training {' and '.join(edges)}." if edges else " No edge found.")

    def plot(self, title: str = "") -> Figure:
        """Draw the loss at the end of every probing run over η, and the curves of the last round."""
        return plotting.learning_rate(self, title)

    def __repr__(self) -> str:
        rounds = "; ".join(f"{r.sizes['learning_rate']} × {float(r['time'][-1]):.0f} steps" for r in self.rounds)
        onset = "no edge found" if self.onset.isnull()[0] else stats.format_interval(self.onset)
        unstable = "not reached" if np.isnan(self.unstable) else f"{self.unstable:.3g}"
        lines = [
            self.sentence,
            f"  onset η_c, exponent above {self.level:g} nats/step: {onset}",
            f"  trains up to {self.stable:.3g}; unstable from: {unstable}",
            f"  cost: {self.cost:,} of {self.budget:,} gradient evaluations ({rounds})",
            *(f"  {note}" for note in self.notes),
        ]
        return "\n".join(lines)


def find_learning_rate(
    problem_or_system: Problem | System,
    optimizer: Callable[..., optax.GradientTransformation] = optax.sgd,
    *,
    budget: int = 1000,
    batch_size: int | None = None,
    target: float | None = None,
    metric: str = "test_accuracy",
    span: tuple[float, float] = (1e-5, 100.0),
    seeds: int = 1,
    first_seed: int = 0,
    level: float = 0.05,
    onset: bool = True,
    theta: Mapping[str, float] | None = None,
    **options: Any,
) -> FoundLearningRate:
    r"""Find a constant learning rate for any optimizer in a budget of gradient evaluations.

    Four rounds of short runs from the start, side by side, coarse to fine: the whole range, then neighbours of the best
    of the round before, fewer and longer each time. The best is that of the lowest

    .. math:: \ln \Big\langle L_t(η) \Big\rangle_{2n/3 < t \le n}

    at the end of its n steps, with the loss of each step's minibatch, which costs nothing extra; all runs of a round see
    the same minibatches. The runs of the second round carry a tangent vector, whose exponent tells the onset of chaos.

    Args:
        problem_or_system: a problem, trained by `optimizer`; or a system with the control parameter ``learning_rate``
            and a loss.
        optimizer: as in `training`, a factory with the argument ``learning_rate``; `batch_size` too. Both belong to a
            problem.
        budget: gradient evaluations of a step's batch that the search may cost, tangent products included; about
            twice the steps of the training that is planned serve well.
        target: value of `metric` that ends the training, for the expected training time.
        metric: of the system; one with "loss" in its name is to fall to the target, others are to rise to it.
        span: lowest and highest learning rate looked at.
        seeds: initialisations per learning rate; each round has new ones.
        first_seed: the first of them.
        level: exponent that counts as chaos, nats per step.
        onset: whether to look for the onset of chaos.
        theta: values of further control parameters.
        options: further options of `sweep`, e.g. ``progress=False``.

    Raises:
        ValueError: a budget too small for the range, a system without a loss or with an optimizer beside it, an unknown
            metric, or an objection of `sweep`.

    Cost: at most `budget`; looks at the target, 32 per run of the last round, come on top.

    Source: successive halving after Jamieson, Talwalkar, AISTATS 2016; common minibatches instead of many samples.
    """
    system = _system_of(problem_or_system, optimizer, batch_size)
    if target is not None and metric not in system.metrics:
        raise ValueError(f"metric={metric!r} is none of the system's: {', '.join(system.metrics) or 'it has none'}")
    low, high = span
    if not 0 < low < high:
        raise ValueError(f"span={span!r} must be two learning rates, 0 < lowest < highest")
    seeds, fixed = check_count("seeds", seeds), {name: [value] for name, value in (theta or {}).items()}
    notes = ["not known: schedules, generalisation, other batch sizes; the rate is for a constant one"]
    jumping = onset and _jumps(system, {**{name: v[0] for name, v in fixed.items()}, "learning_rate": low})
    if jumping:
        notes.append(f"no onset: the step jumps ({', '.join(jumping)}), and a tangent does not see that")
    tangent = onset and not jumping
    lengths = steps_of(check_count("budget", budget), span, seeds, tangent)
    rounds, centre = [], np.nan
    for k, (each, steps) in enumerate(zip(ROUNDS, lengths, strict=True)):
        instruments: dict[str, Any] = {"loss": probes.loss(minibatch=True)}
        if tangent and k == TANGENT_ROUND:
            instruments["growth"] = probes.lyapunov()
        if target is not None and k == len(ROUNDS) - 1:
            instruments["score"] = probes.every(max(1, steps // SCORES), probes.metric(metric))
        own = np.arange(seeds) + first_seed + k * seeds
        axes = {**fixed, "learning_rate": rates_of(each, centre, span), "seed": own}
        records = sweep(system, instruments, axes, steps=steps, noise_seed=int(own[0]), **options).load()
        rounds.append(records.squeeze(list(fixed), drop=True))
        levels = final_loss(rounds[-1]["loss"]).where(trains(rounds[-1]["loss"]), np.inf)
        if not np.isfinite(levels).any():
            break
        centre = float(levels["learning_rate"][int(levels.argmin("learning_rate"))])
    return _answer(rounds, centre, budget, level, None if target is None else (metric, float(target)), notes)


def _system_of(
    given: Problem | System, optimizer: Callable[..., optax.GradientTransformation], batch_size: int | None
) -> System:
    if isinstance(given, Problem):
        return training(given, optimizer, batch_size=batch_size)
    if optimizer is not optax.sgd or batch_size is not None:
        raise ValueError("optimizer and batch_size belong to a problem; this system has its own, so leave them out")
    return given


def _jumps(system: System, theta: Mapping[str, float]) -> tuple[str, ...]:
    key = jax.random.key(0)
    every = {**{name: value for name, value in (system.theta or {}).items() if value is not None}, **theta}
    x, noise = system.init(key, every), system.noise(key, jnp.int32(0))
    u, chart = phase(x)
    return jumps(lambda u: phase(system.step(chart(u), every, noise))[0], u)


def _answer(
    rounds: list[xr.Dataset],
    centre: float,
    budget: int,
    level: float,
    target: tuple[str, float] | None,
    notes: list[str],
) -> FoundLearningRate:
    known = [provenance_of(records)["cost"] for records in rounds]
    learning = xr.concat([trains(records["loss"]) for records in rounds], "learning_rate")
    tried = learning["learning_rate"].values
    broken = tried[~learning.values]
    broken = broken[broken > centre] if np.isfinite(centre) else broken[:0]
    unstable = float(broken.min()) if len(broken) else np.nan
    good = tried[learning.values & ~(tried >= unstable)]
    edge = _onset(rounds, level, notes)
    time = stats.interval(np.nan, np.nan, np.nan)
    if target is not None and "score" in rounds[-1]:
        scores = rounds[-1]["score"].sel(learning_rate=centre)
        time = stats.interval(*predicted_time(scores, target[1], "loss" in target[0]))
    return FoundLearningRate(
        learning_rate=_recommended(rounds[-1]["loss"], centre).assign_attrs(long_name="learning rate"),
        training_time=time.assign_attrs(units="steps"),
        onset=edge,
        stable=float(good.max()) if len(good) else np.nan,
        unstable=unstable,
        cost=sum(each["steps"] + each["tangents"] for each in known),
        budget=budget,
        level=level,
        target=target,
        notes=tuple(notes),
        rounds=tuple(rounds),
    )


def _recommended(loss: xr.DataArray, centre: float) -> xr.DataArray:
    """The best rate, and the neighbours that take at most `SLACK` longer by the slope of the loss in time."""
    if np.isnan(centre):
        return stats.interval(np.nan, np.nan, np.nan)
    levels, rates = final_loss(loss).values, loss["learning_rate"].values
    longer = np.exp((levels - levels.min()) / fall(loss.sel(learning_rate=centre))) - 1
    at, ratio = int(levels.argmin()), float(rates[1] / rates[0]) ** 0.5
    low = high = at
    while low > 0 and longer[low - 1] <= SLACK:
        low -= 1
    while high < len(rates) - 1 and longer[high + 1] <= SLACK:
        high += 1
    return stats.interval(centre, rates[low] / ratio, rates[high] * ratio)


def _onset(rounds: list[xr.Dataset], level: float, notes: list[str]) -> xr.DataArray:
    if len(rounds) <= TANGENT_ROUND or "growth" not in rounds[TANGENT_ROUND]:
        return stats.interval(np.nan, np.nan, np.nan)
    growth = stats.first_exponent(rounds[TANGENT_ROUND]["growth"])
    steps = int(growth["time"][-1])
    exponents = stats.finite_time_exponents(growth, start=steps // 4).mean("seed", skipna=False)
    estimate, low, high = crossing_of(growth["learning_rate"].values, exponents.values, level)
    notes.append(f"exponents are those of steps {steps // 4} to {steps}: chaos that begins later is not seen")
    if np.isnan(estimate):
        most = float(growth["learning_rate"].max())
        gone = "; the tangent is NaN there" if bool(exponents.isnull().any()) else ""
        notes.append(f"no onset: no exponent above {level:g} nats/step up to {most:.3g}{gone}")
    return stats.interval(estimate, low, high, long_name="onset of chaos")
