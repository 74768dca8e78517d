"""What is learned: a loss over parameters, and the quantities read off a network."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from chaosjax._description import describe
from chaosjax._fit import Fit
from chaosjax._losses import LIKELIHOODS, LOSSES, LossFunction, accuracy, r_squared
from chaosjax._microbatches import check_microbatch, outputs_in_parts, summed_in_parts
from chaosjax._precision import working_dtype
from chaosjax._samples import mesh_of, spread
from chaosjax._system import Theta
from chaosjax.datasets import Dataset
from chaosjax.models._functional import Functional, functional


@runtime_checkable
class Initialise(Protocol):
    """Parameters, and what the network carries beside them (or ``()``)."""

    def __call__(self, key: PRNGKeyArray, theta: Theta, /) -> tuple[PyTree, PyTree]: ...


@runtime_checkable
class Objective(Protocol):
    """The loss over the samples of those indices, or of all, and the state afterwards."""

    def __call__(
        self, params: PyTree, state: PyTree, theta: Theta, indices: Int[Array, " b"] | None, /
    ) -> tuple[Float[Array, ""], PyTree]: ...


@runtime_checkable
class Measure(Protocol):
    """An array read off a network: a metric [] or its outputs [n, outputs]."""

    def __call__(self, params: PyTree, state: PyTree, /) -> Array: ...


class Problem(NamedTuple):
    """A learning problem as pure functions.

    Attributes:
        init: ``(key, theta) -> (params, state)``; state is what the network carries beside parameters, or ``()``.
        loss: ``(params, state, theta, indices | None) -> (loss, state)``, over the samples of those indices, or all.
        metrics: named scalars, ``(params, state) -> []``.
        outputs: the network's outputs on the test samples, ``(params, state) -> [n, outputs]``.
        samples: number of training samples, which minibatches are drawn from.
        theta: the control parameters the problem takes, with their defaults.
        attrs: plain values that say what the problem is.
        fit: the loss as a mean over training samples.
        mesh: the devices over which the samples are spread; None: one has them all.
        microbatch: samples that the loss takes at a time; None: all of them.
    """

    init: Initialise
    loss: Objective
    metrics: Mapping[str, Measure] = {}
    outputs: Measure | None = None
    samples: int | None = None
    theta: Mapping[str, float | None] = {}
    attrs: Mapping[str, Any] = {}
    fit: Fit | None = None
    mesh: Mesh | None = None
    microbatch: int | None = None

    def __repr__(self) -> str:
        data = f"{self.attrs.get('dataset', {}).get('name', 'unnamed')}, {self.samples or 'no'} samples"
        parts = [data, *(str(self.attrs[name]) for name in ("model", "loss") if name in self.attrs)]
        return f"Problem({'; '.join(parts)}; metrics {', '.join(self.metrics) or 'none'})"


def supervised(
    model: Any,
    dataset: Dataset,
    loss: str | LossFunction = "cross_entropy",
    weight_decay: float = 0.0,
    dtype: Any = None,
    sample_devices: int | Sequence[Any] | None = None,
    microbatch: int | None = None,
) -> Problem:
    """Supervised learning, ``L(w) = (1/n) Σ_i ℓ(f(x_i; w), y_i) + ½ weight_decay ‖w‖²``.

    Control parameters: ``weight_decay`` (L2 over all parameters) and ``init_scale`` (factor on the initial
    parameters). Metrics: ``train_loss``, ``test_loss`` (without the L2 term); for classes also ``train_accuracy`` and
    ``test_accuracy``, for other targets ``train_r2`` and ``test_r2``, see `r_squared`.

    Args:
        model: see `models.functional`: a network builder of `chaosjax.models`, any Flax NNX module's builder, a Linen
            module, or a pair of ``init(key, inputs)`` and ``apply(params, inputs)``.
        dataset: training and test samples.
        loss: "cross_entropy" (targets are labels or distributions), "squared_error" (½ sum over outputs, mean over
            samples; any targets), or a function of outputs and targets ``[n, outputs]`` that returns one loss per
            sample, ``[n]``.
        weight_decay: default of the control parameter.
        dtype: of data and parameters; default float64 under x64, else float32.
        sample_devices: devices, or how many of JAX's, over which the samples are spread, for problems larger than one
            device: each holds its share, and they compute every step together. Sums over samples then round
            otherwise than on one device. None: every device has all samples, and computes cells of its own.
        microbatch: samples taken at a time: loss and gradient of a step, and all metrics, are summed over parts of so
            many, with the memory of one part; the sums round otherwise. For networks that treat each sample by itself.
            None: all samples of a step at once.

    Raises:
        ValueError: an unknown loss, one that does not fit the targets or returns another shape, or a network whose
            outputs do not have the targets' shape; a number of training samples that sample_devices cannot share; a
            microbatch beside sample_devices, or of a network that carries a state.
        TypeError: a model of no known kind.
    """
    dtype = jnp.dtype(dtype or working_dtype())
    sample_loss = _sample_loss(loss, dataset, dtype)
    likelihood = next((LIKELIHOODS[name] for name, known in LOSSES.items() if known is sample_loss), None)
    samples = len(dataset.train_inputs)
    mesh = mesh_of(sample_devices, samples)
    train = _arrays(dataset.train_inputs, dataset.train_targets, dataset.outputs, dtype, mesh)
    test = _arrays(dataset.test_inputs, dataset.test_targets, dataset.outputs, dtype, mesh)
    network = functional(model, jnp.asarray(dataset.train_inputs[:1], dtype), dataset.outputs, dtype)
    _check_outputs(network, train)
    if microbatch is not None:
        check_microbatch(microbatch, samples, mesh, jax.eval_shape(network.init, jax.random.key(0))[1])

    def init(key: PRNGKeyArray, theta: Theta) -> tuple[PyTree, PyTree]:
        params, state = network.init(key)
        scale = jnp.asarray(theta.get("init_scale", 1.0), dtype)
        return jax.tree.map(lambda leaf: scale * leaf, params), state

    def picked(samples: Array, indices: Int[Array, " b"] | None) -> Array:
        return samples if indices is None else samples[indices]

    def losses(outputs: Float[Array, "n outputs"], indices: Int[Array, " b"] | None) -> Float[Array, " n"]:
        return sample_loss(outputs, picked(train[1], indices))

    def fitted(params: PyTree, state: PyTree, indices: Int[Array, " b"] | None) -> Float[Array, "n outputs"]:
        return network.apply(params, state, picked(train[0], indices), training=True)[0]

    def in_parts(params: PyTree, state: PyTree, indices: Int[Array, " b"] | None, size: int) -> Float[Array, ""]:
        data = [picked(array, indices) for array in train]

        def part(params: PyTree, inputs: Array, targets: Array) -> Float[Array, ""]:
            return jnp.sum(sample_loss(network.apply(params, state, inputs, training=True)[0], targets)) / len(data[0])

        return summed_in_parts(part, min(size, len(data[0])))(params, *data)

    def objective(params: PyTree, state: PyTree, theta: Theta, indices: Int[Array, " b"] | None = None):
        if microbatch is None:
            outputs, state = network.apply(params, state, picked(train[0], indices), training=True)
            value = jnp.mean(losses(outputs, indices))
        else:
            value = in_parts(params, state, indices, microbatch)
        decay = theta.get("weight_decay", weight_decay)
        if isinstance(decay, (int, float)) and decay == 0:
            return value, state
        squares = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
        return value + 0.5 * jnp.asarray(decay, dtype) * squares, state

    def predicted(params: PyTree, state: PyTree, inputs: Array) -> Float[Array, "n outputs"]:
        return outputs_in_parts(lambda x: network.apply(params, state, x, training=False)[0], microbatch, inputs)

    classes = dataset.train_targets.ndim == 1 or "classes" in dataset.attrs
    return Problem(
        init,
        objective,
        _metrics(predicted, sample_loss, classes, {"train": train, "test": test}),
        outputs=lambda params, state: predicted(params, state, test[0]),
        samples=samples,
        theta={"weight_decay": None if weight_decay == 0 else weight_decay, "init_scale": None},
        attrs={
            "dataset": {**dataset.attrs, "checksum": dataset.checksum},
            "model": describe(model),
            "loss": describe(loss),
            "weight_decay": weight_decay,
            "dtype": str(dtype),
            **({} if mesh is None else {"sample_devices": mesh.size}),
            **({} if microbatch is None else {"microbatch": microbatch}),
        },
        fit=Fit(fitted, losses, likelihood),
        mesh=mesh,
        microbatch=microbatch,
    )


def _metrics(
    predicted: Callable[..., Array], sample_loss: LossFunction, classes: bool, parts: Mapping[str, tuple[Array, Array]]
) -> dict[str, Measure]:
    def reading(measure: Callable[[Array, Array], Array], inputs: Array, targets: Array) -> Measure:
        return lambda params, state: measure(predicted(params, state, inputs), targets)

    measures = {
        "loss": lambda outputs, targets: jnp.mean(sample_loss(outputs, targets)),
        **({"accuracy": accuracy} if classes else {"r2": r_squared}),
    }
    return {f"{part}_{name}": reading(measures[name], *data) for name in measures for part, data in parts.items()}


def _sample_loss(loss: str | LossFunction, dataset: Dataset, dtype: Any) -> LossFunction:
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"loss={loss!r} is not known; choose from {', '.join(LOSSES)}, or give a function")
        targets = dataset.train_targets
        distributions = targets.ndim == 1 or (targets.min() >= 0 and np.allclose(targets.sum(axis=1), 1, atol=1e-6))
        if loss == "cross_entropy" and not distributions:
            raise ValueError(
                "loss='cross_entropy' needs labels or targets that are distributions (≥ 0, of sum 1), and those of "
                f"{dataset.attrs['name']} are other numbers; take loss='squared_error' or a function (task=regression)"
            )
        return LOSSES[loss]
    n = dataset.outputs + 1  # unlike the other dimension
    batch = jax.ShapeDtypeStruct((n, dataset.outputs), dtype)
    shape = getattr(jax.eval_shape(loss, batch, batch), "shape", None)
    if shape != (n,):
        raise ValueError(
            f"loss={describe(loss)} returned shape {shape} for outputs and targets {batch.shape}; return one loss per "
            f"sample, ({n},), e.g. by summing over the last axis"
        )
    return loss


def _arrays(inputs, targets, outputs: int, dtype, mesh: Mesh | None) -> tuple[Array, Array]:
    """On the device once, or spread over several.

    Labels become one-hot: picking a logit by index would make every gradient a scatter.
    """
    targets = np.eye(outputs)[targets] if targets.ndim == 1 else targets
    if mesh is not None:
        return spread(np.asarray(inputs, dtype), mesh), spread(np.asarray(targets, dtype), mesh)
    return jnp.asarray(inputs, dtype), jnp.asarray(targets, dtype)


def _check_outputs(network: Functional, train: tuple[Array, Array]) -> None:
    params, state = jax.eval_shape(network.init, jax.random.key(0))
    outputs, _ = jax.eval_shape(
        lambda params, state: network.apply(params, state, train[0][:1], training=True), params, state
    )
    if outputs.shape != train[1][:1].shape:
        raise ValueError(
            f"model: gives outputs of shape {outputs.shape[1:]} per sample, the targets have {train[1].shape[1:]}; "
            "set its output width (a builder that takes out_features is told)"
        )
