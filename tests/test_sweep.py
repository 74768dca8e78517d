"""A sweep's invariances, its options and its messages."""

import cases
import jax
import numpy as np
import optax
import pytest
import xarray as xr
from labelled import assert_same_bits

import chaosjax as cj
from chaosjax._results import Store

SYSTEM = cj.training(cases.problem(), optax.sgd)
AXES = {"learning_rate": [0.1, 0.5, 2.0], "seed": [0, 1]}
PROBES = {
    "loss": cj.probes.loss(),
    "distance": cj.probes.ensemble(radius=1e-6, copies=2),
    "growth": cj.probes.lyapunov(k=2),
}


def sweep(axes=AXES, probes=PROBES, system=SYSTEM, **options):
    return cj.sweep(system, probes, axes, **{"steps": 6, "cells_per_batch": 4, "progress": False, **options})


@pytest.fixture(scope="module")
def whole():
    return sweep(devices=jax.devices()[:1])


def test_devices_and_chunks_change_no_bit(whole):
    assert_same_bits(whole, sweep(devices=jax.devices(), chunk=4))


def test_another_batch_size_changes_only_rounding(whole):
    other = sweep(cells_per_batch=1)
    np.testing.assert_allclose(other.loss, whole.loss, rtol=1e-10)


def test_an_interrupted_run_continues_bit_for_bit(whole, tmp_path, monkeypatch):
    store = tmp_path / "run.zarr"
    save, saved = Store.save, []

    def save_then_stop(self, checkpoint):
        save(self, checkpoint)
        saved.append(checkpoint.index)
        if len(saved) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "save", save_then_stop)
        with pytest.raises(KeyboardInterrupt, match="stopped at t = 2 of 6; run again with resume=True"):
            sweep(store=store, chunk=1)
    partial = xr.open_zarr(store, consolidated=False)
    assert bool(partial.loss.isel(time=slice(3, None)).isnull().all())
    assert_same_bits(whole, sweep(store=store, resume=True, threads=3))
    assert_same_bits(whole, sweep(store=store, resume=True))


def test_noise_is_common_to_all_cells_or_each_cells_own():
    """Cells that differ by their radius alone walk the same way under common noise."""
    system = cj.training(cases.problem(), optax.sgd, batch_size=3)
    probes = {"loss": cj.probes.loss(), "distance": cj.probes.ensemble(copies=1)}
    axes = {"radius": [1e-8, 1e-6], "seed": [0, 1]}
    theta = system._replace(theta={**system.theta, "learning_rate": 0.3})
    common, independent = (sweep(axes, probes, theta, noise=noise, steps=12) for noise in ("common", "independent"))
    np.testing.assert_array_equal(common.loss[0], common.loss[1])
    assert (independent.loss[0] != independent.loss[1]).any("time").all()
    # whatever the noise between cells, copies share that of their cell
    ratio = independent.distance.isel(time=-1) / independent.distance.isel(time=0)
    assert (ratio < 100).all()


def test_a_tuned_cells_per_batch_is_recorded_and_kept_on_resume(tmp_path):
    tuned = sweep(cells_per_batch="tune", store=tmp_path / "a.zarr")
    size = cj.provenance_of(tuned)["identity"]["cells_per_batch"]
    assert 1 <= size <= 6
    assert_same_bits(sweep(cells_per_batch="tune", store=tmp_path / "a.zarr", resume=True), tuned)
    assert_same_bits(sweep(cells_per_batch=size), tuned)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_any_number_of_cells_fills_batches(whole, count):
    """1, 3 or 5 cells in batches of two, by one thread or four."""
    axes = {"learning_rate": np.geomspace(0.1, 2, count)}
    options = {"axes": axes, "probes": {"loss": cj.probes.loss()}, "cells_per_batch": 2}
    assert_same_bits(sweep(**options, threads=1), sweep(**options, threads=4))


def test_one_trace_serves_a_whole_grid():
    def traces(count):
        calls = []

        def step(x, theta, noise):
            calls.append(1)
            return SYSTEM.step(x, theta, noise)

        sweep({"learning_rate": np.linspace(0.1, 1, count)}, {}, SYSTEM._replace(step=step))
        return len(calls)

    assert traces(2) == traces(40)


def test_radius_zero_is_exactly_zero_and_the_reference_is_the_trajectory():
    ensemble = cj.probes.ensemble(radius=0.0, copies=3)
    ds = sweep(probes={"distance": ensemble}, steps=40)
    assert float(abs(ds.distance).max()) == 0


