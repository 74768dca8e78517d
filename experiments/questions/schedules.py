"""Do schedules of the learning rate use the chaotic transient? Each at its best peak against the best constant rate."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr
from jaxtyping import Array
from matplotlib.figure import Figure

from chaosjax import provenance_of, stats
from experiments import Experiment, Finding, beyond, claim, colours, markdown, panels

SCHEDULES = (
    "constant",
    "a tenth after half",
    "a tenth after a quarter",
    "warm-up",
    "cosine",
    "warm-up and cosine",
    "cyclic",
)
"""The schedules by their place on the axis `schedule`."""

GOALS = {"early": "speed to the early target", "late": "speed to the late target", "end": "1 / loss in the end"}
"""What is to be large: speeds are one over the number of steps, 0 for a miss; a run that diverges ends with 0."""


def scheduled(learning_rate: Array, schedule: Array, steps: int) -> optax.GradientTransformation:
    """Gradient descent whose rate is `learning_rate` times one of `SCHEDULES`, of peak 1, made for `steps` steps.

    Warm-up is linear over a tenth of the steps; cosine falls to 0; cyclic is a triangle between 0.1 and 1, five times.
    """
    tenth, period = max(1, steps // 10), max(2, steps // 5)
    half, quarter = (optax.piecewise_constant_schedule(1.0, {max(1, steps // part): 0.1}) for part in (2, 4))
    units = (
        optax.constant_schedule(1.0),
        half,
        quarter,
        optax.linear_schedule(1 / tenth, 1.0, tenth),
        optax.cosine_decay_schedule(1.0, steps),
        optax.warmup_cosine_decay_schedule(1 / tenth, 1.0, tenth, steps),
        lambda count: 1 - 0.9 * jnp.abs(2 * jnp.asarray(count % period, float) / period - 1),
    )

    def rate(count: Any) -> Array:
        shapes = jnp.stack([jnp.asarray(unit(count), jnp.result_type(learning_rate)) for unit in units])
        return learning_rate * shapes[jnp.asarray(schedule).astype(int)]

    return optax.sgd(rate)


def summarise(
    jobs: Mapping[str, xr.Dataset], level: float, ends: Mapping[str, Any], labels: Mapping[str, str]
) -> xr.Dataset:
    """Each schedule at its best peak rate over the constant one at its own best, by network and goal.

    The best peak of half of the seeds, by the median, is judged on the other half, and the other way round, so that no
    seed chooses its own. Ratios are taken seed by seed and summarised by their median.

    Args:
        jobs: records by network.
        level: exponent in nats per step above which a rate counts as chaotic.
        ends: for each data set its `targets`, early and late, and the `window` of exponents in steps.
        labels: of the networks.
    """
    rows: list[xr.Dataset] = []
    for records in jobs.values():
        data = provenance_of(records)["config"]["data"]
        rows.append(_case(records, level, ends[data]).assign(label=xr.DataArray(np.array(labels[data], dtype=object))))
    names = xr.DataArray(np.array(list(jobs), dtype=object), dims="case", name="case")
    return xr.concat(rows, names, coords="minimal", compat="override")


def _case(records: xr.Dataset, level: float, ends: Mapping[str, Any]) -> xr.Dataset:
    score = _scores(records, ends["targets"])
    start, stop = ends["window"]
    stop = min(stop, int(records["time"][-1]))
    exponent = stats.finite_time_exponents(stats.first_exponent(records["growth"]), start, stop)
    onset = stats.onset(exponent.sel(schedule=0, drop=True), level=level)["onset"]
    halves = np.arange(score.sizes["seed"]) % 2
    best, kept, lambdas = [], [], []
    for half in (0, 1):
        chosen = score.isel(seed=np.flatnonzero(halves != half)).median("seed").argmax("learning_rate")
        judged = np.flatnonzero(halves == half)
        kept.append(score.isel(seed=judged).isel(learning_rate=chosen))
        lambdas.append(exponent.isel(seed=judged).isel(learning_rate=chosen))
        reached = score.isel(seed=np.flatnonzero(halves != half)).median("seed").max("learning_rate") > 0
        best.append(score["learning_rate"][chosen].drop_vars("learning_rate").where(reached))
    judged, along = (xr.concat(each, "seed", coords="minimal", compat="override") for each in (kept, lambdas))
    constant = judged.sel(schedule=0, drop=True)
    pairs = (judged / constant).where((judged > 0) | (constant > 0), 1.0)
    eta = score["learning_rate"].values
    found = xr.Dataset(
        {
            "ratio": stats.bootstrap(lambda cells: cells.median("seed"), pairs.drop_vars("seed")).clip(0),
            "value": judged.median("seed"),
            "exponent": stats.mean_interval(along.drop_vars("seed"), skipna=True),
            "peak": xr.concat(best, "half"),
            "onset": onset,
            "curve": score.median("seed"),
        }
    )
    whole: xr.Dataset = found.drop_vars(("learning_rate", "seed"), errors="ignore").rename(learning_rate="place")
    return whole.assign(eta=("place", eta), targets=("stage", list(ends["targets"])), steps=int(records["time"][-1]))


def _scores(records: xr.Dataset, targets: tuple[float, float]) -> xr.DataArray:
    """What is to be large, ``[goal, …]``: `GOALS`."""
    loss = records["loss"]
    speeds = [1 / loss["time"].where(loss <= target).min("time").clip(1).fillna(np.inf) for target in targets]
    end = (1 / loss.isel(time=-1, drop=True)).fillna(0.0)
    return xr.concat([*speeds, end], xr.DataArray(np.array(list(GOALS), dtype=object), dims="goal", name="goal"))


def findings(summary: xr.Dataset, jobs: Mapping[str, Any]) -> list[Finding]:
    found, level = [], summary.attrs["level"]
    for case in range(summary.sizes["case"]):
        row = summary.isel(case=case)
        label = row["label"].item()
        found.append(beyond(label, "η_c of constant rates", row["onset"], ""))
        for place, schedule in enumerate(SCHEDULES):
            own = row.isel(schedule=place)
            for goal, words in GOALS.items() if place else ():
                ratio = own["ratio"].sel(goal=goal)
                quantity = f"{schedule}: {words}, over the best constant"
                found.append(claim(label, quantity, "> 1, if it pays", ratio, stats.above(ratio, 1.0)))
            early = own["exponent"].sel(goal="late")
            quantity = f"{schedule}: λ early on, at the best peak for the late target"
            found.append(
                claim(
                    label,
                    quantity,
                    f"> {level:g}, if in the transient",
                    early,
                    stats.above(early, level),
                    "",
                    "nats/step",
                )
            )
    return found


def figures(summary: xr.Dataset, jobs: Mapping[str, Any]) -> dict[str, Figure]:
    """The time to the late target and the loss in the end over the peak rate, for each schedule."""
    cases = summary.sizes["case"]
    figure, axes = panels(cases, 2, (9.0, 3.4 * cases))
    shades = ["black", *colours(len(SCHEDULES) - 1)]
    for case, (left, right) in enumerate(axes.reshape(cases, 2)):
        row = summary.isel(case=case)
        for place, (schedule, colour) in enumerate(zip(SCHEDULES, shades, strict=True)):
            curve, style = row["curve"].isel(schedule=place), {"color": colour, "linewidth": 1.2 + 0.8 * (place == 0)}
            with np.errstate(divide="ignore"):
                time, loss = 1 / curve.sel(goal="late").values, 1 / curve.sel(goal="end").values
            left.plot(row["eta"], np.where(time <= float(row["steps"]), time, np.nan), ".-", label=schedule, **style)
            right.plot(row["eta"], np.where(np.isfinite(loss), loss, np.nan), ".-", **style)
        for ax in (left, right):
            onset = float(row["onset"].sel(bound="estimate"))
            if np.isfinite(onset):
                ax.axvline(onset, color="black", linestyle=":", linewidth=0.8)
            ax.set(
                xscale="log",
                xlim=(0.9 * row["eta"].values[0], 1.1 * row["eta"].values[-1]),
                xlabel="peak learning rate",
            )
            ax.set_title(f"{row['label'].item()} (dotted: η_c of constant rates)", fontsize="small")
        if np.isfinite(row["curve"].sel(goal="end").values).any() and (row["curve"].sel(goal="end") > 0).any():
            right.set_yscale("log")
        left.set_ylim(0, float(row["steps"]))
        left.set_ylabel(f"steps to a loss of {float(row['targets'][1]):g}, median")
        right.set_ylabel("training loss in the end, median")
    axes[0].legend(fontsize="x-small")
    return {"schedules": figure}


def words(summary: xr.Dataset, jobs: Mapping[str, Any]) -> dict[str, Any]:
    rows, pays, costs, count, above = [], 0, 0, 0, np.zeros((2, 2), int)
    for case in range(summary.sizes["case"]):
        row = summary.isel(case=case)
        onset = float(row["onset"].sel(bound="estimate"))
        for place, schedule in enumerate(SCHEDULES):
            own = row.isel(schedule=place)
            ratios = [own["ratio"].sel(goal=goal) for goal in GOALS]
            peaks = [own["peak"].sel(goal=goal).values for goal in GOALS]
            said = [
                " and ".join(f"{peak / onset:.2g}" for peak in np.unique(both[np.isfinite(both)])) for both in peaks
            ]
            above[min(place, 1)] += np.array([np.sum(np.isfinite(peaks)), np.sum(np.array(peaks) > onset)])
            shown = [text for pair in zip(map(stats.format_interval, ratios), said, strict=True) for text in pair]
            rows.append(
                [row["label"].item(), schedule, *shown, stats.format_interval(own["exponent"].sel(goal="late"))]
            )
            if place:
                says = [stats.above(ratio, 1.0) for ratio in ratios] + [stats.below(ratio, 1.0) for ratio in ratios]
                pays, costs, count = pays + says[:3].count(True), costs + says[3:].count(True), count + 3
    header = [
        "network",
        "schedule",
        "early",
        "peak/η_c",
        "late",
        "peak/η_c",
        "1/loss in the end",
        "peak/η_c",
        "λ early on",
    ]
    labels = [str(label) for label in summary["label"].values]
    return {
        **summary.attrs,
        "table": markdown(header, rows, "ll" + "r" * 7),
        "peaks": int(above[1, 0]),
        "above": int(above[1, 1]),
        "constant_peaks": int(above[0, 0]),
        "constant_above": int(above[0, 1]),
        "pays": pays,
        "costs": costs,
        "undecided": count - pays - costs,
        "count": count,
        "targets": "; ".join(
            f"{label}: {early:g} and {late:g}"
            for label, (early, late) in zip(labels, summary["targets"].values, strict=True)
        ),
        "steps": ", ".join(
            f"{label}: {int(job['time'][-1])}" for label, job in zip(labels, jobs.values(), strict=True)
        ),
        "seeds": ", ".join(f"{label}: {job.sizes['seed']}" for label, job in zip(labels, jobs.values(), strict=True)),
    }


report = Experiment(summarise, figures, findings, words)
