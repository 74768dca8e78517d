"""Networks: their initial distributions, their outputs by hand, and the split of any network into functions."""

import cases
import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax.flatten_util import ravel_pytree

import chaosjax as cj
from chaosjax._losses import cross_entropy
from chaosjax.models._functional import functional

KEY = jax.random.key(0)
INPUTS = jnp.asarray(np.random.default_rng(0).standard_normal((7, 64)))


def split(model, inputs=INPUTS, outputs=3):
    return functional(model, inputs, outputs, jnp.float64)


@pytest.mark.parametrize(("init", "deviation"), [("normal", 1), ("lecun", 1 / 8), ("he", np.sqrt(2) / 8), ("ntk", 1)])
def test_kernels_have_the_deviation_of_their_initialisation(init, deviation):
    params, _ = jax.jit(split(cj.models.mlp([400], init=init, init_scale=0.5)).init)(KEY)
    kernel = params["layers"][0]["kernel"]
    # the standard error of the deviation of n normal numbers is σ/√(2n)
    assert abs(kernel.std() / (0.5 * deviation) - 1) < 4 / np.sqrt(2 * kernel.size)
    assert abs(kernel.mean()) < 4 * 0.5 * deviation / np.sqrt(kernel.size)
    assert not params["layers"][0]["bias"].any()


@pytest.mark.parametrize("widths", [(5,), (40, 48), ()])  # with samples last, with samples first, linear
@pytest.mark.parametrize("init", ["normal", "ntk"])
def test_mlp_by_hand(widths, init):
    network = split(cj.models.mlp(widths, activation="sigmoid", init=init))
    params, state = jax.jit(network.init)(KEY)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases that are not 0
    outputs, _ = jax.jit(network.apply, static_argnums=3)(params, state, INPUTS, True)
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
    params, state = jax.jit(network.init)(KEY)
    outputs, _ = jax.jit(network.apply, static_argnums=3)(params, state, INPUTS, True)
    images = INPUTS.reshape(7, 8, 8, 1)
    shaped, _ = split(cj.models.cnn([2], activation="relu"), images).apply(params, state, images, True)
    np.testing.assert_array_equal(outputs, shaped)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel, bias = params["convolutions"][0]["kernel"], params["convolutions"][0]["bias"]
    patches = np.stack([padded[:, i : i + 8, j : j + 8, 0] for i in range(3) for j in range(3)], axis=-1)
    h = np.maximum(np.asarray(patches @ kernel.reshape(9, 2)) + np.asarray(bias), 0)
    h = h.reshape(7, 4, 2, 4, 2, 2).mean(axis=(2, 4)).reshape(7, -1)
    np.testing.assert_allclose(outputs, h @ params["head"]["kernel"] + params["head"]["bias"][None], rtol=1e-12)


def test_transformer_by_hand():
    tokens = INPUTS[:, :20].reshape(7, 4, 5)
    network = split(cj.models.transformer(6, heads=2, activation="relu"), tokens)
    params, state = jax.jit(network.init)(KEY)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases that are not 0
    outputs, _ = jax.jit(network.apply, static_argnums=3)(params, state, tokens, True)

    def norm(h, p):
        centred = h - h.mean(axis=-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-6) * p["scale"] + p["bias"]

    def linear(h, p):
        return h @ np.asarray(p["kernel"]) + np.asarray(p["bias"])

    h = linear(np.asarray(tokens), params["embedding"]) + np.asarray(params["positions"])
    block = jax.tree.map(np.asarray, params["blocks"][0])
    attention, normed = block["attention"], norm(h, block["attention_norm"])
    query, key, value = (
        np.einsum("nlf,fhd->nhld", normed, attention[name]["kernel"]) + attention[name]["bias"][:, None]
        for name in ("query", "key", "value")
    )
    weights = np.exp(query @ key.swapaxes(-1, -2) / np.sqrt(3))
    weights /= weights.sum(axis=-1, keepdims=True)
    h = h + np.einsum("nhld,hdf->nlf", weights @ value, attention["out"]["kernel"]) + attention["out"]["bias"]
    h = h + linear(np.maximum(linear(norm(h, block["mlp_norm"]), block["hidden"]), 0), block["out"])
    by_hand = linear(norm(h, jax.tree.map(np.asarray, params["norm"])).mean(axis=1), params["head"])
    np.testing.assert_allclose(outputs, by_hand, rtol=1e-10)


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


