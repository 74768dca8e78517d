"""Configurations drawn at random: a sweep either says in a line or two what is wrong, or returns what it promises.

`python tests/test_fuzz.py 2000` draws so many.
"""

import sys

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chaosjax as cj


class Averaged(nnx.Module):
    """A model with state: running averages."""

    def __init__(self, in_shape, out_features, rngs):
        self.norm = nnx.BatchNorm(*in_shape, rngs=rngs)
        self.head = nnx.Linear(*in_shape, out_features, rngs=rngs)

    def __call__(self, inputs):
        return self.head(self.norm(inputs))


def maps(dtype):
    def init(key, theta):
        return {"x": jnp.full(2, 0.3, dtype), "n": jnp.int32(0)}

    def step(x, theta, noise):
        return {"x": (theta["r"] * x["x"] * (1 - x["x"])).astype(dtype), "n": x["n"] + 1}

    return cj.System(init, step, theta={"r": 3.7})


SYSTEMS = {
    "float64": lambda: maps(jnp.float64),
    "float32": lambda: maps(jnp.float32),
    "float16": lambda: maps(jnp.float16),
    "sgd": lambda: cj.training(cases.problem(), optax.sgd),
    "parted": lambda: cj.training(cases.problem(microbatch=3), optax.sgd),
    "adam": lambda: cj.training(cases.problem(), optax.adam, batch_size=3),
    "stateful": lambda: cj.training(cj.supervised(Averaged, cases.dataset()), optax.sgd),
}
MADE = {}

PROBES = {
    "growth": cj.probes.lyapunov,
    "distance": lambda: cj.probes.ensemble(copies=2, radius=1e-3),
    "loss": cj.probes.loss,
    "whole": lambda: cj.probes.reading(lambda transition: cj.phase(transition.x)[0], dims=("coordinate",)),
    "half": lambda: cj.probes.reading(lambda transition: cj.phase(transition.x)[0][0].astype(jnp.float16)),
    "count": lambda: cj.probes.reading(lambda transition: transition.t),
    "rare": lambda: cj.probes.every(4, cj.probes.reading(lambda transition: cj.phase(transition.x)[0].sum())),
    "late": lambda: cj.probes.delayed(3, cj.probes.lyapunov()),
}

values = st.sampled_from([0.1, 0.5, 3.7, 1e3, 1e-300, 1e39, 0.0, -1.0, float("nan"), "a", None])
axes = st.dictionaries(
    st.sampled_from(["r", "learning_rate", "seed", "radius", "momentum", "time", ""]),
    st.lists(values, max_size=2) | st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=2, unique=True),
    max_size=2,
)
likely = st.dictionaries(st.sampled_from(["seed", "own"]), st.just([0, 1]), max_size=2)
counts = st.integers(1, 8) | st.sampled_from([0, -1, 2**31, 2.0, None])
options = st.fixed_dictionaries(
    {"steps": st.sampled_from([1, 4, 6, 8]) | counts, "stride": st.sampled_from([1, 1, 2]) | counts},
    optional={
        "chunk": st.integers(1, 9) | counts,
        "cells_per_batch": st.integers(1, 4) | counts,
        "threads": st.integers(1, 3),
        "noise": st.sampled_from(["common", "independent", "none"]),
        "until": st.sampled_from([None, lambda records: records.sizes["time"] > 2, lambda records: None]),
    },
)


def try_one(name, probes, axes, options):
    """One sweep; whatever it returns has the shape it promises, no silent NaN, and the same bits in one chunk."""
    system = MADE.setdefault(name, SYSTEMS[name]())
    own = "r" if "r" in (system.theta or {}) else "learning_rate"
    axes = {own if key == "own" else key: value if key != "own" else [0.1, 0.2] for key, value in axes.items()}
    instruments = {probe: PROBES[probe]() for probe in probes}
    try:
        found = cj.sweep(system, instruments, axes, progress=False, **options)
    except (ValueError, TypeError) as error:
        told = str(error)
        clear = 1 <= len(told.splitlines()) <= 2 and len(told) < 500 and "Tracer" not in told
        if not clear:
            raise
        return "refused"
    records = options["steps"] // options["stride"] + 1
    assert found.sizes["time"] == records or "until" in options or float(found.diverged_at.max()) >= 0
    for axis, given_values in axes.items():
        assert found.sizes[axis] == len(given_values)
    for probe in probes:
        if probe in found:
            assert found[probe].dims[: len(axes) + 1] == (*axes, "time")
    alive = found.alive.values.astype(bool)
    if "whole" in found:
        finite = np.isfinite(found.whole.values).all(axis=-1)
        recorded = np.cumsum(~alive, axis=-1) <= 1  # up to a cell's death
        assert (finite | ~alive)[recorded].all()
    return "ran"


cases_of = {
    "name": st.sampled_from(sorted(SYSTEMS)),
    "probes": st.lists(st.sampled_from(sorted(PROBES)), max_size=2, unique=True),
}


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(**cases_of, axes=axes | likely, options=options)
def test_a_drawn_configuration_runs_or_is_refused_in_words(name, probes, axes, options):
    try_one(name, probes, axes, options)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    outcomes = {}

    @settings(max_examples=int(sys.argv[1]), deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(**cases_of, axes=axes | likely, options=options)
    def draw(name, probes, axes, options):
        outcome = try_one(name, probes, axes, options)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1

    draw()
    print(outcomes)
