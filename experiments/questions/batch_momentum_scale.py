"""What batch size, momentum, initialisation scale and depth do to the onset of chaos and the fastest η."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from chaosjax import provenance_of, stats
from experiments import Experiment, Finding, beyond, markdown
from experiments.questions.batch_momentum_scale_figures import figures
from experiments.questions.contrasts import SPANS, compared
from experiments.questions.landmarks import answers, in_windows, landmarks_of

FACTORS = {
    "batch of 60 against all 120": ("batch", 60, 120),
    "batch of 20 against all 120": ("batch", 20, 120),
    "batch of 5 against all 120": ("batch", 5, 120),
    "momentum 0.5 against none": ("momentum", 0.5, 0.0),
    "momentum 0.9 against none": ("momentum", 0.9, 0.0),
    "initialisation scale 2.83 against 1": ("init_scale", 2.83, 1.0),
    "initialisation scale 8 against 1": ("init_scale", 8.0, 1.0),
    "three hidden layers against one (tanh)": ("network", "tanh_deep", "tanh"),
}
"""What is compared, all else equal."""


def summarise(
    datasets: Mapping[str, xr.Dataset],
    level: float,
    factor: float,
    equal: float,
    share: float,
    least_window: int,
    learns: float,
) -> xr.Dataset:
    """Find onset and fastest η of every network, batch size, momentum and initialisation scale.

    Args:
        level: exponent in nats per step above which a window counts as chaotic.
        factor: how far from η_c is near it.
        equal: training times that differ by less than this, relatively, count as equal.
        share: training ends at this share of the best mean test accuracy of any η.
        least_window: shortest window of an exponent, in steps.
        learns: a case counts if its best mean test accuracy is above this.

    Returns:
        ``[job, momentum, init_scale]``, along ``rate`` per learning rate: what `landmarks_of` and `answers` return;
        `noisy`, the mean exponent of copies with minibatches of their own and its onset `noisy_onset`; `excess`, their
        last distance over that of the copy that was not perturbed, in the geometric mean; `counts`. A job has
        coordinates `network` and `batch`.
    """
    parts = sorted(datasets.values(), key=_place)
    rows = [_job(part, level, factor, share, least_window) for part in parts]
    configs = [provenance_of(part)["config"] for part in parts]
    names = xr.DataArray(np.array([config["job"] for config in configs], dtype=object), dims="job", name="job")
    summary = xr.concat(rows, names, coords="minimal", compat="override")
    summary = summary.merge(answers(summary, level, equal, factor))
    summary["counts"] = (summary["best"] > learns) & summary["found"]
    return summary.assign_coords(
        network=("job", np.array([config["network"] for config in configs], dtype=object)),
        batch=("job", [config["own"]["batch"] or 120 for config in configs]),
        label=("job", np.array([_label(config) for config in configs], dtype=object)),
    )


def _place(dataset: xr.Dataset) -> int:
    """Where the yaml lists the job."""
    config = provenance_of(dataset)["config"]
    return list(config["jobs"]).index(config["job"])


def _label(config: Mapping[str, Any]) -> str:
    batch = config["own"]["batch"]
    return f"{config['own']['network']['label']}, {'all samples' if batch is None else f'batches of {batch}'}"


def _job(dataset: xr.Dataset, level: float, factor: float, share: float, least_window: int) -> xr.Dataset:
    accuracy, growth = dataset["test_accuracy"], stats.first_exponent(dataset["growth"])
    best = accuracy.mean("seed", skipna=False).max(["learning_rate", "time"])
    found = landmarks_of(accuracy, growth, share * best, level, factor, least_window).assign(best=best)
    blank = xr.full_like(found["exponents"], np.nan)
    parts: dict[str, Any] = {"noisy": blank, "noisy_onset": xr.full_like(found["onset"], np.nan), "excess": blank}
    if "noisy" in dataset:
        distance = stats.mean_over_copies(dataset["noisy"])
        logarithm = xr.ufuncs.log(distance.where(distance > 0))
        steps = (logarithm - logarithm.shift(time=1)).fillna(0.0).where(logarithm.notnull())
        exponent = in_windows(steps, found["window"])
        null = dataset["noisy_null"].isel(time=-1, drop=True)
        last = logarithm.isel(time=-1, drop=True) - xr.ufuncs.log(null.where(null > 0))
        parts = {
            "noisy": stats.mean_interval(exponent),
            "noisy_onset": stats.onset(exponent, level=level)["onset"],
            "excess": xr.ufuncs.exp(stats.mean_interval(last)),
        }
    rates = found["learning_rate"].values
    found = found.assign({name: part.drop_attrs() for name, part in parts.items()})
    return found.drop_vars("learning_rate").rename(learning_rate="rate").assign_coords(eta=("rate", rates))


def contrasts(summary: xr.Dataset) -> dict[str, dict[str, xr.DataArray]]:
    """Per factor and quantity the geometric mean of the ratios between its two levels, over all other settings.

    Each with its bootstrap interval over the settings, see `compared`.
    """
    pairs = {words: _pairs(summary, name, new, old) for words, (name, new, old) in FACTORS.items()}
    return {words: compared(known) for words, known in pairs.items() if known}


def _pairs(summary: xr.Dataset, name: str, new: Any, old: Any) -> list[tuple[xr.Dataset, xr.Dataset]]:
    """The summaries at the two levels, alike in all else."""
    if name in ("momentum", "init_scale"):
        known = summary[name].values
        if new not in known or old not in known:
            return []
        return [(summary.sel({name: new}), summary.sel({name: old}))]
    other = "network" if name == "batch" else "batch"
    jobs = {(summary[name].values[at], summary[other].values[at]): at for at in range(summary.sizes["job"])}
    shared = [value for level, value in jobs if level == new and (old, value) in jobs]
    return [(summary.isel(job=jobs[new, value]), summary.isel(job=jobs[old, value])) for value in shared]


def findings(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> list[Finding]:
    found = []
    for words, row in contrasts(summary).items():
        ours = "; ".join(f"{label} × {stats.format_interval(row[name])}" for name, label in SPANS.items())
        found.append(beyond("map", words, ours, "open in the studies"))
    censored, noisy, above = noise(summary)
    ours = f"at {noisy:.3g} or below, where η_c is {above:.3g}" if np.isfinite(noisy) else "none found"
    note = f"the first η of the grid in {censored:.0%} of the cases"
    found.append(beyond("noise", "onset as copies with minibatches of their own would have it, median", ours, note))
    return found


def noise(summary: xr.Dataset) -> tuple[float, float, float]:
    """How often copies with their own minibatches part at the grid's first η already; medians of both onsets."""
    chosen = summary["counts"] & stats.bounds(summary["noisy"])[0].notnull().any("rate")
    own, true = (stats.bounds(summary[name])[0].where(chosen).values for name in ("noisy_onset", "onset"))
    known = np.isfinite(own) & np.isfinite(true)
    if not known.any():
        return np.nan, np.nan, np.nan
    first = float(summary["eta"].values[0])
    return float(np.mean(own[known] <= first)), float(np.median(own[known])), float(np.median(true[known]))


