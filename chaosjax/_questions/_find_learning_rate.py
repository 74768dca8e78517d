"""A learning rate from short probing runs: where training stops being stable, and how fast it falls before that."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optax
import xarray as xr

from chaosjax import probes, stats
from chaosjax._checks import check_count
from chaosjax._problem import Problem
from chaosjax._questions._found_learning_rate import FoundLearningRate
from chaosjax._questions._probing import (
    LAST,
    TANGENT_ROUND,
    fall,
    final_loss,
    onset_of,
    predicted_time,
    rates_of,
    recommendation,
    steps_of,
    trains,
)
from chaosjax._questions._settings import jumps_of
from chaosjax._results import provenance_of
from chaosjax._sweep import sweep
from chaosjax._system import System
from chaosjax._training import training

SCORES = 32
"""Looks at the target in each run of the last rounds."""


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

    Five rounds of short runs from the start, side by side, from coarse to fine: whole decades; half decades from below
    the best of them to above; factors of 1.6; and twice two more rates beside, or beyond, the best so far. The best has
    the lowest

    .. math:: \ell(η) = \ln \Big\langle L_t(η) \Big\rangle_{0.8 n < t \le n}

    at the end of its n steps. L is the loss of each step's minibatch, which costs nothing extra; it is the same for all
    runs of a round. The runs of the second round carry a tangent vector, whose exponent tells the onset of chaos. The
    rounds and their shares of the budget were fixed on one half of a set of problems and judged on the other, see
    docs/learning_rate.md.

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
        seeds: initialisations per learning rate; each of the first three rounds has new ones.
        first_seed: the first of them.
        level: exponent that counts as chaos, nats per step.
        onset: whether to look for the onset of chaos.
        theta: values of further control parameters.
        options: further options of `sweep`, e.g. ``progress=False``.

    Raises:
        ValueError: a budget too small for the range, a system without a loss or with an optimizer beside it, an unknown
            metric, a loss below 0, or an objection of `sweep`.

    Cost: at most `budget`; looks at the target, 32 per run of the last three rounds, come on top.

    Source: successive halving after Jamieson, Talwalkar, AISTATS 2016; common minibatches instead of many samples. What
    is best over a short horizon is too low: Wu, Ren, Liao, Grosse, ICLR 2018, arXiv:1803.02021.
    """
    system = _system_of(problem_or_system, optimizer, batch_size)
    if target is not None and metric.endswith("accuracy") and not 0 < target <= 1:
        raise ValueError(f"target={target!r}: an accuracy is a part between 0 and 1, e.g. 0.9")
    if target is not None and metric not in system.metrics:
        raise ValueError(f"metric={metric!r} is none of the system's: {', '.join(system.metrics) or 'it has none'}")
    low, high = span
    if not 0 < low < high:
        raise ValueError(f"span={span!r} must be two learning rates, 0 < lowest < highest")
    seeds, fixed = check_count("seeds", seeds), {name: [value] for name, value in (theta or {}).items()}
    notes = ["not known: schedules, generalisation, other batch sizes; the rate is for a constant one"]
    jumping = onset and jumps_of(system, {**{name: v[0] for name, v in fixed.items()}, "learning_rate": low})
    if jumping:
        notes.append(f"no onset: the step jumps ({', '.join(jumping)}), and a tangent does not see that")
    tangent = onset and not jumping
    lengths = steps_of(check_count("budget", budget), span, seeds, tangent)
    rounds: list[xr.Dataset] = []
    levels: xr.DataArray | None = None
    for k, steps in enumerate(lengths):
        rates = rates_of(k, levels, span)
        if not len(rates):
            break
        instruments: dict[str, Any] = {"loss": probes.loss(minibatch=True)}
        if tangent and k == TANGENT_ROUND:
            instruments["growth"] = probes.lyapunov()
        if target is not None and k >= LAST:
            instruments["score"] = probes.every(max(1, steps // SCORES), probes.metric(metric))
        if k > LAST:  # the program of the round before serves again
            options.setdefault("cells_per_batch", provenance_of(rounds[-1])["identity"]["cells_per_batch"])
        own = np.arange(seeds) + first_seed + min(k, LAST) * seeds
        axes = {**fixed, "learning_rate": rates, "seed": own}
        records = sweep(system, instruments, axes, steps=steps, noise_seed=int(own[0]), **options).load()
        rounds.append(records.squeeze(list(fixed), drop=True))
        if bool((rounds[-1]["loss"] < 0).any()):
            raise ValueError("the loss is negative; the search compares ln L, so add a constant to the loss")
        levels = final_loss(xr.concat([r["loss"] for r in rounds[LAST:] or rounds[-1:]], "learning_rate"))
        levels = levels.sortby("learning_rate")
        if not np.isfinite(levels).any():
            break
    return _answer(rounds, budget, level, None if target is None else (metric, float(target)), notes)


def _system_of(
    given: Problem | System, optimizer: Callable[..., optax.GradientTransformation], batch_size: int | None
) -> System:
    if isinstance(given, Problem):
        return training(given, optimizer, batch_size=batch_size)
    if optimizer is not optax.sgd or batch_size is not None:
        raise ValueError("optimizer and batch_size belong to a problem; this system has its own, so leave them out")
    return given


def _answer(
    rounds: list[xr.Dataset], budget: int, level: float, target: tuple[str, float] | None, notes: list[str]
) -> FoundLearningRate:
    known = [provenance_of(records)["cost"] for records in rounds]
    judged = {name: xr.concat([r[name] for r in rounds[LAST:]], "learning_rate") for name in _common(rounds[LAST:])}
    levels = final_loss(judged["loss"]).sortby("learning_rate") if judged else final_loss(rounds[-1]["loss"])
    best = float(levels["learning_rate"][int(levels.argmin("learning_rate"))]) if np.isfinite(levels).any() else np.nan
    tried = xr.concat([trains(records["loss"]) for records in rounds], "learning_rate")
    rates, good = tried["learning_rate"].values, tried.values
    unstable = min(rates[~good & (rates > best)], default=np.nan)
    stable = max(rates[good & ~(rates >= unstable)], default=np.nan)
    recommended = time = nothing = stats.interval(np.nan, np.nan, np.nan)
    if np.isfinite(best) and judged:
        recommended = recommendation(levels, fall(judged["loss"].sel(learning_rate=best)), unstable)
        if target is not None:
            scores = judged["score"].sel(learning_rate=best)
            time = stats.interval(*predicted_time(scores, target[1], "loss" in target[0]))
    return FoundLearningRate(
        learning_rate=recommended.assign_attrs(long_name="learning rate"),
        training_time=time.assign_attrs(long_name="expected training time", units="steps"),
        onset=onset_of(rounds[TANGENT_ROUND], level, notes) if len(rounds) > TANGENT_ROUND else nothing,
        stable=float(stable),
        unstable=float(unstable),
        cost=sum(each["steps"] + each["tangents"] for each in known),
        budget=budget,
        level=level,
        target=target,
        notes=tuple(notes),
        rounds=tuple(rounds),
    )


def _common(rounds: list[xr.Dataset]) -> list[str]:
    return [name for name in ("loss", "score") if rounds and name in rounds[0]]
