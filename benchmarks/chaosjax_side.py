"""chaosjax, through its public names: the Iris net, and the main job with one probe or another."""

import resource

import jax
import numpy as np
import optax
from work import counted, layout_of, per_member
from worker import serve
from xarray import Dataset

import chaosjax as cj

LEARNING_RATE = 0.05
"""Small enough that the Iris net is not chaotic: all sides must end at the same losses."""

cj.configure()


def iris() -> cj.System:
    problem = cj.supervised(cj.models.mlp([10], activation="sigmoid"), cj.datasets.iris())
    return cj.training(problem, optax.sgd)


def digits() -> cj.System:
    return cj.training(cj.supervised(cj.models.mlp([64], activation="tanh"), cj.datasets.digits()), optax.sgd)


def probes_of(name: str, sharpness_every: int) -> dict[str, cj.Probe]:
    """Probes of the main job: all, none ("bare"), or one."""
    probes = {
        "loss": cj.probes.loss(),
        "accuracy": cj.probes.metric("test_accuracy"),
        "ensemble": cj.probes.ensemble(copies=3, where="kernels"),
        "lyapunov": cj.probes.lyapunov(k=1),
        "sharpness": cj.probes.every(sharpness_every, cj.probes.sharpness()),
    }
    return {"all": probes, "bare": {}, **{key: {key: probe} for key, probe in probes.items()}}[name]


def save(path: str, members: int) -> dict:
    """Write the initial weights that the sweep's seeds give, and the data, for the peers."""
    theta = {"learning_rate": LEARNING_RATE}
    seeds = np.arange(members, dtype=np.uint32)
    layers = jax.vmap(lambda seed: cj.start(iris(), {}, jax.random.key(seed), theta).x.params)(seeds)["layers"]
    dataset = cj.datasets.iris()
    weights = {f"{kind}_{i}": layers[i][kind] for i in (0, 1) for kind in ("kernel", "bias")}
    np.savez(
        path,
        allow_pickle=False,
        **{name: np.asarray(array) for name, array in weights.items()},
        inputs=dataset.train_inputs,
        targets=np.eye(3)[dataset.train_targets],
        learning_rate=LEARNING_RATE,
    )
    return {}


def plain(members: int, steps: int) -> dict:
    """One member per cell; only the first and the last loss are recorded."""
    axes = {"learning_rate": [LEARNING_RATE], "seed": np.arange(members)}
    dataset = cj.sweep(iris(), {"loss": cj.probes.loss()}, axes, steps=steps, stride=steps, progress=False)
    return {**_figures(dataset), "losses": dataset.loss[0, :, -1].values.tolist()}


def ensemble(cells: int, copies: int, steps: int) -> dict:
    """Reference and copies in each cell, their distances recorded at every step; counted in members."""
    axes = {"learning_rate": [LEARNING_RATE], "seed": np.arange(cells)}
    probes = {"distance": cj.probes.ensemble(copies=copies, where="kernels")}
    figures = _figures(cj.sweep(iris(), probes, axes, steps=steps, progress=False))
    return {**figures, "rate": figures["rate"] * (1 + copies)}


def main_job(probe: str, seeds: int, steps: int, sharpness_every: int) -> dict:
    """Four learning rates and some seeds on the digits, recorded at every step."""
    axes = {"learning_rate": np.geomspace(0.05, 2.0, 4), "seed": np.arange(seeds)}
    dataset = cj.sweep(digits(), probes_of(probe, sharpness_every), axes, steps=steps, progress=False)
    products = dataset["sharpness_products"].sum("time").mean() / steps if "sharpness_products" in dataset else 0.0
    return {**_figures(dataset), "peak_bytes": _peak_bytes(), "products_per_step": float(products)}


def work(of: str, layout: dict, copies: int = 0, sharpness_every: int = 1) -> dict:
    """The work of a step: of the Iris net, of it with copies (per member), or of the main job with a probe."""
    theta = {"learning_rate": LEARNING_RATE}
    if of == "iris":
        probes = {"distance": cj.probes.ensemble(copies=copies, where="kernels")} if copies else {}
        return per_member(counted(iris(), probes, theta, **layout), 1 + copies)
    return counted(digits(), probes_of(of, sharpness_every), theta, **layout)


def _figures(dataset: Dataset) -> dict:
    attrs = cj.provenance_of(dataset)
    return {
        "rate": attrs["cell_steps_per_second"],
        "compile_seconds": attrs["compile_seconds"],
        "layout": layout_of(dataset),
        "provenance": {name: attrs[name] for name in ("versions", "commit", "devices", "python")},
    }


def _peak_bytes() -> int:
    """Of the first accelerator's memory, or else of this process."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return stats.get("peak_bytes_in_use", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    serve(save, plain, ensemble, main_job, work)
