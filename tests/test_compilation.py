"""Nothing is compiled twice: not in a process, and not on a machine."""

import json
import os
import stat
import subprocess
import sys
import zlib

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr

import chaosjax as cj
from chaosjax._engine import _disk_cache

COMPILED = "/jax/core/compile/backend_compile_duration"

SCRIPT = """
import json, sys
import jax
events = []
jax.monitoring.register_event_listener(lambda event, **info: events.append(event))
sys.path.insert(0, {tests!r})
import cases
import chaosjax as cj
import optax
cj.configure(x64=True)
jax.numpy.zeros(3) + 1  # a process that has compiled before
system = cj.training(cases.problem(), optax.sgd)
probes = {{"distance": cj.probes.ensemble(), "growth": cj.probes.lyapunov()}}
ds = cj.sweep(system, probes, {{"learning_rate": [0.1, 3.0], "seed": [0, 1]}}, steps=40, threads={threads}, progress=0)
hits = events.count("/jax/compilation_cache/cache_hits")
misses = events.count("/jax/compilation_cache/cache_misses")
result = [hits, misses, ds.growth.values.tobytes().hex()]
result += [str(jax.config.values["jax_compilation_cache_dir"]), ds.attrs["programs"]]
print(json.dumps(result))
"""


def run(cache, threads=1, **environment):
    script = SCRIPT.format(tests=os.path.dirname(__file__), threads=threads)
    keep_all = {"CHAOSJAX_CACHE": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    told = {**os.environ, **keep_all, **environment}
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], env=told, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def compilations():
    seen = []
    jax.monitoring.register_event_duration_secs_listener(lambda event, *_, **__: seen.append(event == COMPILED))
    return seen


def test_a_second_sweep_of_the_same_shapes_compiles_nothing(compilations):
    system = cj.training(cases.problem(), optax.sgd)
    probes = {"growth": cj.probes.lyapunov()}

    def sweep(rates):
        return cj.sweep(system, probes, {"learning_rate": rates}, steps=4, cells_per_batch=2, progress=False)

    first = sweep([0.1, 0.2])
    assert sum(compilations) > 0
    assert cj.provenance_of(first)["programs"] == {"compiled": 3}
    compilations.clear()
    again = sweep([0.1, 0.2])
    sweep([0.3, 0.4, 0.5])
    assert sum(compilations) == 0
    np.testing.assert_array_equal(first.growth, again.growth)
    assert cj.provenance_of(again)["programs"] == {"from_memory": 3}


def test_a_second_call_of_an_estimator_compiles_nothing(compilations):
    series = xr.DataArray(np.random.default_rng(0).standard_normal((2, 300)), dims=("seed", "time"))
    cj.series.apply(cj.series.permutation_entropy, series)
    compilations.clear()
    cj.series.apply(cj.series.permutation_entropy, series + 1)
    assert sum(compilations) == 0
    cj.series.rosenstein(series.values[0])
    compilations.clear()
    cj.series.rosenstein(series.values[1])
    assert sum(compilations) == 0


def test_a_second_process_takes_the_programs_of_the_first_and_gets_its_bits(tmp_path):
    hits, misses, cold, folder, _ = run(tmp_path)
    assert misses > 0
    assert folder.startswith(str(tmp_path))
    hits, misses, warm, _, programs = run(tmp_path, threads=4)
    assert hits > 0
    assert misses == 0
    assert warm == cold
    assert programs == '{"from_disk": 3}'


def test_the_cache_is_switched_off_by_a_setting_and_leaves_a_folder_of_the_users_alone(tmp_path):
    hits, misses, _, folder, _ = run(tmp_path / "a", CHAOSJAX_COMPILATION_CACHE="off")
    assert (hits, misses, folder) == (0, 0, "None")
    assert not (tmp_path / "a").exists()
    own = str(tmp_path / "own")
    assert run(tmp_path / "a", JAX_COMPILATION_CACHE_DIR=own)[3] == own


def test_a_folder_that_others_can_write_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAOSJAX_CACHE", str(tmp_path))
    folder = tmp_path / "compiled" / _disk_cache._machine()
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", None)
    _disk_cache.use_disk_cache.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match=r"cannot be cached in .* \(others can write it"):
            _disk_cache.use_disk_cache()
        assert jax.config.values["jax_compilation_cache_dir"] is None
        folder.chmod(stat.S_IRWXU)
        _disk_cache.use_disk_cache.cache_clear()
        _disk_cache.use_disk_cache()
        assert jax.config.values["jax_compilation_cache_dir"] == str(folder)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def doubling(factor):
    return cj.System(lambda key, theta: jnp.ones(()), lambda x, theta, noise: factor() * x)


POINT = {"x": cj.probes.reading(lambda transition: transition.x)}


@pytest.mark.parametrize(("most", "kept"), [(300, {"new", "old", "oldest"}), (250, {"new", "oldest"})])
def test_of_the_kept_programs_those_used_longest_ago_go_first(tmp_path, most, kept):
    for age, name in enumerate(("new", "old", "oldest")):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    os.utime(tmp_path / "oldest", (2e9, 1e9 - 2))  # read since
    _disk_cache._prune(tmp_path, most)
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_a_program_that_a_kill_cut_short_is_dropped_and_nothing_else(tmp_path):
    whole = zlib.compress(b"machine code" * 100)
    contents = {"whole": whole, "cut": whole[:-7], "empty": b"", "other": b"\x28\xb5\x2f\xfd...", "text": b"note"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    _disk_cache._prune(tmp_path, 10**6)
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "other", "text"}


def test_a_step_whose_surroundings_have_changed_is_traced_anew():
    factor = [1.0]
    system = doubling(lambda: factor[0])
    values = []
    for factor[0] in (1.0, 2.0):
        values.append(cj.sweep(system, POINT, {"seed": [0]}, steps=2, progress=False).x[0].values.tolist())
    assert values == [[1, 1, 1], [1, 2, 4]]


def test_programs_that_call_back_are_not_taken_for_each_other():
    def sweep(factor):
        def call(x):
            shape = jax.ShapeDtypeStruct((), x.dtype)
            return jax.pure_callback(lambda x: factor * x, shape, x, vmap_method="sequential")

        probes = {"x": cj.probes.reading(lambda transition: call(transition.x))}
        return cj.sweep(doubling(lambda: 2.0), probes, {"seed": [0]}, steps=2, progress=False).x[0].values.tolist()

    assert [sweep(1.0), sweep(2.0)] == [[1, 2, 4], [2, 4, 8]]


def test_data_inside_a_jitted_step_of_the_users_belongs_to_a_runs_identity(tmp_path):
    def sweep(factor, **options):
        matrix = factor * jnp.eye(2)
        step = jax.jit(lambda x, theta, noise: matrix @ x)
        system = cj.System(lambda key, theta: jnp.ones(2), step)
        probes = {"x": cj.probes.reading(lambda transition: transition.x, dims=("coordinate",))}
        return cj.sweep(system, probes, {"seed": [0]}, steps=4, store=tmp_path / "a.zarr", progress=False, **options)

    sweep(1.0)
    with pytest.raises(ValueError, match=r"is of another run .*program"):
        sweep(2.0, resume=True)


def test_a_step_may_decide_by_a_control_parameter_that_is_no_axis():
    def step(x, theta, noise):
        return sum(theta["r"] * x for _ in range(int(theta["n"])))

    system = cj.System(lambda key, theta: jnp.ones(()), step, theta={"n": 2, "r": None})
    assert cj.sweep(system, POINT, {"r": [0.5, 1.0]}, steps=2, progress=False).x[:, -1].values.tolist() == [1, 4]