class LinenNormalised(linen.Module):
    """The net of `cases.Normalised`, with the switch that Linen modules usually have."""

    @linen.compact
    def __call__(self, inputs, train: bool):
        h = linen.Dense(3, name="hidden")(inputs)
        h = linen.BatchNorm(use_running_average=not train, momentum=0.7, name="norm")(h)
        return linen.Dense(2, name="head")(jnp.tanh(h))


class LinenDropped(linen.Module):
    @linen.compact
    def __call__(self, inputs, deterministic=True):
        return linen.Dense(2)(linen.Dropout(0.5, deterministic=deterministic)(linen.Dense(6)(inputs)))


def make_equinox(key):
    return equinox.nn.MLP(2, 2, 3, 1, key=key)


def equinox_pair():
    """The recipe of the error message."""
    static = equinox.partition(make_equinox(KEY), equinox.is_inexact_array)[1]
    return (
        lambda key, x: equinox.filter(make_equinox(key), equinox.is_inexact_array),
        lambda params, x: jax.vmap(equinox.combine(params, static))(x),
    )


MODELS = {
    "linen": LinenNet(),
    "linen batch norm": LinenNormalised(),
    "linen dropout": LinenDropped(),
    "pair": cases.network,
    "tuple": tuple(cases.network),
    "equinox pair": equinox_pair(),
    "nnx builder": lambda rngs: NnxNet(rngs),
    "nnx class": NnxNet,
    "nnx with shapes": cj.models.mlp([3]),
    "batch norm": cases.Normalised,
    "dropout": cases.Dropped,
}


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_network_descends_its_loss(name):
    problem = cases.problem(MODELS[name])
    init = jax.jit(problem.init)
    params, state = init(KEY, {})
    assert all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(params))
    other, _ = init(jax.random.key(1), {})
    assert (ravel_pytree(params)[0] != ravel_pytree(other)[0]).any()
    loss = jax.jit(lambda params: problem.loss(params, state, {"weight_decay": 0.01}, None)[0])
    gradient = jax.jit(jax.grad(loss))(params)
    square = sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(gradient))
    rate = 1e-5 / jnp.sqrt(square)
    after = loss(jax.tree.map(lambda p, g: p - rate * g, params, gradient))
    np.testing.assert_allclose((loss(params) - after) / (rate * square), 1, rtol=1e-3)


def test_running_averages_move_in_training_and_are_used_in_evaluation():
    network = split(cases.Normalised, INPUTS[:, :2])
    params, state = jax.jit(network.init)(KEY)
    trained, after = network.apply(params, state, INPUTS[:, :2], True)
    mean = np.asarray(INPUTS[:, :2] @ params["hidden"]["kernel"] + params["hidden"]["bias"][None]).mean(axis=0)
    np.testing.assert_allclose(after["norm"]["mean"], 0.3 * mean, rtol=1e-10)
    evaluated, unchanged = network.apply(params, after, INPUTS[:, :2], False)
    assert (np.abs(evaluated - trained) > 1e-3).any()
    jax.tree.map(np.testing.assert_array_equal, unchanged, after)


def test_linen_and_nnx_agree_on_a_network_with_running_averages():
    linen_net, nnx_net = (split(model, INPUTS[:, :2]) for model in (LinenNormalised(), cases.Normalised))
    params, state = nnx_net.init(KEY)
    collections = {"batch_stats": {"norm": {"mean": state["norm"]["mean"], "var": state["norm"]["var"]}}}
    assert jax.tree.structure(linen_net.init(KEY)[1]) == jax.tree.structure(collections)
    params = {**params, "head": {**params["head"], "kernel": params["head"]["kernel"][:, :2], "bias": jnp.ones(2)}}
    nnx_net = split(lambda rngs: cases.Normalised((2,), 2, rngs=rngs), INPUTS[:, :2])
    for training in (True, True, False):
        ours, collections = linen_net.apply(params, collections, INPUTS[:, :2], training)
        theirs, state = nnx_net.apply(params, state, INPUTS[:, :2], training)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)  # Linen takes the variance as a difference of squares
        np.testing.assert_allclose(collections["batch_stats"]["norm"]["mean"], state["norm"]["mean"], rtol=1e-10)


