"""Single mistakes of a user's: each is refused in one or two lines that say what, and what to do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import logistic, problem

import chaosjax as cj

POINT = cj.probes.reading(lambda transition: transition.x)
NAN = float("nan")


def sweep(system=None, probes=None, axes=None, **options):
    probes = {"x": POINT} if probes is None else probes
    axes = {"r": [3.5, 3.9]} if axes is None else axes
    return cj.sweep(system or logistic(), probes, axes, **{"steps": 4, "progress": False, **options})


def stepping(step, **fields):
    return cj.System(lambda key, theta: jnp.ones(2), step, theta={"r": 1.0}, **fields)


def stay(x, theta, noise):
    return x


def starting(first):
    return cj.System(lambda key, theta: first, stay, theta={"r": 1.0})


def read(function, **options):
    return {"x": cj.probes.reading(function, **options)}


def probe(init=lambda key, x, theta: jnp.ones(()), update=lambda m, transition: m, emit=lambda m, transition: (m, m)):
    return {"p": cj.Probe(init, update, emit)}


def gone(transition):
    raise KeyError("gone")


ARGUMENTS = {
    "store=5 must be the path of a folder": lambda: sweep(store=5),
    "store='s3://b/a' is an address": lambda: sweep(store="s3://b/a"),
    "'seed' holds 0.5; it must hold integers": lambda: sweep(axes={"seed": [0.5]}),
    "'seed' must hold numbers": lambda: sweep(axes={"seed": ["a"]}),
    "axes: 3 cannot name a variable": lambda: sweep(axes={3: [1.0]}),
    "names a device twice": lambda: sweep(devices=jax.devices()[:1] * 2),
    "must be a list of devices": lambda: sweep(devices="cpu"),
    "probes is a list; it must map names": lambda: sweep(probes=[POINT]),
    "probes is a Probe; it must map names": lambda: sweep(probes=POINT),
    "system is a Problem; give a System": lambda: sweep(problem()),
    "until=5 must be a function or None": lambda: sweep(until=5),
    "until returned a DataArray": lambda: sweep(until=lambda records: records.x > 0),
    "until returned a NoneType": lambda: sweep(until=lambda records: None),
    "callback=5 must be": lambda: sweep(callback=5),
    "'x\\\\x00' cannot name a variable": lambda: sweep(probes={"x\0": POINT}),
    "attrs=None must map": lambda: sweep(probes={"x": POINT._replace(attrs=None)}),
    "cost=3 must be a Cost": lambda: sweep(probes={"x": POINT._replace(cost=3)}),
    r"dims='unit' must be a tuple of names": lambda: sweep(probes={"x": POINT._replace(dims="unit")}),
    "'a'='b' must be a number": lambda: sweep(probes={"x": POINT._replace(theta={"a": "b"})}),
    "system: noise=None must be a function": lambda: sweep(stepping(stay, noise=None)),
}

FUNCTIONS = {
    "the system's step: it needs the value of a traced": lambda: sweep(
        stepping(lambda x, *_: x if x.sum() > 0 else -x)
    ),
    "step: it needs the value of a": lambda: sweep(stepping(lambda x, theta, noise: x * float(theta["r"]))),
    "the system's step: it needs the value": lambda: sweep(stepping(lambda x, *_: np.sin(np.asarray(x)))),
    "the system's step: dot_general requires": lambda: sweep(stepping(lambda x, *_: x @ jnp.ones((3, 3)))),
    "the system's step: .* takes 1 positional argument": lambda: sweep(stepping(lambda x: x)),
    "the system's step: its result holds 'a' of type str": lambda: sweep(stepping(lambda *_: "a")),
    "the first phase point holds 'b' of type str": lambda: sweep(starting({"a": "b", "c": jnp.ones(2)})),
    "the first phase point holds <object": lambda: sweep(starting(object())),
    "the system's loss: it has shape": lambda: sweep(stepping(stay, loss=lambda x, *_: x), {"l": cj.probes.loss()}),
    "probe 'x': it needs the value of a traced": lambda: sweep(probes=read(lambda tr: tr.x if tr.x > 0 else -tr.x)),
    "probe 'x': its record holds 'a' of type str": lambda: sweep(probes=read(lambda tr: "a")),
    "probe 'x': .* takes 0 positional arguments": lambda: sweep(probes=read(lambda: 1.0)),
    "probe 'x': its record of dtype bfloat16": lambda: sweep(probes=read(lambda tr: tr.x.astype(jnp.bfloat16))),
    "probe 'x': its record of dtype int4": lambda: sweep(probes=read(lambda tr: tr.x.astype(jnp.int4))),
    "probe 'p': emit must return the pair": lambda: sweep(probes=probe(emit=lambda m, transition: m)),
    "probe 'p': a step must keep the shapes": lambda: sweep(probes=probe(update=lambda m, transition: jnp.ones(3))),
    "probe 'p': it needs the value": lambda: sweep(probes=probe(update=lambda m, transition: m if m > 0 else -m)),
    "probe 'x': members must return a Members": lambda: sweep(
        probes={"x": POINT._replace(members=lambda m: 3, update=lambda m, transition, images: m)}
    ),
    "probe 'x': members have leaves of shapes": lambda: sweep(
        probes={
            "x": POINT._replace(members=lambda m: cj.Members(jnp.ones((2, 3))), update=lambda m, transition, images: m)
        }
    ),
}


@pytest.mark.parametrize("message", [*ARGUMENTS, *FUNCTIONS])
def test_a_mistake_is_named_in_two_lines(message):
    with pytest.raises((ValueError, TypeError), match=message) as told:
        {**ARGUMENTS, **FUNCTIONS}[message]()
    assert len(str(told.value).splitlines()) <= 2
    assert len(str(told.value)) < 400


def test_errors_of_the_users_own_code_stay_what_they_are():
    with pytest.raises(KeyError) as told:
        sweep(probes=read(gone))
    assert "in probe 'x'" in told.value.__notes__


def test_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    sweep(store="~/a.zarr")
    assert cj.verify(tmp_path / "a.zarr").intact