def words(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    rows = [[label, *(stats.format_interval(row[name]) for name in SPANS)] for label, row in contrasts(summary).items()]
    share, own, true = noise(summary)
    low = [stats.bounds(summary[name])[0].where(summary["counts"]) for name in ("excess", "exponents")]
    calm = low[0].where(low[1] <= summary.attrs["level"]).values
    calm = calm[np.isfinite(calm)]
    counts = {
        name: [int((summary[name].where(summary["counts"]) == value).sum()) for value in (1, 0)]
        for name in ("near", "chaotic")
    }
    total = int(summary["counts"].sum())
    said = {
        f"{name}_{word}": value
        for name, pair in counts.items()
        for word, value in zip(("yes", "no"), pair, strict=True)
    }
    return {
        **summary.attrs,
        **said,
        "cases": total,
        "seeds": next(iter(datasets.values())).sizes["seed"],
        "momenta": ", ".join(f"{value:g}" for value in summary["momentum"].values),
        "scales": ", ".join(f"{value:g}" for value in summary["init_scale"].values),
        "table": markdown(("changed, all else equal", *SPANS.values()), rows, "llll"),
        "noisy_share": f"{share:.0%}",
        "noisy_at": f"{own:.3g}",
        "true_at": f"{true:.3g}",
        "excess": f"{np.median(calm):.3g} [{calm.min():.3g}, {calm.max():.3g}]" if len(calm) else "not known",
    }


report = Experiment(summarise, figures, findings, words)