def test_a_loss_that_does_not_fit_is_refused():
    data = cases.dataset()
    numbers = cj.datasets.arrays(data.train_inputs, data.train_inputs[:, :1], name="mine")
    builder = cj.models.mlp([3])
    losses = {
        "mean": lambda outputs, targets: jnp.mean((outputs - targets) ** 2),
        "kept": lambda outputs, targets: jnp.sum((outputs - targets) ** 2, axis=-1, keepdims=True),
        "other axis": lambda outputs, targets: jnp.sum((outputs - targets) ** 2, axis=0),
    }
    for loss, shape in zip(losses.values(), [r"\(\)", r"\(3, 1\)", r"\(2,\)"], strict=True):
        with pytest.raises(
            ValueError, match=rf"returned shape {shape} for .*\(3, 2\); return one loss per sample, \(3,\)"
        ):
            cj.supervised(builder, data, loss=loss)
    with pytest.raises(ValueError, match="those of mine are other numbers; take loss='squared_error'"):
        cj.supervised(builder, numbers)
    with pytest.raises(ValueError, match="those of iris are other numbers"):
        cj.supervised(builder, cj.datasets.iris(targets="plus_minus_one"))
    one_hot = cj.supervised(builder, cj.datasets.iris(targets="one_hot"))
    labels = cj.supervised(builder, cj.datasets.iris())
    params, state = labels.init(KEY, {})
    np.testing.assert_array_equal(one_hot.loss(params, state, {}, None)[0], labels.loss(params, state, {}, None)[0])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("scale", [0.1, 1e4])
def test_cross_entropy_is_that_of_log_softmax_to_the_last_bit_and_so_are_its_derivatives(dtype, scale):
    rng = np.random.default_rng(0)
    outputs = jnp.asarray(scale * rng.normal(size=(50, 4)), dtype)
    labels = jnp.eye(4, dtype=dtype)[rng.integers(0, 4, 50)]

    def plain(outputs, targets):
        return -jnp.sum(targets * jax.nn.log_softmax(outputs), axis=-1)

    def derivatives(loss):
        def mean(outputs, targets):
            return jnp.mean(loss(outputs, targets))

        def all_of(outputs, targets):
            along = jnp.cos(outputs), jnp.zeros_like(targets)
            _, turned = jax.jvp(jax.grad(mean), (outputs, targets), along)
            return loss(outputs, targets), *jax.grad(mean, argnums=(0, 1))(outputs, targets), turned

        return jax.jit(all_of)(outputs, labels)

    for ours, reference in zip(*map(derivatives, (cross_entropy, plain)), strict=True):
        np.testing.assert_array_equal(ours, reference)
    soft = jax.nn.softmax(jnp.asarray(rng.normal(size=(50, 4)), dtype))
    rounding = 8 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(cross_entropy(outputs, soft), plain(outputs, soft), rounding, rounding * scale)


def test_regression_on_numbers_of_your_own():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((50, 3))
    values = inputs @ [1.0, -2.0, 0.5]
    problem = cj.supervised(cj.models.mlp([]), cj.datasets.arrays(inputs, values, test=10), loss="squared_error")
    params = {"layers": {0: {"kernel": jnp.asarray([[1.0], [-2.0], [0.5]]), "bias": jnp.zeros(1)}}}
    assert jax.tree.structure(params) == jax.tree.structure(problem.init(KEY, {})[0])
    assert float(problem.metrics["test_loss"](params, ())) < 1e-28
    assert set(problem.metrics) == {"train_loss", "test_loss", "train_r2", "test_r2"}
    params["layers"][0]["bias"] += 2.0
    np.testing.assert_allclose(problem.loss(params, (), {}, None)[0], 2.0, rtol=1e-12)


def test_repr_of_a_problem_is_short():
    shown = repr(cases.problem(cj.models.mlp([3])))
    assert shown.startswith("Problem(x, 10 samples; chaosjax.models._mlp.MLP(")
    assert shown.endswith("; cross_entropy; metrics train_loss, test_loss, train_accuracy, test_accuracy)")
    assert "0x" not in shown + repr(cases.problem(tuple(cases.network)))
    assert repr(cj.Problem(None, None)) == "Problem(unnamed, no samples; metrics none)"


def test_a_tuple_is_the_pair():
    pair, plain = (split(model, INPUTS[:, :2]) for model in (cases.network, tuple(cases.network)))
    params, state = plain.init(KEY)
    np.testing.assert_array_equal(ravel_pytree(params)[0], ravel_pytree(pair.init(KEY)[0])[0])
    np.testing.assert_array_equal(
        plain.apply(params, state, INPUTS[:, :2], True)[0], pair.apply(params, (), INPUTS[:, :2], True)[0]
    )


