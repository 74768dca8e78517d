"""Every program is lowered for accelerators on any machine: what a platform lacks shows here, not on a cluster.

The compiler of a TPU needs no TPU: where the package libtpu is installed (`pip install 'jax[tpu]'`), it compiles them
too. With `--accelerator`, the numbers of whatever accelerator JAX finds are held against those of the CPU.
"""

import importlib.util
import re

import cases
import jax
import numpy as np
import optax
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding

import chaosjax as cj
from chaosjax._engine import Engine, Layout
from chaosjax._run import Clock, checked_run
from experiments.jobs import CONF

PLATFORMS = {
    "cuda": {"cusolver_geqrf_ffi", "cusolver_orgqr_ffi", "cusolver_syevd_ffi", "cusolver_gesvdj_ffi"},
    "tpu": {"Qr", "ProductOfElementaryHouseholderReflectors", "Eigh"},
}
"""The library calls by which each platform factorises: for QR, small eigenproblems, and the angles of `alignment`."""


def engine(system, probes, axes, cells=4) -> Engine:
    run = checked_run(system, probes, axes, Clock.checked(12, 3), "common", 0)
    return Engine(run, Layout(cells, (jax.devices("cpu")[0],), 1))


def all_probes(dtype, bare=False) -> Engine:
    """A training by Adam with every probe there is, or none."""
    system = cj.training(cases.problem(dtype=dtype), optax.adam, batch_size=3, replacement=True)
    probes = cases.probes_for("linear") | cases._of_training(system)
    assert {"sharpness", "gali", "frame", "parted", "renormalised", "late", "ablation"} <= set(probes)
    probes = {} if bare else probes
    return engine(system, probes, {"learning_rate": [0.05, 0.4]})


def main_job() -> Engine:
    """What `make run` computes, with fewer cells."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", ["run=toy"])
    sweep = instantiate(config.sweep, _partial_=True, _convert_="all").keywords
    return engine(sweep["system"], sweep["probes"], sweep["axes"])


def calls(texts) -> set[str]:
    return {name for text in texts for name in re.findall(r"custom_call @([\w.$]+)", text)}


@pytest.fixture(scope="module")
def jobs():
    return {"main": main_job(), "probes": all_probes("float64")}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_main_job_and_every_probe_are_lowered_for_accelerators(jobs, platform):
    """In float64: all programs lower, call no library but the known ones, and never call back to Python."""
    texts = {name: [p.as_text() for p in job.lower_for(platform).values()] for name, job in jobs.items()}
    assert calls(texts["probes"]) == PLATFORMS[platform]
    assert calls(texts["main"]) <= PLATFORMS[platform]
    assert not any("callback" in text for each in texts.values() for text in each)
    assert all("f64" in text for each in texts.values() for text in each)


def test_nothing_is_float64_where_float32_is_asked_for():
    """A TPU computes float64 by software, so a stray one is dear."""
    with jax.enable_x64(False):
        texts = [program.as_text() for program in all_probes("float32").lower_for("tpu").values()]
    assert not any(re.search(r"\bf64\b|xf64", text) for text in texts)


@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed: the TPU's compiler")
@pytest.mark.parametrize(("dtype", "bare"), [("float32", False), ("float64", True)])
def test_a_tpu_v5e_compiles_every_probe(dtype, bare, monkeypatch):
    """In float64 the bare step, which takes its compiler half a minute."""
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")  # there is no TPU to ask
    tpu = topologies.get_topology_desc("v5e:2x2", platform="tpu").devices[0]
    with jax.enable_x64(dtype == "float64"):
        compiled = {
            name: program.compile()
            for name, program in all_probes(dtype, bare).lower_for("tpu", SingleDeviceSharding(tpu)).items()
        }
    assert all(program.memory_analysis().temp_size_in_bytes >= 0 for program in compiled.values())


@pytest.mark.accelerator
def test_an_accelerator_agrees_with_the_cpu(request):
    """Ten steps of a smooth training, where rounding has no time to grow."""
    if not request.config.getoption("--accelerator"):
        pytest.skip("runs with --accelerator")
    system = cj.training(cases.problem(cj.models.mlp([16])), cases.heavy_ball)
    probes = {"loss": cj.probes.loss(), "growth": cj.probes.lyapunov(k=2), "sharpness": cj.probes.sharpness()}
    options = {"steps": 10, "cells_per_batch": 3, "progress": False}

    def sweep(platform):
        axes = {"learning_rate": [0.05, 0.2], "seed": range(3)}
        return cj.sweep(system, probes, axes, devices=jax.devices(platform)[:1], **options)

    one, other = sweep("cpu"), sweep(jax.default_backend())
    for name, tolerance in {"loss": 1e-10, "growth": 1e-8, "sharpness": 1e-3}.items():
        np.testing.assert_allclose(other[name], one[name], rtol=tolerance, atol=tolerance, err_msg=name)
    zero = cj.sweep(system, {"d": cj.probes.ensemble(radius=0.0, copies=3)}, {"seed": [0, 1]}, steps=20, progress=False)
    assert float(abs(zero.d).max()) == 0
