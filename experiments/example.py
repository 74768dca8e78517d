"""An experiment to copy: how fast perturbations grow in the first steps of training, over the learning rate."""

import xarray as xr
from matplotlib.figure import Figure

from chaosjax import plotting, stats
from experiments import Experiment, Finding, claim


def summarise(dataset: xr.Dataset, until: int) -> xr.Dataset:
    """Average the tangent's exponent of the first `until` steps over seeds."""
    exponents = stats.finite_time_exponents(stats.first_exponent(dataset["growth"]), stop=until)
    return xr.Dataset({"exponent": stats.mean_interval(exponents)})


def findings(summary: xr.Dataset, dataset: xr.Dataset) -> list[Finding]:
    most = summary["exponent"].isel(learning_rate=-1)
    grows = stats.above(most, 0.0)
    return [claim("1", "perturbations grow at the largest η", "yes", most, grows, unit="nats/step")]


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    figure = Figure(layout="constrained")
    ax = figure.subplots()
    plotting.band(ax, summary["learning_rate"], summary["exponent"])
    ax.set(xscale="log", xlabel="learning rate η", ylabel="exponent λ (nats/step)")
    return {"exponent": figure}


report = Experiment(summarise, figures, findings)
