"""Tests run in float64 on two simulated CPU devices, so that device invariance is tested on any machine.

The shapes and types in the annotations of the core are enforced while they run. What is compiled is kept for the whole
test run, in a folder that all of its processes share and that nobody else reads.
"""

import atexit
import importlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import jax
import jaxtyping
import pytest
from long_tests import is_exhaustive, is_long, rank

CHECKED = (
    "_cell _eigenpairs _engine _execution _fit _jumps _krylov _linalg _members _minibatch _optimizer _overlaps _parity "
    "_precision _preconditioner _probe _problem _questions _rayleigh_ritz _response _results _run _shares "
    "_spectral_parts _system _thresholds _training _transition curvature models probes series systems tangent"
).split()

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")

if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["CHAOSJAX_CACHE"] = tempfile.mkdtemp(prefix="chaosjax-tests-")
    atexit.register(shutil.rmtree, os.environ["CHAOSJAX_CACHE"], ignore_errors=True)

jaxtyping.install_import_hook([f"chaosjax.{module}" for module in CHECKED], "beartype.beartype")

from chaosjax._engine import use_disk_cache  # noqa: E402 (behind the hook)

use_disk_cache()


QUICKLY_COMPILED = (
    "test_alignment test_curvature test_edge_of_chaos test_ensembles test_find_learning_rate test_growth_split "
    "test_interventions test_jumps test_landscape test_late_frames test_linalg test_models test_optimizers test_probes "
    "test_microbatches test_sample_devices test_studies test_thresholds test_training"
).split()


@pytest.fixture(autouse=True, scope="module")
def compile_quickly(request):
    """Leaves out most of the compiler's passes where values are held against direct computations; never where bits are
    compared, or long orbits followed."""
    jax.config.update("jax_disable_most_optimizations", request.module.__name__ in QUICKLY_COMPILED)


def pytest_addoption(parser):
    parser.addoption("--every-probe", action="store_true", help="conformance of every probe on every system: minutes")
    parser.addoption("--exhaustive", action="store_true", help="also the tests that repeat others on more cases")
    parser.addoption("--accelerator", action="store_true", help="conformance on the accelerator that JAX finds, only")


def pytest_configure(config):
    on_accelerator = config.getoption("--accelerator")
    if not on_accelerator:  # elsewhere a test means the same on every machine
        os.environ["JAX_PLATFORMS"] = "cpu"
        jax.config.update("jax_platforms", "cpu")
    elif jax.default_backend() == "cpu":
        raise pytest.UsageError("--accelerator: JAX finds none here, only a CPU; install jax[cuda13] or jax[tpu]")
    # beartype's view of flax's own annotations, which are not ours to change
    config.addinivalue_line("filterwarnings", "ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--accelerator"):
        wanted = [item for item in items if item.path.stem == "test_conformance" or "accelerator" in item.keywords]
        config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
        items[:] = wanted
    if not config.getoption("--exhaustive"):
        left = [item for item in items if is_exhaustive(item.nodeid.removeprefix("tests/"))]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
    items.sort(key=lambda item: rank(item.path.stem))
    for item in items:
        if is_long(item.nodeid.removeprefix("tests/")):
            item.add_marker(pytest.mark.long)
        if "tfds_dir" in item.fixturenames:
            item.add_marker(pytest.mark.data)


class Interrupted(Exception):
    """What a test throws into a running sweep in place of a kill."""


@pytest.fixture
def interrupt(monkeypatch):
    """Makes the next sweeps stop with `Interrupted` once chunk number `after` is written, its checkpoint not."""

    def arm(after: int) -> None:
        store = importlib.import_module("chaosjax._results").Store
        save, seen = store.save, []

        def stop(self, checkpoint):
            seen.append(checkpoint.index)
            if len(seen) == after:
                monkeypatch.setattr(store, "save", save)
                raise Interrupted
            save(self, checkpoint)

        monkeypatch.setattr(store, "save", stop)

    return arm


@pytest.fixture(scope="module")
def module_cache(tmp_path_factory):
    """A cache of decoded data sets for one file's tests."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAOSJAX_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def tfds_dir():
    """The folder of prepared data sets; without one the tests that read it are skipped."""
    folder = os.environ.get("TFDS_DATA_DIR")
    if not folder:
        pytest.skip("TFDS_DATA_DIR is not set: it names the folder of prepared mnist, cifar10 and iris")
    return Path(folder)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache for one test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CHAOSJAX_CACHE", str(folder))
    return folder


def edited(tfds_dir, tmp_path, **information):
    """A copy of the prepared Iris set with changed entries of its dataset_info.json."""
    shutil.copytree(tfds_dir / "iris", tmp_path / "iris")
    (path,) = tmp_path.glob("iris/*/dataset_info.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **information}))
    return tmp_path
