from functools import cache, partial

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import chaosjax as cj
from chaosjax import systems
from chaosjax.systems import RK4, flow
from chaosjax.systems._flows import REFERENCES

every_flow = pytest.mark.parametrize("name", REFERENCES)

# The fields once more, written apart.


def lorenz_field(point, theta=None, sigma=10.0, rho=28.0, beta=8 / 3):
    x, y, z = point
    return jnp.stack([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])


def rossler_field(point):
    x, y, z = point
    return jnp.stack([-y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)])


def ring_field(x):
    i = np.arange(40)
    return (x[(i + 1) % 40] - x[i - 2]) * x[i - 1] - x + 8


FIELDS = {
    "lorenz": lorenz_field,
    "lorenz_wolf": partial(lorenz_field, sigma=16.0, rho=45.92, beta=4.0),
    "rossler": rossler_field,
    "lorenz_96": ring_field,
}


def nowhere(key, theta):
    return jnp.zeros(3)


def image(system):
    return jax.jit(lambda x: system.step(x, system.theta, None))


@cache
def late(name):
    """Sixteen orbits after 2000 steps."""
    system = REFERENCES[name].system()
    x = jax.vmap(lambda key: system.init(key, system.theta))(jax.random.split(jax.random.key(0), 16))
    step = jax.vmap(lambda x: system.step(x, system.theta, None))
    return jax.jit(lambda x: lax.fori_loop(0, 2000, lambda _, x: step(x), x))(x)


def solution(field, x, time):
    """By scipy's DOP853 with adaptive steps."""
    field = jax.jit(field)
    return solve_ivp(lambda t, x: field(x), (0, time), x, method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1]


# Against the records


@pytest.mark.parametrize(("name", "blocks", "error"), [("lorenz", 10, 0.02), ("rossler", 6, 0.004)])
def test_exponents_are_the_references(name, blocks, error):
    reference = REFERENCES[name]
    run = {"stride": reference.transient, "devices": jax.devices()[:1], "progress": False}
    axes = {"seed": np.arange(8)}
    dataset = cj.sweep(
        reference.system(), {"growth": cj.probes.lyapunov(3)}, axes, steps=(blocks + 1) * reference.transient, **run
    )
    found = cj.stats.finite_time_exponents(dataset.growth, reference.transient).values / reference.time_step
    standard_error = found.std(0, ddof=1) / np.sqrt(len(found))
    assert standard_error.max() < error
    assert (np.abs(found.mean(0) - reference.exponents) < 4 * standard_error + 5e-5).all()
    assert abs(found[:, 1].mean()) < 0.003
    if reference.sum is not None:
        np.testing.assert_allclose(found.sum(1), reference.sum, rtol=0, atol=1e-6)


@every_flow
def test_volumes_contract_by_the_integrated_divergence(name):
    """Liouville: ln |det J| is the integral of div f, found by carrying the integral along; its mean is the sum."""
    reference = REFERENCES[name]
    system, field = reference.system(), FIELDS[name]

    def extended(point, theta):
        return {"x": field(point["x"]), "volume": jnp.trace(jax.jacfwd(field)(point["x"]))}

    carried = flow(extended, reference.time_step, nowhere, theta={}, solver=diffrax.Tsit5(), substeps=20)

    def step(x, _):
        jacobian = jax.jacfwd(lambda x: system.step(x, system.theta, None))(x)
        point = carried.step({"x": x, "volume": jnp.zeros(())}, {}, None)
        return point["x"], (jnp.linalg.slogdet(jacobian)[1], point["volume"])

    found, expected = jax.jit(lambda x: lax.scan(step, x, None, 400)[1])(late(name)[0])
    found, expected = np.asarray(found) / reference.time_step, np.asarray(expected) / reference.time_step
    np.testing.assert_allclose(found.mean(), expected.mean(), rtol=0, atol=1e-6)
    if reference.sum is not None:
        np.testing.assert_allclose(expected, reference.sum, rtol=1e-12)


