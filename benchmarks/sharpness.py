"""Sharpness at every step of gradient descent: products and seconds, beside scipy's eigsh and PyTorch's packages.

``python benchmarks/sharpness.py [--peers PYTHON]``: iris, 4–16(tanh)–3, float64, η = 0.05, 201 records, relative
residuals 1e-3. PYTHON is that of an environment with requirements_curvature.txt; its packages are asked at every tenth
record.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.sparse.linalg
from worker import worker

import chaosjax as cj

scipy_linalg: Any = scipy.sparse.linalg  # its types are wrong about dtype and tol
STEPS, TOLERANCE, EVERY = 200, 1e-3, 10


def seconds(run) -> float:
    """The processor time of the second call."""
    jax.block_until_ready(run())
    start = time.process_time()
    jax.block_until_ready(run())
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", help="Python of an environment with requirements_curvature.txt")
    given = parser.parse_args()
    cj.enable_x64()
    problem = cj.supervised(cj.models.mlp([16], activation="tanh"), cj.datasets.iris())
    system, theta, key = cj.training(problem, optax.sgd), {"learning_rate": 0.05}, jax.random.key(0)
    weights = cj.probes.reading(lambda transition: transition.project(cj.phase(transition.x)[0]), dims=("weight",))

    def train(probes):
        @jax.jit
        def run(key):
            carry = cj.start(system, probes, key, theta)
            return cj.advance(system, probes, carry, 0, theta, key, blocks=STEPS + 1, stride=1)[1]

        return lambda: run(key)

    bare, measured = train({"weights": weights}), train({"weights": weights, "s": cj.probes.sharpness()})
    records = jax.device_get(measured())
    x = system.init(jax.random.fold_in(key, 0), theta)

    @jax.jit
    def product(w, v):
        transition = cj.Transition(system, jnp.int32(0), x, theta, key)
        return jax.jvp(jax.grad(transition.loss_of), (w,), (v,))[1]

    products, values, rng = [], [], np.random.default_rng(0)

    def cold() -> None:
        for w in records["weights"]:
            taken = []

            def count(v, w=w, taken=taken):
                taken.append(1)
                return np.asarray(product(w, v))

            operator = scipy_linalg.LinearOperator((w.size, w.size), matvec=count, dtype=w.dtype)
            found = scipy_linalg.eigsh(operator, 1, which="LA", v0=rng.standard_normal(w.size), tol=TOLERANCE)[0]
            products.append(len(taken))
            values.append(found[0])

    ours, theirs = seconds(measured) - seconds(bare), seconds(cold)
    found = records["s"]
    error = np.max(np.abs(found[""][:, 0] / np.array(values[: STEPS + 1]) - 1))
    print(
        f"chaosjax  {np.mean(found['products']):.2f} products per record, {1e3 * ours:.0f} ms for {STEPS + 1} records"
    )
    print(f"eigsh     {np.mean(products):.2f} products per record, {1e3 * theirs:.0f} ms")
    print(f"converged {np.mean(found['converged']):.0%}, largest relative difference {error:.1e}")
    if given.peers:
        params = jax.vmap(lambda w: cj.curvature.parameters(system, x)[1](w).params)(records["weights"])
        peers(given.peers, params["layers"], np.asarray(found[""][:, 0]))


def peers(python: str, layers: Any, values: np.ndarray) -> None:
    """Ask PyTorch's packages for the largest eigenvalue at every tenth record, and print what they took."""
    data = cj.datasets.iris()
    arrays: dict[str, Any] = {f"{part}_{i}": np.asarray(layers[i][part]) for i in (0, 1) for part in ("kernel", "bias")}
    arrays |= {"inputs": data.train_inputs, "targets": np.eye(data.outputs)[data.train_targets]}
    with tempfile.TemporaryDirectory() as folder, worker("curvature_peers.py", python) as ask:
        np.savez(Path(folder) / "task.npz", **arrays)
        ask("load", path=str(Path(folder) / "task.npz"))
        for name in ("curvlinops", "eigenthings"):
            ask(name, record=0, tolerance=TOLERANCE)
            rows = [ask(name, record=i, tolerance=TOLERANCE) for i in range(0, STEPS + 1, EVERY)]
            mean = {key: np.mean([row[key] for row in rows]) for key in ("products", "seconds")}
            relative = max(row["residual"] / row["value"] for row in rows)
            off = max(abs(row["value"] / value - 1) for row, value in zip(rows, values[::EVERY], strict=True))
            print(
                f"{name:12s} {mean['products']:.1f} products and {1e3 * mean['seconds']:.1f} ms per record; largest "
                f"relative residual {relative:.0e}, difference {off:.0e}"
            )


if __name__ == "__main__":
    main()
