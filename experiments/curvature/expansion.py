"""Negative curvature or sharpness: which of them makes the chaos of the studies? The split of λ over the learning
rate."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from chaosjax import plotting, provenance_of, stats
from experiments import Experiment, Finding, beyond, markdown, panels

UNPUBLISHED = "no published counterpart"

PARTS = {
    "exponent": ("black", "λ"),
    "sharp": ("C3", "sharp: curvature > 2/η"),
    "negative": ("C0", "negative: curvature < 0"),
    "calm": ("C2", "calm: curvature between"),
    "turning": ("C1", "lost by turning"),
}


def summarise(datasets: Mapping[str, xr.Dataset], level: float) -> xr.Dataset:
    """Average the split over the steps that the frame could know, by case and learning rate.

    Args:
        level: exponent in nats per step above which a learning rate counts as chaotic.
    """
    cases = list(datasets)
    configs = {case: provenance_of(datasets[case])["config"] for case in cases}
    labels = [f"{config['networks'][config['data']]['label']}, {config['activation']}" for config in configs.values()]
    names = xr.DataArray(np.array(cases, dtype=object), dims="case", name="case")
    rows = [_case(datasets[case]) for case in cases]
    reseed = int(datasets[cases[0]]["split"].attrs.get("reseed_steps", 0))
    whole = xr.concat(rows, names, coords="minimal", compat="override")
    return whole.assign_attrs(labels=labels, reseed=reseed)


def _case(dataset: xr.Dataset) -> xr.Dataset:
    """Intervals over seeds, ``[rate]``: parts in nats per step, shares without unit."""
    stride = int(dataset["time"][1])
    known = dataset["split_known"].astype(bool)
    used = known & dataset["split"].notnull()
    parts = {"exponent": dataset["split"]}
    parts |= {name: dataset[f"split_{name}"] for name in ("sharp", "negative", "calm", "turning", "unresolved")}
    parts |= {f"available_{name}": dataset[f"split_available_{name}"] for name in ("sharp", "negative")}
    rates = xr.Dataset({name: part.where(used).mean("time") / stride for name, part in parts.items()})
    summary = xr.Dataset({name: stats.mean_interval(part, skipna=True) for name, part in rates.items()})
    summary["share"] = _share(rates["negative"], rates["sharp"])
    summary["available_share"] = _share(rates["available_negative"], rates["available_sharp"])
    summary["known"] = used.isel(time=slice(1, None)).mean(("time", "seed"))
    converged = dataset["split_converged"].astype(bool).where(used).mean(("time", "seed"))
    summary["converged"] = converged
    summary["learned"] = stats.mean_interval(dataset["test_accuracy"].isel(time=-1, drop=True), skipna=True)
    values = summary["learning_rate"].values
    return summary.rename(learning_rate="rate").drop_vars("rate").assign(learning_rate=("rate", values))


def _share(negative: xr.DataArray, sharp: xr.DataArray) -> xr.DataArray:
    """The share of negative curvature in the expansion, of the sums over seeds."""

    def statistic(cells: xr.Dataset) -> xr.DataArray:
        a, b = cells["negative"].mean("seed"), cells["sharp"].mean("seed")
        return a / (a + b).where(a + b > 0)

    return stats.bootstrap(statistic, xr.Dataset({"negative": negative, "sharp": sharp})).clip(0, 1)


def chaotic(rows: xr.Dataset, level: float) -> np.ndarray:
    """The places of the learning rates whose exponent is above `level` with its whole interval."""
    return np.flatnonzero((stats.bounds(rows["exponent"])[1] > level).values)


def findings(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> list[Finding]:
    level, found = summary.attrs["level"], []
    for case, label in zip(summary["case"].values, summary.attrs["labels"], strict=True):
        rows = summary.sel(case=case)
        places = chaotic(rows, level)
        if not len(places):
            found.append(beyond("split", f"what makes λ > {level:g}: {label}", "no η is chaotic", UNPUBLISHED))
            continue
        verdicts = [verdict(rows["share"].isel(rate=int(place))) for place in places]
        shares = stats.bounds(rows["share"])[0].isel(rate=places)
        ours = f"{_counted(verdicts)} of {len(places)} chaotic η; share of negative curvature {_range(shares)}"
        found.append(beyond("split", f"what makes λ > {level:g}: {label}", ours, UNPUBLISHED))
        top = rows.isel(rate=int(places[np.argmax(stats.bounds(rows["exponent"])[0].values[places])]))
        parts = ", ".join(f"{name} {stats.format_interval(top[name])}" for name in ("sharp", "negative", "calm"))
        at = f"η = {float(top['learning_rate']):.3g}, λ = {stats.format_interval(top['exponent'])}"
        found.append(beyond("split", f"the parts where λ is largest: {label}", f"{at}: {parts} nats/step", UNPUBLISHED))
        found.append(beyond("split", f"lost by turning there: {label}", top["turning"], UNPUBLISHED, unit="nats/step"))
    return found


def verdict(share: xr.DataArray) -> str:
    """Which part of the expansion is the larger one, by the whole interval ``[bound]``."""
    more = stats.above(share, 0.5)
    return "undecided" if more is None else "negative curvature" if more else "sharpness"


def _counted(verdicts: list[str]) -> str:
    return ", ".join(f"{name} at {verdicts.count(name)}" for name in dict.fromkeys(verdicts))


def _range(values: xr.DataArray) -> str:
    return f"{float(values.min()):.0%} to {float(values.max()):.0%}"


def figures(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    """A panel per case: λ and its parts over the learning rate; below, the share of negative curvature."""
    count = summary.sizes["case"]
    columns = min(3, count)
    rows = -(-count // columns)
    figure, axes = panels(rows, columns, (3.6 * columns, 3.1 * rows))
    for ax, case, label in zip(axes, summary["case"].values, summary.attrs["labels"], strict=False):
        own = summary.sel(case=case)
        eta = own["learning_rate"].values
        for name, (colour, words) in PARTS.items():
            line = {"linestyle": "--"} if name == "turning" else {}
            plotting.band(ax, eta, own[name], colour=colour, label=words, opacity=0.12, **line)
        ax.axhline(0, color="black", linewidth=0.5)
        ax.set(xscale="log", xlabel="learning rate η")
        ax.xaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}", minor_formatter=NullFormatter())
        ax.set_title(label, fontsize="small")
    for ax in axes[count:]:
        ax.remove()
    for row in range(rows):
        axes[row * columns].set_ylabel("nats/step")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=5, fontsize="small")
    title = f"λ = sharp + negative + calm, from step {summary.attrs['reseed']} on; means over seeds, 95 % intervals"
    figure.suptitle(title, fontsize="small")
    return {"expansion": figure}


def words(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    names = ("exponent", "sharp", "negative", "calm", "available_sharp", "available_negative", "turning", "share")
    rows = []
    for case, label in zip(summary["case"].values, summary.attrs["labels"], strict=True):
        own = summary.sel(case=case)
        for place in range(own.sizes["rate"]):
            row = own.isel(rate=place)
            numbers = [stats.format_interval(row[name]) for name in (*names, "learned")]
            rows.append([label, f"{float(row['learning_rate']):.3g}", *numbers])
    header = (
        "case", "η", "λ", "sharp", "negative", "calm", "available: sharp", "negative", "turning",
        "share of negative", "test accuracy",
    )  # fmt: skip
    unresolved, known = stats.bounds(summary["unresolved"])[0].max(), summary["known"]
    seeds = {provenance_of(each)["config"]["data"]: each.sizes["seed"] for each in datasets.values()}
    converged = summary["converged"]
    notes = (
        f"The parts are uncertain by at most {float(unresolved):.2g} nats/step in the mean. The frame could know its "
        f"growth in {float(known.min()):.0%} to {float(known.max()):.0%} of the records; both ends of the spectrum "
        f"were converged in {float(converged.min()):.0%} to {float(converged.max()):.0%} of these."
    )
    return {
        **summary.attrs,
        "table": markdown(header, rows, "l" * len(header)),
        "seeds": ", ".join(f"{label} {count}" for label, count in seeds.items()),
        "notes": notes,
    }


report = Experiment(summarise, figures, findings, words)
