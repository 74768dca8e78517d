"""The landmarks of a case and the rules of thumb of the questions page, against numbers worked out by hand."""

import numpy as np
import xarray as xr

from chaosjax import stats
from experiments.questions import batch_momentum_scale, landmarks, optimizers, rule_of_thumb, second_look


def test_the_steepest_window_is_that_of_a_loop_over_all_windows():
    generator = np.random.default_rng(0)
    growth = xr.DataArray(
        generator.normal(size=(2, 3, 4, 31)),
        {"scale": [1.0, 2.0], "learning_rate": [0.1, 0.2, 0.4], "time": np.arange(31)},
        ("scale", "learning_rate", "seed", "time"),
    )
    growth[0, 0, 0, 25:] = np.nan
    growth[0, 0, 1, 5:] = np.nan
    window = xr.DataArray([[3, 5], [6, 8]], {"scale": [1.0, 2.0], "share": [0.5, 0.9]}, ("scale", "share"))
    found = landmarks.in_windows(growth, window).transpose("scale", "share", "learning_rate", "seed")
    for (scale, share), length in np.ndenumerate(window.values):
        part = growth.values[scale, ..., 1 : 3 * length + 1]
        starts = range(part.shape[-1] - length + 1)
        wanted = np.max([part[..., start : start + length].mean(-1) for start in starts], 0)
        assert starts[-1] <= 2 * length
        np.testing.assert_allclose(found[scale, share], wanted)
    assert bool(found[0, :, 0, 1].isnull().all())
    assert bool(found[0, 0, 0, 0].notnull())


def test_what_lies_between_onset_and_fastest_without_noise():
    """λ rises through 0.1 half-way (in ln η) from 1 to 2; training is fastest at 4 and takes 20 and 16 at 1 and 2.

    Within a factor 2 of that ends half-way from 2 to 4, where training takes the geometric mean of 16 and 10.
    """
    rates = [1.0, 2.0, 4.0, 8.0]
    cells = xr.Dataset(
        {
            "exponent": (("learning_rate", "seed"), np.tile([[0.0], [0.2], [0.4], [0.6]], 3)),
            "time": (("learning_rate", "seed"), np.tile([[20.0], [16.0], [10.0], [40.0]], 3)),
        },
        {"learning_rate": rates},
    )
    found = landmarks.between(cells["exponent"], cells["time"], 0.1, 2.0)
    wanted = {"ratio": 4 / 2**0.5, "exponent": 0.4, "price": (20 * 16) ** 0.5 / 10, "near_price": 1.6**0.5}
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], [value] * 3, rtol=1e-12, err_msg=name)


def test_answers_follow_the_intervals():
    part = xr.concat([stats.interval(*row) for row in ([1.3, 1.2, 1.4], [1.0, 0.95, 1.05], [1, 0.5, 2])], "case")
    summary = xr.Dataset({"speed_up": part, "near_price": part, "exponent": part})
    found = landmarks.answers(summary, 1.0, 0.1, 1.9)
    np.testing.assert_array_equal(found["gain"], [1, 2, np.nan])
    np.testing.assert_array_equal(found["near"], [0, 1, np.nan])
    np.testing.assert_array_equal(found["chaotic"], [1, 2, np.nan])
    np.testing.assert_array_equal(landmarks.answers(summary, 1.0, 0.1, 2.1)["chaotic"], [1, 2, 2])


def test_more_seeds_are_run_where_an_answer_is_open_and_replace_that_answer_alone():
    """Training takes 40, 20, 11, 10, 12 and 30 steps at six rates, the onset at the second, the fastest the fourth.

    Of two targets the first is decided; the second leaves one answer open.
    """
    rates, share = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0], [0.75, 0.9]
    at = {
        name: xr.DataArray([value] * 2, {"share": share}, "share") for name, value in (("onset", 2.0), ("fastest", 8.0))
    }
    first = xr.Dataset(
        {name: stats.interval(part, part, part) for name, part in at.items()}
        | {"mean_time": ("learning_rate", [40.0, 20.0, 11.0, 10.0, 12.0, 30.0])}
        | {name: ("share", [value] * 2) for name, value in (("counts", True), ("found", True), ("chaotic", 1.0))}
        | {name: ("share", [1.0] * 2) for name in ("near_price", "speed_up", "exponent", *second_look.SHARED[2:])}
        | {"near": ("share", [0.0, 0.0]), "gain": ("share", [1.0, np.nan])},
        {"learning_rate": rates},
    )
    np.testing.assert_array_equal(second_look.rates_again(first), rates)
    np.testing.assert_array_equal(second_look.rates_again(first.assign(onset=first["fastest"])), rates[1:])
    assert not len(second_look.rates_again(first.assign(gain=first["near"])))
    assert not len(second_look.rates_again(first.assign(counts=~first["counts"])))
    more = (first.drop_vars("mean_time").fillna(0) * 0 + 7.0).assign(found=first["found"])
    found = second_look.replaced(first, more)
    for name, wanted in {"gain": 7, "speed_up": 7, "ratio": 7, "near": 0, "near_price": 1, "chaotic": 1}.items():
        np.testing.assert_array_equal(found[name].isel(share=1), wanted)
    xr.testing.assert_identical(found.isel(share=0).drop_vars("again"), first.isel(share=0))
    np.testing.assert_array_equal(found["again"], [False, True])


