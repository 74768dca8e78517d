"""What a sweep returns: plain attributes, coordinates, order, what is refused before it could mislead."""

import contextlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr
from cases import henon, logistic, problem
from conftest import Interrupted

import chaosjax as cj

POINT = {"x": cj.probes.reading(lambda transition: transition.x)}


def sweep(system=None, probes=POINT, axes=None, **options):
    axes = {"r": [3.5, 3.9]} if axes is None else axes
    return cj.sweep(system or logistic(), probes, axes, **{"steps": 6, "progress": False, **options})


def test_a_result_goes_to_netcdf_and_pandas_and_knows_itself(tmp_path):
    ds = sweep(probes={**POINT, "growth": cj.probes.lyapunov(), "d": cj.probes.ensemble(copies=2)}, config={"a": [1]})
    ds.to_netcdf(tmp_path / "a.nc", engine="scipy")
    again = xr.open_dataset(tmp_path / "a.nc", engine="scipy")
    xr.testing.assert_equal(again.x, ds.x)
    assert ds.to_dataframe().shape[0] == 2 * 7 * 1 * 2
    ds.to_zarr(tmp_path / "b.zarr", consolidated=False)
    known = cj.provenance_of(again)
    assert known["config"] == {"a": [1]}
    assert known["identity"]["axes"] == {"r": [3.5, 3.9]}
    assert known["cost"] == {"steps": 2 * 6 * 3, "tangents": 2 * 6, "products": 0, "losses": 0}
    assert known["compile_seconds"] >= 0
    assert all(isinstance(value, str | int | float | np.number) for value in ds.attrs.values())


def test_variables_come_in_the_order_of_the_probes_with_numbered_axes():
    probes = {"z": POINT["x"], "growth": cj.probes.lyapunov(), "a": POINT["x"]}
    ds = sweep(probes=probes)
    assert list(ds)[:4] == ["alive", "z", "growth", "a"]
    np.testing.assert_array_equal(ds.exponent, [1])


def test_a_callback_sees_every_record_once(tmp_path):
    seen = []
    ds = sweep(chunk=2, callback=lambda new: seen.append(new.load()), store=tmp_path / "a.zarr")
    xr.testing.assert_equal(xr.concat([new.x for new in seen], "time"), ds.x.load())


def test_cells_that_diverged_are_told(capsys):
    sweep(axes={"r": [3.5, 5.0, 50.0]}, steps=20, progress=True)
    told = capsys.readouterr().err
    assert "2 of 3 cells diverged, between t = " in told


def test_a_multirun_is_one_dataset(tmp_path):
    for name, r, steps in (("one", [3.5, 3.6], 6), ("other", [3.7, 3.9], 6)):
        (tmp_path / name / ".hydra").mkdir(parents=True)
        told = f"- optimizer={name}\n- hydra.verbose=true\n- run=quick\n- rate={'1e-3' if name == 'one' else '0.1'}\n"
        (tmp_path / name / ".hydra/overrides.yaml").write_text(told)
        sweep(axes={"r": r, "seed": [0, 1]}, steps=steps, store=tmp_path / name / "sweep.zarr")
    ds = cj.open_multirun(tmp_path)
    assert set(ds.x.dims) == {"optimizer", "rate", "r_index", "seed", "time"}
    np.testing.assert_array_equal(ds.rate, [0.001, 0.1])
    np.testing.assert_array_equal(ds.r.sel(optimizer="other", rate=0.1), [3.7, 3.9])
    own = xr.open_zarr(tmp_path / "one/sweep.zarr", consolidated=False)
    np.testing.assert_array_equal(ds.x.sel(optimizer="one", rate=0.001).transpose("r_index", ...), own.x)
    assert bool(ds.x.sel(optimizer="one", rate=0.1).isnull().all())
    assert ds.x.chunks is not None  # nothing is read before it is used
    np.testing.assert_array_equal(ds.recorded_until.sel(optimizer="one", rate=0.001), 6)
    with pytest.raises(FileNotFoundError, match="holds no job"):
        cj.open_multirun(tmp_path / "one" / ".hydra")


def test_a_multirun_shows_its_unfinished_jobs(tmp_path, interrupt):
    for name, after in (("one", 9), ("other", 3)):
        folder = tmp_path / "group" / name  # as experiment=group/one was once nested
        (folder / ".hydra").mkdir(parents=True)
        (folder / ".hydra/overrides.yaml").write_text(f"- experiment=group/{name}\n")
        interrupt(after)
        with contextlib.suppress(Interrupted):
            sweep(store=folder / "sweep.zarr", chunk=1)
    ds = cj.open_multirun(tmp_path)
    np.testing.assert_array_equal(ds.recorded_until.sel(experiment=["group/one", "group/other"]), [6, 1])
    assert not ds.x.sel(experiment="group/one").isnull().any()
    np.testing.assert_array_equal(ds.x.sel(experiment="group/other").isnull().all("r").values[:2], False)
    assert cj.open_multirun(tmp_path, finished=True).sizes == {"r": 2, "time": 7}
    (tmp_path / "group/one/sweep.zarr/x/c/0/3").unlink()
    with pytest.raises(ValueError, match="x, records 3 to 3: a chunk is missing"):
        cj.open_multirun(tmp_path)