@every_flow
def test_records_agree_with_themselves(name):
    reference = REFERENCES[name]
    assert reference.system().attrs["time_step"] == reference.time_step
    if len(reference.exponents) == 3:
        first, neutral, last = reference.exponents
        assert neutral == 0
        # Wolf's last exponent is known to .035, its first to .005.
        digits = 0.04 if name == "lorenz_wolf" else 1e-4
        assert reference.sum is None or first + last == pytest.approx(reference.sum, abs=digits)
        assert reference.kaplan_yorke is None or reference.kaplan_yorke == pytest.approx(2 - first / last, abs=5e-5)


@every_flow
def test_orbits_start_at_random_stay_and_keep_their_precision(name):
    x = late(name)
    assert np.unique(x, axis=0).shape == x.shape
    assert (jnp.abs(x) < 80).all()
    system = REFERENCES[name].system()
    for x64, dtype in ((False, jnp.float32), (True, jnp.float64)):
        with jax.enable_x64(x64):
            first = system.init(jax.random.key(0), system.theta)
            image = jax.eval_shape(lambda x, system=system: system.step(x, system.theta, None), first)
            assert first.dtype == image.dtype == dtype


# The map of one step


@every_flow
def test_steps_solve_the_field(name):
    reference = REFERENCES[name]
    x = late(name)[0]
    expected = solution(FIELDS[name], x, reference.time_step)
    np.testing.assert_allclose(image(reference.system())(x), expected, rtol=0, atol=1e-6)


METHODS = {"rk4": RK4, "bosh3": diffrax.Bosh3(), "tsit5": diffrax.Tsit5(), "dopri8": diffrax.Dopri8()}


@pytest.mark.parametrize(
    ("method", "order", "counts"),
    [("bosh3", 3, (8, 16, 32)), ("rk4", 4, (8, 16, 32)), ("tsit5", 5, (4, 8, 16)), ("dopri8", 8, (2, 4))],
)
def test_halving_the_step_divides_the_error_by_two_to_the_order(method, order, counts):
    x = jnp.asarray([-6.0, -3.0, 28.0])
    exact = solution(lorenz_field, x, 0.1)

    def error(substeps):
        system = flow(lorenz_field, 0.1, nowhere, theta={}, solver=METHODS[method], substeps=substeps)
        return np.abs(image(system)(x) - exact).max()

    errors = [error(count) for count in counts]
    assert errors[-1] > 1e-12
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), order, rtol=0, atol=0.2)


@pytest.mark.parametrize("method", ["bosh3", "tsit5", "dopri8"])
def test_steps_are_diffraxs_own(method):
    x = jnp.asarray([1.0, 2.0, 25.0])
    term = diffrax.ODETerm(lambda t, x, args: lorenz_field(x))
    expected = diffrax.diffeqsolve(term, METHODS[method], 0.0, 0.08, 0.02, x).ys[0]
    system = flow(lorenz_field, 0.08, nowhere, theta={}, solver=METHODS[method], substeps=4)
    np.testing.assert_allclose(image(system)(x), expected, rtol=1e-13)


def test_at_the_fixed_points_of_lorenz_exponents_are_the_eigenvalues():
    wing = np.sqrt(72)
    points = jnp.asarray([[0.0, 0.0, 0.0], [wing, wing, 27.0], [-wing, -wing, 27.0]])
    step = image(systems.lorenz())
    images, jacobians = jax.jit(jax.vmap(lambda x: (step(x), jax.jacfwd(step)(x))))(points)
    np.testing.assert_allclose(images, points, rtol=0, atol=1e-13)
    for x, jacobian in zip(points, np.asarray(jacobians), strict=True):
        linear = np.asarray(jax.jacfwd(lorenz_field)(x))
        np.testing.assert_allclose(jacobian, expm(0.02 * linear), rtol=0, atol=1e-8)
        found = np.sort(np.log(np.abs(np.linalg.eigvals(jacobian)))) / 0.02
        np.testing.assert_allclose(found, np.sort(np.linalg.eigvals(linear).real), rtol=0, atol=1e-6)


