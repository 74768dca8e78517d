"""Tests run in float64 on four simulated CPU devices, so that device invariance is tested on any machine.

The shapes and types in the annotations of the core are enforced while they run.
"""

import importlib

import jax
import jaxtyping
import pytest

CHECKED = (
    "evolve linalg minibatch models plan precision probe probes problem program store system training transition"
).split()

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
jaxtyping.install_import_hook([f"chaosjax.{module}" for module in CHECKED], "beartype.beartype")


def pytest_configure(config):
    # beartype's view of flax's own annotations, which are not ours to change
    config.addinivalue_line("filterwarnings", "ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning")


class Interrupted(Exception):
    """What a test throws into a running sweep in place of a kill."""


@pytest.fixture
def interrupt(monkeypatch):
    """Makes the next sweeps stop with `Interrupted` once chunk number `after` is written, its checkpoint not."""

    def arm(after: int) -> None:
        store = importlib.import_module("chaosjax.store").Store
        save, seen = store.save, []

        def stop(self, checkpoint):
            seen.append(checkpoint.index)
            if len(seen) == after:
                monkeypatch.setattr(store, "save", save)
                raise Interrupted
            save(self, checkpoint)

        monkeypatch.setattr(store, "save", stop)

    return arm