def cut(x, theta, noise):
    return theta["r"] * x * (1 - x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sweep(probes={"train/loss": POINT["x"]}), "'train/loss' cannot name a variable"),
        (lambda: sweep(probes={"x": POINT["x"]._replace(attrs={"units": "seconds"})}), "units='seconds' would change"),
        (lambda: sweep(probes={"x": POINT["x"]._replace(attrs={"scale_factor": 2})}), "scale_factor would change"),
        (
            lambda: sweep(probes={"x": cj.probes.reading(lambda tr: [tr.x, tr.x])}),
            "is a list; return an array or a flat",
        ),
        (
            lambda: sweep(probes={"x": cj.probes.reading(lambda tr: {"a": {"b": tr.x}})}),
            "entry 'a' is a dict; return an",
        ),
        (
            lambda: sweep(probes={"x": cj.probes.reading(lambda tr: tr.x.astype(jnp.bfloat16))}),
            "bfloat16 cannot be stored",
        ),
        (lambda: sweep(cj.System(lambda key, theta: jnp.int32(1), cut, theta={"r": 1.0})), "int32 became float64"),
        (lambda: sweep(cj.System(lambda key, theta: 1j * jnp.ones(2), cut, theta={"r": 1.0})), "has complex leaves"),
        (
            lambda: sweep(cj.System(lambda key, theta: jnp.ones(2), lambda x, t, n: x[:1], theta={"r": 1.0})),
            "keep the shapes",
        ),
        (
            lambda: sweep(cj.System(lambda key, theta: jnp.ones(2), lambda x, t, n: (x,), theta={"r": 1.0})),
            "keep the struct",
        ),
        (lambda: sweep(probes={"checkpoints": POINT["x"]}), "'checkpoints' is the name of an axis or of sweep's own"),
        (lambda: sweep(axes={"time": [1.0]}), "'time' is no control parameter here|'time' is a name of sweep's own"),
        (lambda: sweep(devices=[]), "names none"),
        (lambda: cj.probes.delayed(2**31, POINT["x"]), "must be an integer from 0 to"),
        (lambda: sweep(axes=[1.0]), "must map names to values"),
        (lambda: sweep(probes=[POINT["x"]]), "must map names to probes"),
        (lambda: sweep(steps=2**40, stride=2**40), "must be an integer from 1 to 2147483647"),
        (lambda: sweep(threads=0), "threads=0 must be an integer of at least 1"),
        (lambda: sweep(noise_seed=-1), "noise_seed=-1 must be an integer from 0 to"),
    ],
)
def test_what_would_mislead_is_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def constant(dtype):
    return cj.System(lambda key, theta: jnp.full(3, 0.3, dtype), lambda x, theta, noise: 3.9 * x * (1 - x))


@pytest.mark.parametrize(
    ("dtype", "radius", "message"),
    [
        ("float32", 1e-8, "float32 rounding distorts the perturbation by"),  # the compiler knows the start
        ("float32", 1e-46, "float32 holds it as 0"),
        ("float16", 1e-9, "float16 holds it as 0"),
    ],
)
def test_a_radius_that_the_dtype_cannot_hold_is_refused(dtype, radius, message):
    probes = {"d": cj.probes.ensemble(radius=radius)}
    with pytest.raises(ValueError, match=message):
        sweep(constant(dtype), probes, {"seed": [0]})
    with pytest.raises(ValueError, match=message):
        sweep(constant(dtype), {"d": cj.probes.ensemble()}, {"radius": [radius]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1e39], "holds 1e\\+39, which is inf in float32"),
        ([1e-50], "is 0 in float32"),
        ([3.7, 3.7 + 1e-9], "the same num"),
    ],
)
def test_axes_that_float32_cannot_tell_apart_are_refused(values, message):
    with jax.enable_x64(False), pytest.raises(ValueError, match=message):
        sweep(axes={"r": values})


def test_short_words_for_systems():
    system = cj.training(problem(), optax.sgd)
    assert "learning_rate" in repr(system)
    assert " at 0x" not in repr(system) + repr(henon())
    assert len(repr(system)) < 400


def test_a_store_is_made_beside_and_nothing_of_the_users_is_touched(tmp_path):
    mine = tmp_path / "a.zarr.partial"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    sweep(store=tmp_path / "a.zarr")
    assert (mine / "notes.txt").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"a.zarr", "a.zarr.partial"}
    assert json.loads((tmp_path / "a.zarr/zarr.json").read_text())["attributes"]["finished"]
