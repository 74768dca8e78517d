"""Networks: their initial distributions, their outputs by hand, and the split of any network into functions."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax.flatten_util import ravel_pytree

import chaosjax as cj
from chaosjax.models._functional import functional

KEY = jax.random.key(0)
INPUTS = jnp.asarray(np.random.default_rng(0).standard_normal((7, 64)))


def split(model, inputs=INPUTS, outputs=3):
    return functional(model, inputs, outputs, jnp.float64)


@pytest.mark.parametrize(("init", "deviation"), [("normal", 1), ("lecun", 1 / 8), ("he", np.sqrt(2) / 8), ("ntk", 1)])
def test_kernels_have_the_deviation_of_their_initialisation(init, deviation):
    params, _ = split(cj.models.mlp([400], init=init, init_scale=0.5)).init(KEY)
    kernel = params["layers"][0]["kernel"]
    # the standard error of the deviation of n normal numbers is σ/√(2n)
    assert abs(kernel.std() / (0.5 * deviation) - 1) < 4 / np.sqrt(2 * kernel.size)
    assert abs(kernel.mean()) < 4 * 0.5 * deviation / np.sqrt(kernel.size)
    assert not params["layers"][0]["bias"].any()


@pytest.mark.parametrize("widths", [(5,), (40, 48), ()])  # with samples last, with samples first, linear
@pytest.mark.parametrize("init", ["normal", "ntk"])
def test_mlp_by_hand(widths, init):
    network = split(cj.models.mlp(widths, activation="sigmoid", init=init))
    params, state = network.init(KEY)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases that are not 0
    outputs, _ = network.apply(params, state, INPUTS, True)
    h = np.asarray(INPUTS)
    for i in range(len(widths) + 1):
        layer = params["layers"][i]
        h = h / np.sqrt(h.shape[1]) if init == "ntk" else h
        h = h @ layer["kernel"] + layer["bias"][None]
        h = 1 / (1 + np.exp(-h)) if i < len(widths) else h
    np.testing.assert_allclose(outputs, h, rtol=1e-12)


@pytest.mark.parametrize("model", [cj.models.mlp([4], use_bias=False), cj.models.cnn([2], use_bias=False)])
def test_without_bias_there_is_none(model):
    params, _ = split(model).init(KEY)
    assert not any("bias" in jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(params))


def test_cnn_by_hand_and_on_flat_images():
    network = split(cj.models.cnn([2], kernel_size=3, activation="relu"))
    params, state = network.init(KEY)
    outputs, _ = network.apply(params, state, INPUTS, True)
    images = INPUTS.reshape(7, 8, 8, 1)
    shaped, _ = split(cj.models.cnn([2], activation="relu"), images).apply(params, state, images, True)
    np.testing.assert_array_equal(outputs, shaped)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel, bias = params["convolutions"][0]["kernel"], params["convolutions"][0]["bias"]
    patches = np.stack([padded[:, i : i + 8, j : j + 8, 0] for i in range(3) for j in range(3)], axis=-1)
    h = np.maximum(np.asarray(patches @ kernel.reshape(9, 2)) + np.asarray(bias), 0)
    h = h.reshape(7, 4, 2, 4, 2, 2).mean(axis=(2, 4)).reshape(7, -1)
    np.testing.assert_allclose(outputs, h @ params["head"]["kernel"] + params["head"]["bias"][None], rtol=1e-12)


class LinenNet(linen.Module):
    outputs: int = 2

    @linen.compact
    def __call__(self, inputs):
        return linen.Dense(self.outputs, param_dtype=jnp.float64)(jnp.tanh(linen.Dense(3)(inputs)))


class NnxNet(nnx.Module):
    def __init__(self, rngs):
        self.hidden, self.head = nnx.Linear(2, 3, rngs=rngs), nnx.Linear(3, 2, rngs=rngs)

    def __call__(self, inputs):
        return self.head(jnp.tanh(self.hidden(inputs)))


MODELS = {
    "linen": LinenNet(),
    "pair": cases.network,
    "nnx builder": lambda rngs: NnxNet(rngs),
    "nnx class": NnxNet,
    "nnx with shapes": cj.models.mlp([3]),
    "batch norm": cases.Normalised,
    "dropout": cases.Dropped,
}


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_network_descends_its_loss(name):
    problem = cases.problem(MODELS[name])
    params, state = problem.init(KEY, {})
    assert all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(params))
    other, _ = problem.init(jax.random.key(1), {})
    assert (ravel_pytree(params)[0] != ravel_pytree(other)[0]).any()
    loss = lambda params: problem.loss(params, state, {"weight_decay": 0.01}, None)[0]  # noqa: E731
    gradient = jax.grad(loss)(params)
    square = sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(gradient))
    rate = 1e-5 / jnp.sqrt(square)
    after = loss(jax.tree.map(lambda p, g: p - rate * g, params, gradient))
    np.testing.assert_allclose((loss(params) - after) / (rate * square), 1, rtol=1e-3)


def test_running_averages_move_in_training_and_are_used_in_evaluation():
    network = split(cases.Normalised, INPUTS[:, :2])
    params, state = network.init(KEY)
    trained, after = network.apply(params, state, INPUTS[:, :2], True)
    mean = np.asarray(INPUTS[:, :2] @ params["hidden"]["kernel"] + params["hidden"]["bias"][None]).mean(axis=0)
    np.testing.assert_allclose(after["norm"]["mean"], 0.3 * mean, rtol=1e-10)
    evaluated, unchanged = network.apply(params, after, INPUTS[:, :2], False)
    assert (np.abs(evaluated - trained) > 1e-3).any()
    jax.tree.map(np.testing.assert_array_equal, unchanged, after)


def test_dropout_draws_anew_in_training_and_never_in_evaluation():
    network = split(cases.Dropped, INPUTS[:, :2])
    params, state = network.init(KEY)
    first, after = network.apply(params, state, INPUTS[:, :2], True)
    second, _ = network.apply(params, after, INPUTS[:, :2], True)
    assert (first != second).any()
    one, two = (network.apply(params, s, INPUTS[:, :2], False)[0] for s in (state, after))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: cj.models.mlp([0]), ValueError, r"widths=\[0\] must be positive integers"),
        (lambda: cj.models.mlp([3], activation="tahn"), ValueError, "activation='tahn' is not known; choose from tanh"),
        (lambda: cj.models.mlp([3], init="xavier"), ValueError, "init='xavier' is not known; choose from normal"),
        (lambda: cj.models.mlp([3], init_scale=0.0), ValueError, "init_scale=0.0 must be positive"),
        (lambda: cj.models.cnn([]), ValueError, r"channels=\[\] must be positive integers, at least one"),
        (lambda: cj.models.cnn(init="ntk"), ValueError, "init='ntk' is not defined here"),
        (lambda: split(cj.models.cnn([1] * 4)), ValueError, "4 poolings leave nothing of 8×8 images"),
        (lambda: split(cj.models.cnn(), INPUTS[:, :5]), ValueError, r"shape \(5,\) are no images"),
        (lambda: split(NnxNet(nnx.Rngs(0))), TypeError, "NnxNet is one built NNX module; give a function"),
        (lambda: split(lambda rngs: 3), TypeError, "the builder returned int, not an nnx.Module"),
        (lambda: split("mlp"), TypeError, "model: 'mlp' has no init and apply functions"),
    ],
)
def test_bad_input_is_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()
