"""A small convolutional network."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

from chaosjax._checks import check_count
from chaosjax.models._initializers import Activation, activation_function, initializer


class CNN(nnx.Module):
    """Convolutions, each with an activation and 2×2 average pooling, then a linear layer."""

    def __init__(
        self,
        in_shape: Sequence[int],
        out_features: int,
        *,
        channels: Sequence[int],
        kernel_size: int,
        activation: str | Activation,
        init: str,
        init_scale: float,
        use_bias: bool,
        rngs: nnx.Rngs,
    ):
        self.image = _image_shape(in_shape)
        kernel_init = initializer(init, init_scale)
        self.activation = activation_function(activation)
        sizes = [self.image[2], *channels]
        self.convolutions = nnx.List(
            nnx.Conv(a, b, (kernel_size, kernel_size), use_bias=use_bias, kernel_init=kernel_init, rngs=rngs)
            for a, b in pairwise(sizes)
        )
        height, width = self.image[0] >> len(channels), self.image[1] >> len(channels)
        if not (height and width):
            raise ValueError(f"cnn: {len(channels)} poolings leave nothing of {self.image[0]}×{self.image[1]} images")
        features = height * width * channels[-1]
        self.head = nnx.Linear(features, out_features, use_bias=use_bias, kernel_init=kernel_init, rngs=rngs)

    def __call__(self, inputs: Float[Array, "n ..."]) -> Float[Array, "n outputs"]:
        h = inputs.reshape(-1, *self.image)
        for convolution in self.convolutions:
            h = nnx.avg_pool(self.activation(_convolve(convolution, h)), (2, 2), (2, 2))
        return self.head(h.reshape(h.shape[0], -1))


def _convolve(layer: nnx.Conv, h: Float[Array, "n height width inputs"]) -> Float[Array, "n height width outputs"]:
    """The layer on zero-padded images, as one matrix product on a CPU.

    Networks side by side (cells, copies) are to XLA one convolution in groups, which its CPU backend runs without
    vector instructions.
    """

    def product(h: Array, kernel: Array) -> Array:
        size, (height, width) = kernel.shape[0], h.shape[1:3]
        before = (size - 1) // 2
        padded = jnp.pad(h, ((0, 0), *[(before, size - 1 - before)] * 2, (0, 0)))
        shifts = [(i, j) for i in range(size) for j in range(size)]
        patches = jnp.concatenate([padded[:, i : i + height, j : j + width] for i, j in shifts], axis=-1)
        return patches @ kernel.reshape(-1, kernel.shape[-1])

    def convolution(h: Array, kernel: Array) -> Array:
        return lax.conv_general_dilated(h, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    out = lax.platform_dependent(h, layer.kernel[...], cpu=product, default=convolution)
    return out if layer.bias is None else out + layer.bias[...][None, None, None]


def cnn(
    channels: Sequence[int] = (8, 16),
    kernel_size: int = 3,
    activation: str | Activation = "tanh",
    init: str = "lecun",
    init_scale: float = 1.0,
    use_bias: bool = True,
) -> partial[CNN]:
    """A small convolutional network for images, flattened (square, one or three channels) or not.

    Args:
        channels: output channels of each convolution; each is followed by 2×2 average pooling.
        kernel_size: of the convolutions, in pixels.
        activation: a name (tanh, sigmoid, relu, gelu, …) or a function.
        init: as in `mlp`, without "ntk".
        init_scale: as in `mlp`.
        use_bias: whether layers have biases.

    Returns:
        A builder ``(in_shape, out_features, rngs) -> CNN``.

    Raises:
        ValueError: an unknown name, no channels, or images that the poolings shrink to nothing.
    """
    if init == "ntk":
        raise ValueError("cnn: init='ntk' is not defined here; choose normal, lecun or he")
    if not channels:
        raise ValueError("cnn: channels=[] must hold at least one number")
    for channel in channels:
        check_count("channels", channel, what="each convolution's")
    activation_function(activation)
    initializer(init, init_scale)
    return partial(
        CNN,
        channels=tuple(channels),
        kernel_size=kernel_size,
        activation=activation,
        init=init,
        init_scale=init_scale,
        use_bias=use_bias,
    )


def _image_shape(in_shape: Sequence[int]) -> tuple[int, int, int]:
    if len(in_shape) == 3:
        return (in_shape[0], in_shape[1], in_shape[2])
    if len(in_shape) == 2:
        return (in_shape[0], in_shape[1], 1)
    for channels in (1, 3):
        side = round((in_shape[0] / channels) ** 0.5)
        if side * side * channels == in_shape[0]:
            return (side, side, channels)
    raise ValueError(f"cnn: samples of shape {tuple(in_shape)} are no images; load the data set with flatten=False")
