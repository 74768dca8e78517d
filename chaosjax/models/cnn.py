"""A small convolutional network."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

from flax import nnx
from jaxtyping import Array, Float

from chaosjax.models.initializers import activation as named_activation
from chaosjax.models.initializers import initializer


class CNN(nnx.Module):
    """Convolutions, each with an activation and 2×2 average pooling, then a linear layer."""

    def __init__(
        self,
        in_shape: Sequence[int],
        out_features: int,
        *,
        channels: Sequence[int],
        kernel_size: int,
        activation: str | Callable[[Array], Array],
        init: str,
        init_scale: float,
        use_bias: bool,
        rngs: nnx.Rngs,
    ):
        self.image = _image_shape(in_shape)
        kernel_init = initializer(init, init_scale)
        self.activation = named_activation(activation)
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
            h = nnx.avg_pool(self.activation(convolution(h)), (2, 2), (2, 2))
        return self.head(h.reshape(h.shape[0], -1))


def cnn(
    channels: Sequence[int] = (8, 16),
    kernel_size: int = 3,
    activation: str | Callable[[Array], Array] = "tanh",
    init: str = "lecun",
    init_scale: float = 1.0,
    use_bias: bool = True,
) -> Callable[..., nnx.Module]:
    """A small convolutional network for images, flattened (square, one or three channels) or not.

    Args:
        channels: output channels of each convolution; each is followed by 2×2 average pooling.
        init: as in `mlp`, without "ntk".

    Raises:
        ValueError: for an unknown name, no channels, or images that the poolings shrink to nothing.
    """
    if init == "ntk":
        raise ValueError("cnn: init='ntk' is not defined here; choose normal, lecun or he")
    if not channels or any(channel != int(channel) or channel < 1 for channel in channels):
        raise ValueError(f"cnn: channels={list(channels)} must be positive integers, at least one")
    named_activation(activation)
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
