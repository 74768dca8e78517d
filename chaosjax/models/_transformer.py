"""A small transformer."""

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from chaosjax._checks import check_count
from chaosjax.models._initializers import Activation, activation_function


class Block(nnx.Module):
    """``h ← h + attention(norm(h))``, then ``h ← h + V φ(W norm(h))``."""

    def __init__(self, features: int, *, heads: int, activation: str | Activation, rngs: nnx.Rngs):
        self.activation = activation_function(activation)
        self.attention_norm, self.mlp_norm = nnx.LayerNorm(features, rngs=rngs), nnx.LayerNorm(features, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(heads, features, decode=False, attention_fn=_attend, rngs=rngs)
        self.hidden, self.out = (
            nnx.Linear(features, 2 * features, rngs=rngs),
            nnx.Linear(2 * features, features, rngs=rngs),
        )

    def __call__(self, h: Float[Array, "n length features"]) -> Float[Array, "n length features"]:
        h = h + self.attention(self.attention_norm(h))
        return h + self.out(self.activation(self.hidden(self.mlp_norm(h))))


def _attend(query: Array, key: Array, value: Array, **_: Any) -> Float[Array, "n length heads numbers"]:
    """Softmax attention in the dtype of its arguments: that of Flax is float32, also in a float64 network."""
    scores = jnp.einsum("nqhd,nkhd->nhqk", query, key) / query.shape[-1] ** 0.5
    return jnp.einsum("nhqk,nkhd->nqhd", jax.nn.softmax(scores), value)


class Transformer(nnx.Module):
    """Tokens embedded with their positions, blocks of attention, and a linear layer on the mean over positions."""

    def __init__(
        self,
        in_shape: Sequence[int],
        out_features: int,
        *,
        features: int,
        heads: int,
        blocks: int,
        activation: str | Activation,
        rngs: nnx.Rngs,
    ):
        if len(in_shape) < 2:
            raise ValueError(
                f"transformer: samples of shape {tuple(in_shape)} are no sequences; give [length, numbers per token], "
                "e.g. one-hot tokens"
            )
        self.embedding = nnx.Linear(prod(in_shape[1:]), features, rngs=rngs)
        self.positions = nnx.Param(jax.random.normal(rngs.params(), (in_shape[0], features)) / features**0.5)
        self.blocks = nnx.List(Block(features, heads=heads, activation=activation, rngs=rngs) for _ in range(blocks))
        self.norm = nnx.LayerNorm(features, rngs=rngs)
        self.head = nnx.Linear(features, out_features, rngs=rngs)

    def __call__(self, inputs: Float[Array, "n length ..."]) -> Float[Array, "n outputs"]:
        tokens = inputs.reshape(*inputs.shape[:2], -1)
        h = self.embedding(tokens) + self.positions[...][None]
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h).mean(axis=1))


def transformer(
    features: int = 16, heads: int = 2, blocks: int = 1, activation: str | Activation = "gelu"
) -> partial[Transformer]:
    """A small pre-norm transformer encoder for sequences ``[length, numbers per token]``; no mask.

    ``f(x) = W mean_t norm(h_t)``, with h the embedded tokens plus a learned position, after the blocks.

    Args:
        features: numbers per position inside.
        heads: of each attention; divides features.
        blocks: of attention and a two-layer perceptron of twice the features; at least 1.
        activation: of the perceptrons: a name (gelu, relu, tanh, …) or a function.

    Returns:
        A builder ``(in_shape, out_features, rngs) -> Transformer``.

    Raises:
        ValueError: a number below 1, heads that do not divide features, or samples that are no sequences.

    Source: Vaswani et al., NeurIPS 2017; norms first as in Xiong et al., ICML 2020.
    """
    for name, value in {"features": features, "heads": heads, "blocks": blocks}.items():
        check_count(name, value)
    if features % heads:
        raise ValueError(f"transformer: heads={heads} does not divide features={features}")
    activation_function(activation)
    return partial(Transformer, features=features, heads=heads, blocks=blocks, activation=activation)