@pytest.mark.parametrize("substeps", [1, 3])
def test_push_is_the_jacobian_and_has_a_transpose(substeps):
    x = late("rossler")[0]
    system = flow(lambda x, theta: rossler_field(x), 0.1, nowhere, theta={}, solver=RK4, substeps=substeps)

    def products(x):
        push = cj.Transition(system, jnp.int32(0), x, {}, jax.random.key(0)).push
        pull = jax.linear_transpose(push, x)
        return jax.vmap(push)(jnp.eye(3)), jax.vmap(lambda w: pull(w)[0])(jnp.eye(3))

    forward, backward = jax.jit(products)(x)
    jacobian = jax.jit(jax.jacfwd(lambda x: system.step(x, {}, None)))(x)
    np.testing.assert_allclose(forward.T, jacobian, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(backward, jacobian, rtol=1e-12, atol=1e-15)


# Fields of one's own


def test_a_field_over_a_pytree_turns_by_its_frequency():
    def circle(key, theta):
        position, velocity = jax.random.normal(key, (2, 2))
        return {"position": position, "velocity": velocity}

    def field(x, theta):
        return {"position": theta["frequency"] * x["velocity"], "velocity": -theta["frequency"] * x["position"]}

    system = flow(field, 0.1, circle, theta={"frequency": 1.0}, attrs={"system": "rotation"})
    assert system.attrs == {"system": "rotation", "time_step": 0.1}
    x = circle(jax.random.key(0), {})

    @jax.jit
    def final(x, theta):
        return lax.fori_loop(0, 200, lambda _, x: system.step(x, theta, None), x)

    for frequency in (0.5, 2.0):
        angle, y = 20 * frequency, final(x, {"frequency": frequency})
        expected = np.cos(angle) * x["position"] + np.sin(angle) * x["velocity"]
        np.testing.assert_allclose(y["position"], expected, atol=1e-10)


# Bad input


@pytest.mark.parametrize("time_step", [0.0, -0.1, np.nan, np.inf])
def test_time_steps_are_positive_and_finite(time_step):
    for make in (partial(flow, lorenz_field, init=nowhere), systems.rossler):
        with pytest.raises(ValueError, match=r"flow: time_step=.* must be positive and finite"):
            make(time_step=time_step)


@pytest.mark.parametrize("substeps", [0, -1])
def test_substeps_are_counted(substeps):
    with pytest.raises(ValueError, match=f"substeps={substeps} must be an integer of at least 1"):
        flow(lorenz_field, 0.1, nowhere, substeps=substeps)


NOT_EXPLICIT = [diffrax.Euler(), diffrax.LeapfrogMidpoint(), diffrax.KenCarp4(), diffrax.Kvaerno5()]


@pytest.mark.parametrize("solver", [*NOT_EXPLICIT, diffrax.Kvaerno5.tableau])
def test_solvers_are_explicit_runge_kutta_methods(solver):
    with pytest.raises(ValueError, match=r"flow: solver of type .* must be an explicit Runge–Kutta method"):
        flow(lorenz_field, 0.1, nowhere, solver=solver)


@pytest.mark.parametrize("field", [lambda x, theta: x.sum(), lambda x, theta: x[:1], lambda x, theta: {"x": x}])
def test_fields_have_the_shapes_of_their_points(field):
    with pytest.raises(ValueError, match=r"flow: the field returned shapes .* at a point of"):
        flow(field, 0.1, nowhere).step(jnp.zeros(3), {}, None)


@pytest.mark.parametrize("sites", [3, -4])
def test_lorenz_96_is_a_ring(sites):
    with pytest.raises(ValueError, match=f"sites={sites} must be an integer of at least 4"):
        systems.lorenz_96(sites=sites)