def test_ensembles_share_the_trajectory_and_a_record_of_the_next_point_is_that_point():
    """Whatever the order of the probes, and whoever asks for y first."""
    probes = {
        "next": cj.probes.reading(lambda transition: cj.phase(transition.y)[0], dims=("coordinate",)),
        "one": cj.probes.ensemble(radius=0.0, copies=3),
        "other": cj.probes.ensemble(radius=0.0, copies=2)._replace(dims={"": ("other_copy",)}),
        "growth": cj.probes.lyapunov(),
        "point": cj.probes.reading(lambda transition: cj.phase(transition.x)[0], dims=("coordinate",)),
    }
    ds = sweep(probes=probes, steps=20)
    assert float(ds.one.max()) == float(ds.other.max()) == 0
    np.testing.assert_array_equal(ds.next.isel(time=slice(-1)), ds.point.isel(time=slice(1, None)))
    assert_same_bits(ds, sweep(probes=dict(reversed(probes.items())), steps=20))


def test_no_step_is_traced_twice():
    calls = []

    def step(x, theta, noise):
        calls.append(1)
        return SYSTEM.step(x, theta, noise)

    probes = {
        "one": cj.probes.ensemble(copies=3),
        "late": cj.probes.delayed(4, cj.probes.benettin()),
        "growth": cj.probes.lyapunov(),
        "update": cj.probes.norms(of=("update",)),
    }
    sweep(probes=probes, system=SYSTEM._replace(step=step), cells_per_batch=None)
    assert len(calls) == 1


def test_a_radius_below_the_floor_is_refused_and_leaves_no_store(tmp_path):
    system = cj.training(cases.problem(dtype="float32"), optax.sgd)
    with pytest.raises(ValueError, match=r"probe 'd': radius: float32 rounding .* enable_x64"):
        sweep(probes={"d": cj.probes.ensemble(radius=1e-8)}, system=system, store=tmp_path / "a.zarr")
    assert not (tmp_path / "a.zarr").exists()
    assert sweep(probes={"d": cj.probes.ensemble(radius=1e-14)}, steps=1).d.notnull().all()


def test_a_diverged_cell_is_data_and_disturbs_no_other():
    axes = {"learning_rate": [0.5, 1e300], "seed": [0, 1]}
    problem = cases.problem(loss="squared_error")
    ds = sweep(axes, {"loss": cj.probes.loss()}, cj.training(problem, optax.sgd), steps=8)
    assert bool(ds.alive.sel(learning_rate=0.5).all())
    assert not bool(ds.alive.sel(learning_rate=1e300).isel(time=-1).any())
    assert bool(ds.diverged_at.sel(learning_rate=0.5).isnull().all())
    dead = ds.sel(learning_rate=1e300)
    assert bool((dead.diverged_at == (~dead.alive).argmax("time")).all())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axes": {"learning_rate": []}}, "'learning_rate' has shape .0,.; give a list of at least one value"),
        ({"axes": {"learning_rate": [0.1, 0.1]}}, "holds 0.1 more than once"),
        ({"axes": {"learning_rate": [0.1, np.nan]}}, "holds nan; every value must be finite"),
        ({"axes": {"learning_rate": [-0.1]}}, "holds -0.1; it must not be negative"),
        ({"axes": {"learning_rate": [0.1], "seed": [0.5]}}, "'seed' holds 0.5; it must hold integers"),
        ({"stride": 4}, "stride=4 does not divide steps=6"),
        ({"noise": "none"}, "noise='none' must be 'common' or 'independent'"),
        ({"cells_per_batch": 0}, "cells_per_batch=0 must be an integer of at least 1"),
        ({"system": SYSTEM._replace(loss=None)}, "probe 'loss': this System has no loss"),
        ({"probes": {"m": cj.probes.metric("acuracy")}}, "probe 'm': the system has no metric 'acuracy'; it has: "),
        ({"probes": {"time": cj.probes.loss()}}, "'time' is the name of an axis or of sweep's own"),
        ({"probes": {"g": cj.probes.lyapunov(k=99)}}, "probe 'g': lyapunov: k=99 exceeds the dimension"),
    ],
)
def test_bad_input_is_explained(options, message):
    with pytest.raises(ValueError, match=message):
        sweep(**options)


def test_stores_are_protected(tmp_path):
    store = tmp_path / "a.zarr"
    few = {"axes": {"learning_rate": [0.1]}, "probes": {}, "steps": 2, "cells_per_batch": 1}
    sweep(store=store, **few)
    with pytest.raises(FileExistsError, match="exists; continue it with resume=True"):
        sweep(store=store, **few)
    with pytest.raises(ValueError, match=r"is of another run \(.*steps: 2 → 4.*\)"):
        sweep(store=store, resume=True, **{**few, "steps": 4})
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"):
        sweep(store=tmp_path / "file" / "b.zarr", **few)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="is no store that sweep has made"):
        sweep(store=tmp_path / "folder", resume=True, **few)
