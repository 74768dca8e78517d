"""The trials beside a problem's grid: what each rule picks, and the training with it."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

import chaosjax as cj
from experiments.learning_rate import range_test
from experiments.learning_rate.follower import follow_the_edge
from experiments.learning_rate.rivals import DEFAULTS, cdat, tuning_free

FINDER = "find_learning_rate"


def sweeps(
    dataset: xr.Dataset,
    beside: Any,
    problem: cj.Problem,
    optimizer: Callable[..., Any],
    batch_size: int | None,
    probes: Mapping[str, cj.Probe],
    budget_share: float,
    least_budget: int,
    target: Mapping[str, Any],
) -> None:
    """Train with every rival, and in each study with the learning rate of every rule; each into a store of its own.

    Args:
        dataset: the grid's records.
        beside: ``(name, system, probes, axes, **options) -> records``, a sweep into a store beside the grid's.
        budget_share: of the grid's gradient evaluations in one study, for the search.
        least_budget: for toy sizes, gradient evaluations.
    """
    steps, studies = int(dataset["time"][-1]), dataset["seed"].values
    made = partial(cj.training, problem, batch_size=batch_size)
    system, of_studies = made(optimizer), {"seed": studies}
    for name, factory in {**tuning_free(optimizer), "cdat": cdat(optimizer)}.items():
        beside(name, made(factory), probes, of_studies, steps=steps)
    follower = cj.probes.reading(lambda transition: jnp.exp(transition.x.log_rate), long_name="learning rate")
    beside("edge_follower", follow_the_edge(system), {**probes, "rate": follower}, of_studies, steps=steps)
    loss = {"loss": cj.probes.loss(minibatch=True)}
    axes = {"test": range(len(range_test.TESTS)), **of_studies}
    tested = beside("range_test", made(range_test.rising(optimizer)), loss, axes, steps=range_test.STEPS)
    sharp = {"sharpness": cj.probes.every(2, cj.probes.sharpness())}
    known = beside("sharpness", system, sharp, {"learning_rate": [1e-6], **of_studies}, steps=1)
    budget = max(least_budget, int(budget_share * dataset.sizes["learning_rate"] * steps))
    default = DEFAULTS[getattr(optimizer, "func", optimizer).__name__]
    for study in map(int, studies):
        if _finished(beside.args[0] / f"study_{study}.zarr"):
            continue
        losses = {name: tested["loss"].sel(seed=study).isel(test=k).values for k, name in enumerate(range_test.TESTS)}
        sharpness = float(known["sharpness"].sel(seed=study).isel(time=0, eigenvalue=0, learning_rate=0))
        found = cj.find_learning_rate(
            system,
            budget=budget,
            target=target["value"],
            metric=target["metric"],
            first_seed=1000 + 100 * study,
            progress=False,
        )
        picked = {
            FINDER: float(found.learning_rate[0]),
            **range_test.suggestions(losses),
            "1/sharpness": 1 / sharpness,
            "2/sharpness": 2 / sharpness,
            "default": default,
        }
        usable = {name: eta for name, eta in picked.items() if np.isfinite(eta) and eta > 0}
        said = {
            "picked": usable,
            "cost": found.cost,
            "budget": budget,
            "interval": [float(end) for end in found.learning_rate[1:]],
            "expected": [float(end) for end in found.training_time],
            "onset": [float(end) for end in found.onset],
            "sentence": found.sentence,
        }
        rates = np.unique(np.array(list(usable.values()), np.float32)).astype(float)
        axes = {"learning_rate": rates, "seed": [study]}
        beside(f"study_{study}", system, probes, axes, steps=steps, config=said)


def _finished(store: Path) -> bool:
    return store.exists() and "finished" in cj.open_sweep(store).attrs
