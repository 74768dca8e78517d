"""One step of a system, seen lazily: what no probe asks for is never traced, what two ask for is traced once."""

from collections.abc import Callable, Mapping
from copy import copy
from functools import cached_property
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, PyTree

from chaosjax._checks import arrays_only, blamed
from chaosjax._jumps import require_differentiable
from chaosjax._members import Members
from chaosjax._response import Edge, edge, response
from chaosjax._system import System, Theta, alike, phase


class Transition:
    """The step ``x -> y`` at time t, alive only while a program is traced.

    x and all members are stepped in one batched call, x first: a member that equals x has an image that equals y, bit
    by bit, and nothing depends on which probe asks first.

    Attributes:
        t: the time, an int32 scalar that no batching ever touches, so ``lax.cond`` on it stays a branch.
        x: the phase point before the step.
        theta: the control parameters.
        noise: the noise of this step.
    """

    def __init__(
        self,
        system: System,
        t: Int[Array, ""],
        x: PyTree,
        theta: Theta,
        noise_key: Any,
        members: Mapping[str, Members] | None = None,
        linearized: bool = False,
    ):
        """A step of `system`; `linearized`: a probe will push tangents, so y is made with the tangent map."""
        self.system = system
        self.t = t
        self.x = x
        self.theta = theta
        with blamed("the system's noise"):
            self.noise = arrays_only(system.noise(noise_key, t), "its result")
        self._noise_key = noise_key
        self._members = dict(members or {})
        self._linearized = linearized

    def step(self, x: PyTree) -> PyTree:
        """The image of any phase point under the map of this moment."""
        return self.system.step(x, self.theta, self.noise)

    def redraw(self, stream: Int[Array, ""] | int) -> Any:
        """What the noise of this step would be in another, independent stream: 1, 2, …"""
        return self.system.noise(jax.random.fold_in(self._noise_key, stream), self.t)

    def fork(self) -> "Transition":
        """A copy that shares what is computed already and keeps to itself what it computes from here on.

        Inside a branch or loop of a probe's own (``lax.cond``, ``lax.scan``) use a fork made there: what is first
        computed there does not exist outside.
        """
        return copy(self)

    @property
    def y(self) -> PyTree:
        """The phase point after the step."""
        return self._stepped[0]

    @property
    def images(self) -> dict[str, PyTree]:
        """The members' images, by the name of their probe."""
        return self._stepped[1]

    @cached_property
    def push(self) -> Callable[[Float[Array, " d"]], Float[Array, " d"]]:
        """The tangent map ``v -> (d step / d u) v`` at x, in the coordinates of `phase`."""
        if self.system.microbatch is not None:
            return lambda v: self._along(v)[1]
        return self._stepped[2] or self._linearize()[1]

    def pushed(self, vectors: Float[Array, "k d"]) -> Float[Array, "k d"]:
        """The images of tangent vectors in rows, `push` of each."""
        if self.system.microbatch is None:
            return jax.vmap(self.push)(vectors)
        y, images = jax.vmap(self._along, out_axes=(None, 0))(vectors)
        if not self._members:  # in the place of a y that was computed without them
            self._stepped = y, {}, None
        return images

    def require_differentiable(self) -> None:
        """Refuses a step with jumps that `push` would not see.

        Raises:
            ValueError: naming the operations.
        """
        u, chart = phase(self.x)
        require_differentiable(lambda u: phase(self.step(chart(u)))[0], u)

    @cached_property
    def params(self) -> PyTree:
        """The network's parameters inside x."""
        return self.system.params(self.x)

    @cached_property
    def loss(self) -> Float[Array, ""]:
        """The full-data loss at x."""
        return self._loss_at(self.x, None)

    @cached_property
    def grad(self) -> PyTree:
        """The gradient of the full-data loss at x with respect to the parameters."""
        return self._gradient(None)

    @cached_property
    def batch_loss(self) -> Float[Array, ""]:
        """The loss of this step's minibatch at x."""
        return self._loss_at(self.x, self.noise)

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

    @cached_property
    def edge(self) -> Edge:
        """The inverse preconditioner of this step's optimizer, and where its answer turns unstable.

        Raises:
            ValueError: for a system that is no training, or an optimizer without such a response.
        """
        descent = self.system.descent
        if descent is None:
            raise ValueError("this System does not say how its step answers a gradient: give it a `descent`")

        def descend(params: PyTree, gradient: PyTree, state: PyTree) -> tuple[PyTree, PyTree]:
            return descent.step(params, gradient, state, self.x, self.theta, self.noise)

        return edge(response(descend, self.params, self.batch_grad, descent.state(self.x)), descent.unit(self.theta))

    def project(self, u: Float[Array, " d"]) -> Float[Array, " p"]:
        """P u: the raveled parameters out of phase-space coordinates."""
        _, chart = phase(self.x)
        return phase(self.system.params(chart(u)))[0]

    def embed(self, v: Float[Array, " p"]) -> Float[Array, " d"]:
        """Pᵀ v: raveled parameters as phase-space coordinates, 0 elsewhere."""
        (u,) = jax.linear_transpose(self.project, phase(self.x)[0])(v)
        return u

    def loss_of(self, w: Float[Array, " p"], noise: Any = None) -> Float[Array, ""]:
        """The loss at x with the raveled parameters `w` in the place of its own: over all data, or those of a noise."""
        u, _ = phase(self.x)
        return self._field(noise)(u - self.embed(self.project(u)) + self.embed(w))

    def _loss_at(self, x: PyTree, noise: Any) -> Float[Array, ""]:
        loss = self.system.loss
        if loss is None:
            raise ValueError(
                "this System has no loss, but a probe asks for it: give System(loss=...) or drop the probe"
            )
        with blamed("the system's loss"):
            found = loss(x, self.theta, noise)
            if jnp.shape(found) != ():
                raise ValueError(f"it has shape {jnp.shape(found)}; return one number, e.g. the mean")
            return found

    def _field(self, noise: Any) -> Callable[[Float[Array, " d"]], Float[Array, ""]]:
        _, chart = phase(self.x)
        return lambda u: self._loss_at(chart(u), noise)

    def _gradient(self, noise: Any) -> PyTree:
        u, chart = phase(self.x)
        return self.system.params(chart(jax.grad(self._field(noise))(u)))

    @cached_property
    def _stepped(self) -> tuple[PyTree, dict[str, PyTree], Callable | None]:
        """y, the members' images and, where it was made on the way, the tangent map at x."""
        groups = self._members
        starts = sorted({0, *(members.start for members in groups.values())})
        if not groups and self._linearized and self.system.microbatch is None:
            y, push = self._linearize()
            return y, {}, push
        if len(starts) == 1:
            return *self._together(groups), None

        def until(time: int) -> Callable[[], tuple[PyTree, dict[str, PyTree]]]:
            begun = {name: members for name, members in groups.items() if members.start <= time}
            waiting = {name: members.points for name, members in groups.items() if members.start > time}

            def images() -> tuple[PyTree, dict[str, PyTree]]:
                y, moved = self._together(begun)
                return alike((y, {**moved, **waiting}), (self.x, points))

            return images

        points = {name: members.points for name, members in groups.items()}
        begun = jnp.sum(jnp.asarray(starts, jnp.int32) <= self.t) - 1
        return *lax.switch(begun, [until(time) for time in starts]), None

    def _together(self, groups: Mapping[str, Members]) -> tuple[PyTree, dict[str, PyTree]]:
        """The images of x and of all members, from one call."""
        if not groups:
            return self.step(self.x), {}
        every = [members.points for members in groups.values()]
        points = jax.tree.map(lambda x, *parts: jnp.concatenate([x[None], *parts]), self.x, *every)
        counts = [jax.tree.leaves(part)[0].shape[0] for part in every]
        if all(members.streams is None for members in groups.values()):
            images = jax.vmap(self.step)(points)
        else:
            parts = zip(groups.values(), counts, strict=True)
            streams = [np.zeros(n, int) if members.streams is None else members.streams for members, n in parts]
            noises = self._noises(np.concatenate([[0], *streams]))
            images = jax.vmap(lambda x, noise: self.system.step(x, self.theta, noise))(points, noises)
        ends = np.cumsum([1, *counts])
        own = [jax.tree.map(lambda leaf, a=a, b=b: leaf[a:b], images) for a, b in pairwise(ends)]
        return jax.tree.map(lambda leaf: leaf[0], images), dict(zip(groups, own, strict=True))

    def _noises(self, streams: Int[np.ndarray, " n"]) -> PyTree:
        """The noise of each stream, one behind the other; stream 0 is that of x."""
        others, place = np.unique(streams[streams != 0], return_inverse=True)
        drawn = jax.vmap(self.redraw)(jnp.asarray(others))
        index = np.zeros(len(streams), int)
        index[streams != 0] = 1 + place
        return jax.tree.map(lambda own, rest: jnp.concatenate([own[None], rest])[index], self.noise, drawn)

    def _linearize(self) -> tuple[PyTree, Callable[[Float[Array, " d"]], Float[Array, " d"]]]:
        _, push, y = jax.linearize(self._image, phase(self.x)[0], has_aux=True)
        return y, push

    def _along(self, v: Float[Array, " d"]) -> tuple[PyTree, Float[Array, " d"]]:
        """y, and the image of a tangent vector on the way to it."""
        _, image, y = jax.jvp(self._image, (phase(self.x)[0],), (v,), has_aux=True)
        return y, image

    def _image(self, u: Float[Array, " d"]) -> tuple[Float[Array, " d"], PyTree]:
        y = self.step(phase(self.x)[1](u))
        return phase(y)[0], y
