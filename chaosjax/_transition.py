"""One step of a system, seen lazily: what no probe asks for is never traced, what two ask for is traced once."""

from collections.abc import Callable
from copy import copy
from functools import cached_property
from typing import Any

import jax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from chaosjax._jumps import require_differentiable
from chaosjax._system import System, Theta, phase


class Transition:
    """The step ``x -> y`` at time t, alive only while a program is traced.

    Attributes:
        t: the time, an int32 scalar that no batching ever touches, so ``lax.cond`` on it stays a branch.
        x: the phase point before the step.
        theta: the control parameters.
        noise: the noise of this step.
    """

    def __init__(self, system: System, t: Array, x: PyTree, theta: Theta, noise: Any, noise_key: Any = None):
        self.system = system
        self.t = t
        self.x = x
        self.theta = theta
        self.noise = noise
        self._noise_key = noise_key
        self._adopted = False

    def step(self, x: PyTree) -> PyTree:
        """The image of any phase point under the map of this moment."""
        return self.system.step(x, self.theta, self.noise)

    def redraw(self, stream: Array | int) -> Any:
        """What the noise of this step would be in another, independent stream: 1, 2, …"""
        if self._noise_key is None:
            raise ValueError("redraw needs the key of the noise: give Transition(..., noise_key=...)")
        return self.system.noise(jax.random.fold_in(self._noise_key, stream), self.t)

    def fork(self) -> "Transition":
        """A copy that shares what is computed already and keeps to itself what it computes from here on.

        Inside a branch or loop of a probe's own (``lax.cond``, ``lax.scan``) use a fork made there: what is first
        computed there does not exist outside.
        """
        return copy(self)

    @cached_property
    def y(self) -> PyTree:
        """The phase point after the step."""
        return self._linearized[1] if "_linearized" in self.__dict__ else self.step(self.x)

    def adopt(self, y: PyTree) -> None:
        """Takes a probe's own image of x for y, so that the step is not computed twice. The first one counts.

        It counts even where a record has asked for y before: x must not part from the probe's copy by rounding.
        """
        if not self._adopted:
            self.__dict__["y"], self._adopted = y, True

    @property
    def push(self) -> Callable[[Float[Array, " d"]], Float[Array, " d"]]:
        """The tangent map ``v -> (d step / d u) v`` at x, in the coordinates of `phase`."""
        return self._linearized[0]

    def require_differentiable(self) -> None:
        """Refuses a step with jumps that `push` would not see.

        Raises:
            ValueError: naming the operations.
        """
        u, chart = phase(self.x)
        require_differentiable(lambda u: phase(self.step(chart(u)))[0], u)

    @cached_property
    def _linearized(self) -> tuple[Callable, PyTree]:
        u, chart = phase(self.x)

        def image(u):
            y = self.step(chart(u))
            return phase(y)[0], y

        _, push, y = jax.linearize(image, u, has_aux=True)
        return push, y

    @cached_property
    def params(self) -> PyTree:
        """The network's parameters inside x."""
        return self.system.params(self.x)

    @cached_property
    def loss(self) -> Float[Array, ""]:
        """The full-data loss at x."""
        return self._field(None)(phase(self.x)[0])

    @cached_property
    def grad(self) -> PyTree:
        """The gradient of the full-data loss at x with respect to the parameters."""
        return self._gradient(None)

    @cached_property
    def batch_loss(self) -> Float[Array, ""]:
        """The loss of this step's minibatch at x."""
        return self._field(self.noise)(phase(self.x)[0])

    @cached_property
    def batch_grad(self) -> PyTree:
        """The gradient of this step's minibatch loss at x with respect to the parameters."""
        return self._gradient(self.noise)

    @cached_property
    def hvp(self) -> Callable[[Float[Array, " p"]], Float[Array, " p"]]:
        """The Hessian-vector product ``v -> H v`` of the full-data loss over the raveled parameters.

        With P the projection of the phase space on the parameters, ``H = P (d² loss / du²) Pᵀ``. The gradient
        is linearized once, so each product costs about two gradients and no new forward pass.
        """
        u, _ = phase(self.x)
        _, curvature = jax.linearize(jax.grad(self._field(None)), u)
        return lambda v: self.project(curvature(self.embed(v)))

    def project(self, u: Float[Array, " d"]) -> Float[Array, " p"]:
        """P u: the raveled parameters out of phase-space coordinates."""
        _, chart = phase(self.x)
        return ravel_pytree(self.system.params(chart(u)))[0]

    def embed(self, v: Float[Array, " p"]) -> Float[Array, " d"]:
        """Pᵀ v: raveled parameters as phase-space coordinates, 0 elsewhere."""
        (u,) = jax.linear_transpose(self.project, phase(self.x)[0])(v)
        return u

    def loss_of(self, w: Float[Array, " p"]) -> Float[Array, ""]:
        """The full-data loss at x with the raveled parameters `w` in the place of its own."""
        u, _ = phase(self.x)
        return self._field(None)(u - self.embed(self.project(u)) + self.embed(w))

    def _field(self, noise: Any) -> Callable[[Float[Array, " d"]], Float[Array, ""]]:
        loss = self.system.loss
        if loss is None:
            raise ValueError(
                "this System has no loss, but a probe asks for it: give System(loss=...) or drop the probe"
            )
        _, chart = phase(self.x)
        return lambda u: loss(chart(u), self.theta, noise)

    def _gradient(self, noise: Any) -> PyTree:
        u, chart = phase(self.x)
        return self.system.params(chart(jax.grad(self._field(noise))(u)))