def test_answers_from_all_seeds_are_those_of_one_look_at_all_of_them():
    """Seeds split into two stores, the second with five of six rates: what was open is answered as by all at once."""
    generator = np.random.default_rng(0)
    rates, seeds, time = np.geomspace(1, 32, 6), np.arange(24), np.arange(61)
    pace = np.array([40.0, 20.0, 11.0, 10.0, 12.0, 30.0])[:, None] * np.exp(0.3 * generator.normal(size=(6, 24)))
    rise = np.log(rates / 1.5)[:, None] * 0.1 + 0.1 * generator.normal(size=(6, 24))
    dims = ("init_scale", "learning_rate", "seed", "time")
    whole = xr.Dataset(
        {
            "test_accuracy": (dims, np.minimum(1.0, time / pace[..., None])[None]),
            "growth": ((*dims, "exponent"), np.where(time > 0, rise[..., None], 0.0)[None, ..., None]),
        },
        {"init_scale": [1.0], "learning_rate": rates, "seed": seeds, "time": time},
    )
    settings = {"level": 0.05, "factor": 2.0, "shares": [0.9], "least_window": 10, "learns": 0.6, "equal": 0.1}
    first, more = whole.isel(seed=slice(4)), whole.isel(seed=slice(4, None), learning_rate=slice(0, 5))
    before = second_look.first_look(first, **settings)
    found = second_look.cases_of({"sweep": first, "more_0": more}, **settings)
    wanted = second_look.first_look(whole.isel(learning_rate=slice(0, 5)), **settings)
    assert bool(second_look.open_cases(before).all())
    assert bool(found["again"].all())
    for name in ("onset", "fastest", "ratio", "price"):
        np.testing.assert_allclose(found[name].squeeze(), wanted[name].squeeze(), rtol=1e-12, err_msg=name)
    for answer, (number,) in second_look.NUMBERS.items():
        source = wanted if bool(before[answer].isnull()) else before
        np.testing.assert_allclose(found[number].squeeze(), source[number].squeeze(), rtol=1e-12, err_msg=number)
        np.testing.assert_array_equal(found[answer], source[answer])


def test_a_rule_predicts_what_it_was_not_fitted_to():
    x = np.c_[np.ones(8), np.arange(8.0)]
    y = x @ [2.0, 3.0]
    groups, known = np.repeat(np.arange(4), 2), np.ones(8, bool)
    np.testing.assert_allclose(rule_of_thumb.left_out(x, y, groups, known), y)
    y[:2] += 100  # its own group does not see it, all others do
    np.testing.assert_allclose(rule_of_thumb.left_out(x, y, groups, known)[:2], y[:2] - 100)
    known[3] = False
    predicted = rule_of_thumb.left_out(x[:, :1], y, groups, known)
    assert np.isnan(predicted[3])
    np.testing.assert_allclose(predicted[7], np.mean([*y[:3], *y[4:6]]))
    np.testing.assert_array_equal(rule_of_thumb.left_out(x[:, :0], y, groups, known), np.where(known, 0.0, np.nan))


def test_copies_grow_by_the_steps_of_their_logarithm():
    distance = xr.DataArray(
        [[[[1.0, 3.0], [4.0, 4.0], [0.0, 0.0]]]],
        dims=("learning_rate", "seed", "time", "copy"),
        coords={"time": [0, 1, 2]},
    )
    growth = optimizers.growth_of(xr.Dataset({"distance_parameters": distance}))
    np.testing.assert_allclose(growth[0, 0], [0, np.log(2), np.nan])


def test_an_optimizers_own_edge_is_where_sharpness_meets_its_threshold():
    """Sharpness over threshold is η/0.3 in the geometric mean of two seeds: interpolation in ln η is exact."""
    rates = np.geomspace(0.1, 1.6, 5)
    ratio = rates[:, None] / 0.3 * np.array([2.0, 0.5])
    records = xr.Dataset(
        {
            "sharpness": (
                ("learning_rate", "seed", "time", "eigenvalue"),
                7 * ratio[..., None, None] * np.array([100, 0.2, 1, np.nan])[:, None],  # the first is not looked at
            ),
            "sharpness_threshold": (("learning_rate", "seed", "time"), np.full((5, 2, 4), 7.0)),
        },
        {"learning_rate": rates},
    )
    np.testing.assert_allclose(optimizers.edge_of(records), 0.3)
    above = records.isel(learning_rate=slice(2, None))
    assert np.isnan(optimizers.edge_of(above))  # at or below the first: not known
    assert np.isnan(optimizers.edge_of(records.isel(learning_rate=[0])))
    assert np.isnan(optimizers.edge_of(records.assign(sharpness_threshold=records["sharpness_threshold"] * np.nan)))


def test_contrasts_compare_what_is_alike_in_all_else():
    """η_c is batch · (1 − β) · scale, the fastest η twice that; one case does not count."""
    batch = xr.DataArray([120.0, 60.0], dims="job")
    momentum = xr.DataArray([0.0, 0.5], {"momentum": [0.0, 0.5]}, "momentum")
    scale = xr.DataArray([1.0, 8.0], {"init_scale": [1.0, 8.0]}, "init_scale")
    onset = batch * (1 - momentum) * scale
    counts = xr.ones_like(onset, bool)
    counts[1, 1, 1] = False
    spans = {"onset": onset, "fastest": 2 * onset, "ratio": 2 * xr.ones_like(onset)}
    summary = xr.Dataset({name: stats.interval(part, part, part) for name, part in spans.items()}).assign(
        censored=~xr.ones_like(counts),
        counts=counts,
        network=("job", np.array(["sigmoid", "sigmoid"], object)),
        batch=("job", [120, 60]),
    )
    found = batch_momentum_scale.contrasts(summary.set_coords(["network", "batch"]))
    wanted = {
        "batch of 60 against all 120": 0.5,
        "momentum 0.5 against none": 0.5,
        "initialisation scale 8 against 1": 8,
    }
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name]["onset"], [value] * 3, rtol=1e-12)
        np.testing.assert_allclose(found[name]["ratio"], [1] * 3, rtol=1e-12)