def test_a_linen_network_without_collections_has_no_state():
    params, state = split(LinenNet(), INPUTS[:, :2]).init(KEY)
    assert set(params) == {"Dense_0", "Dense_1"}
    assert not jax.tree.leaves(state)


@pytest.mark.parametrize("name", ["linen batch norm", "linen dropout", "tuple", "equinox pair"])
def test_a_sweep_goes_through_every_new_kind(name):
    system = cj.training(cases.problem(MODELS[name]), cases.heavy_ball, batch_size=4)
    probes = {"loss": cj.probes.loss(), "growth": cj.probes.lyapunov()}
    ds = cj.sweep(system, probes, {"learning_rate": [0.1], "seed": [0, 1]}, steps=6, progress=False)
    assert np.isfinite(ds.growth).all()
    assert (ds.loss.isel(time=-1) < ds.loss.isel(time=0)).all() or name == "linen dropout"


@pytest.mark.parametrize("model", [cases.Dropped, LinenDropped()])
def test_dropout_draws_anew_in_training_and_never_in_evaluation(model):
    network = split(model, INPUTS[:, :2])
    params, state = jax.jit(network.init)(KEY)
    first, after = network.apply(params, state, INPUTS[:, :2], True)
    second, _ = network.apply(params, after, INPUTS[:, :2], True)
    assert (first != second).any()
    one, two = (network.apply(params, s, INPUTS[:, :2], False)[0] for s in (state, after))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: cj.models.mlp([0]), ValueError, "widths=0 must be an integer of at least 1"),
        (lambda: cj.models.mlp([3], activation="tahn"), ValueError, "activation='tahn' is not known; choose from tanh"),
        (lambda: cj.models.mlp([3], init="xaviar"), ValueError, "init='xaviar' is not known; choose from normal"),
        (lambda: cj.models.mlp([3], init_scale=0.0), ValueError, "init_scale=0.0 must be positive"),
        (lambda: cj.models.cnn([]), ValueError, r"channels=\[\] must hold at least one number"),
        (lambda: cj.models.cnn(init="ntk"), ValueError, "init='ntk' is not defined here"),
        (lambda: split(cj.models.cnn([1] * 4)), ValueError, "4 poolings leave nothing of 8×8 images"),
        (lambda: split(cj.models.cnn(), INPUTS[:, :5]), ValueError, r"shape \(5,\) are no images"),
        (lambda: cj.models.transformer(5, heads=2), ValueError, "heads=2 does not divide features=5"),
        (lambda: cj.models.transformer(blocks=0), ValueError, "blocks=0 must be an integer of at least 1"),
        (lambda: split(cj.models.transformer()), ValueError, r"shape \(64,\) are no sequences"),
        (lambda: split(NnxNet(nnx.Rngs(0))), TypeError, "NnxNet is one built NNX module; give a function"),
        (lambda: split(lambda rngs: 3), TypeError, "the builder returned int, not an nnx.Module"),
        (lambda: split("mlp"), TypeError, "model: 'mlp' has no init and apply functions"),
        (
            lambda: split(LinenNet),
            TypeError,
            r"LinenNet is a class of Linen modules; give an instance, LinenNet\(...\)",
        ),
        (lambda: split(make_equinox(KEY)), TypeError, r"MLP is an Equinox module; give a pair \(init, apply\)"),
        (lambda: split(lambda rngs: make_equinox(KEY)), TypeError, "MLP is an Equinox module; give a pair"),
        (lambda: split(cases.network.apply), TypeError, r"_apply_network\(params, inputs\) builds no NNX module"),
    ],
)
def test_bad_input_is_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_scales_and_biases_of_an_mlp_may_differ_by_layer():
    """Xavier, N(0, 2σ²/(n + m)): the network of the Chebyshev regression of Cohen et al. 2021."""
    build = cj.models.mlp([4000], init="xavier", init_scale=[1.9, 1.0], use_bias=[True, False])
    network = build((1,), 1, rngs=nnx.Rngs(0))
    first, last = network.layers
    assert first.bias is not None
    assert last.bias is None
    for layer, scale in ((first, 1.9), (last, 1.0)):
        assert float(jnp.std(layer.kernel[...])) == pytest.approx(scale * (2 / 4001) ** 0.5, rel=0.05)
    with pytest.raises(ValueError, match="one value, or one for each of the 2 layers"):
        cj.models.mlp([4], use_bias=[True])
