"""The largest Hessian eigenvalue by PyTorch's packages: curvlinops under scipy's eigsh, and hessian-eigenthings.

Run by `benchmarks/sharpness.py` in an environment of its own: requirements_curvature.txt.
"""
# pyright: reportMissingImports=false

import time
from typing import Any

import numpy as np
import scipy.sparse.linalg
import torch
from curvlinops import HessianLinearOperator
from hessian_eigenthings import HessianOperator, lanczos
from worker import serve

task: dict = {}


def load(path: str) -> dict:
    """Read weights, sample by sample, and data."""
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    with np.load(path, allow_pickle=False) as arrays:
        task.update({name: torch.from_numpy(arrays[name]) for name in arrays.files})
    return {"torch": torch.__version__}


def _network(record: int) -> torch.nn.Module:
    layers = [torch.nn.Linear(*task[f"kernel_{i}"].shape[1:]) for i in (0, 1)]
    with torch.no_grad():
        for i, layer in enumerate(layers):
            layer.weight.copy_(task[f"kernel_{i}"][record].T)
            layer.bias.copy_(task[f"bias_{i}"][record])
    return torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1])


def curvlinops(record: int, tolerance: float) -> dict:
    """Curvlinops' operator under eigsh: one data batch, started cold."""
    model, taken = _network(record), []
    data = [(task["inputs"], task["targets"].argmax(dim=1))]
    parameters = [p for p in model.parameters() if p.requires_grad]
    operator = HessianLinearOperator(
        model, torch.nn.CrossEntropyLoss(), parameters, data, check_deterministic=False
    ).to_scipy(dtype=np.float64)

    def count(v):
        taken.append(1)
        return operator @ v

    linalg: Any = scipy.sparse.linalg
    counted = linalg.LinearOperator(operator.shape, matvec=count, dtype=np.float64)
    start = np.random.default_rng(record).standard_normal(operator.shape[0])
    begun = time.process_time()
    values, vectors = linalg.eigsh(counted, 1, which="LA", v0=start, tol=tolerance)
    seconds, products = time.process_time() - begun, len(taken)
    residual = float(np.linalg.norm(operator @ vectors[:, 0] - values[0] * vectors[:, 0]))
    return {"value": float(values[0]), "residual": residual, "products": products, "seconds": seconds}


def eigenthings(record: int, tolerance: float) -> dict:
    """The Lanczos of hessian-eigenthings: it has no stopping rule, so it is given the least depth that suffices."""
    model = _network(record)
    data = [(task["inputs"], task["targets"].argmax(dim=1))]
    operator = HessianOperator(
        model, data, lambda model, batch: torch.nn.functional.cross_entropy(model(batch[0]), batch[1])
    )
    for depth in range(2, operator.size):
        begun = time.process_time()
        found = lanczos(operator, k=1, max_iter=depth, tol=tolerance, which="LA", seed=record, reorthogonalize=True)
        seconds = time.process_time() - begun
        if bool(found.converged[0]):
            break
    return {
        "value": float(found.eigenvalues[0]),
        "residual": float(found.residuals[0]),
        "products": found.iterations,
        "seconds": seconds,
    }


if __name__ == "__main__":
    serve(load, curvlinops, eigenthings)
