"""PyTorch on the Iris net: the serial loop of the first study's script, and `torch.func.vmap` over all members."""
# pyright: reportMissingImports=false

import os
import time
from math import ceil

import numpy as np
import torch
from torch.func import grad, vmap
from worker import serve

CORES = os.cpu_count() or 1
DEFAULT_THREADS = torch.get_num_threads()
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TUNE_SECONDS = 1.0

task: dict = {}


def load(path: str) -> dict:
    """Read the weights and data that all sides share."""
    torch.set_default_dtype(torch.float64)
    with np.load(path, allow_pickle=False) as arrays:
        task.update({name: torch.from_numpy(arrays[name]) for name in arrays.files})
    task["labels"] = task["targets"].argmax(dim=1)
    cuda = {"gpu": torch.cuda.get_device_name()} if DEVICE == "cuda" else {}
    return {"torch": torch.__version__, **cuda}


def tune(steps: int) -> dict:
    """Find the batch size and threads with the most member-steps per second, and the threads of the serial loop."""
    members = len(task["kernel_0"])
    threads = (1, CORES) if CORES > 1 else (1,)
    batches = [size for size in (64, 128, 256, 512, 1024) if size < members] + [members]
    candidates = [{"batch": size, "threads": count} for size in batches for count in threads]
    return {
        "vmap": max(candidates, key=lambda candidate: _quick_rate(candidate, steps)),
        "serial": max(threads, key=lambda count: serial(members=1, steps=steps, threads=count)["rate"]),
    }


def _quick_rate(candidate: dict, steps: int) -> float:
    stacked(steps=2, members=candidate["batch"], **candidate)
    once = stacked(steps=2, members=candidate["batch"], **candidate)
    longer = min(steps, ceil(TUNE_SECONDS * once["rate"] / candidate["batch"]))
    return stacked(steps=longer, members=candidate["batch"], **candidate)["rate"]


def serial(members: int, steps: int, threads: int) -> dict:
    """One network after the other, with autograd and torch.optim.SGD, on the CPU."""
    torch.set_num_threads(threads)
    inputs, labels, learning_rate = task["inputs"], task["labels"], float(task["learning_rate"])
    criterion = torch.nn.CrossEntropyLoss()
    losses = []
    begun = time.perf_counter()
    for member in range(members):
        layers = [torch.nn.Linear(*task[f"kernel_{i}"].shape[1:]) for i in (0, 1)]
        model = torch.nn.Sequential(layers[0], torch.nn.Sigmoid(), layers[1])
        with torch.no_grad():
            for i, layer in enumerate(layers):
                layer.weight.copy_(task[f"kernel_{i}"][member].T)
                layer.bias.copy_(task[f"bias_{i}"][member])
        optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
        for _ in range(steps):
            optimizer.zero_grad()
            criterion(model(inputs), labels).backward()
            optimizer.step()
        with torch.no_grad():
            losses.append(criterion(model(inputs), labels).item())
    return {"rate": members * steps / (time.perf_counter() - begun), "losses": losses}


def stacked(members: int, steps: int, batch: int, threads: int) -> dict:
    """`vmap` of `grad` over stacked parameters, `batch` members at a time."""
    torch.set_num_threads(threads)
    inputs, labels = task["inputs"].to(DEVICE), task["labels"].to(DEVICE)
    learning_rate = float(task["learning_rate"])

    def loss(params):
        kernel_0, bias_0, kernel_1, bias_1 = params
        hidden = torch.sigmoid(torch.addmm(bias_0, inputs, kernel_0))
        return torch.nn.functional.cross_entropy(torch.addmm(bias_1, hidden, kernel_1), labels)

    gradient, value = vmap(grad(loss)), vmap(loss)
    everything = [task[name][:members].to(DEVICE) for name in ("kernel_0", "bias_0", "kernel_1", "bias_1")]
    losses = []
    begun = time.perf_counter()
    with torch.no_grad():
        for params in zip(*(array.split(batch) for array in everything), strict=True):
            for _ in range(steps):
                params = tuple(p - learning_rate * g for p, g in zip(params, gradient(params), strict=True))
            losses += value(params).tolist()
    return {"rate": members * steps / (time.perf_counter() - begun), "losses": losses}


if __name__ == "__main__":
    serve(load, tune, serial, threads=lambda: DEFAULT_THREADS, vmap=stacked)
