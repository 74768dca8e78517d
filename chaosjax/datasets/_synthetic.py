"""Datasets that are made, not read."""

import numpy as np

from chaosjax._checks import check_count
from chaosjax.datasets._classification import classification
from chaosjax.datasets._dataset import Dataset


def teacher_student(
    *,
    samples: int = 512,
    test_samples: int = 512,
    features: int = 20,
    width: int = 4,
    outputs: int = 1,
    noise: float = 0.0,
    seed: int = 0,
) -> Dataset:
    """Regression on a random tanh network: inputs [n, features], targets [n, outputs].

        y = V tanh(W x / sqrt(features)) / sqrt(width) + noise * xi,    x, W, V, xi ~ N(0, 1)

    with W [width, features] and V [outputs, width]. The noise is on the training targets only, so that the
    test loss is the distance to the teacher itself.

    Args:
        samples: of the training set.
        test_samples: of the test set.
        features: inputs of the teacher.
        width: hidden units of the teacher.
        outputs: outputs of the teacher.
        noise: standard deviation of the noise.
        seed: of teacher, inputs and noise.

    Raises:
        ValueError: a count below 1, or a noise below 0.

    Source: Saad and Solla, Phys. Rev. E 52, 4225 (1995), with tanh in place of erf.
    """
    _check(noise, samples=samples, test_samples=test_samples, features=features, width=width, outputs=outputs)
    # One stream for each part: more samples or more noise leave the teacher as it is.
    teacher, train, test, disturbance = (np.random.default_rng([seed, part]) for part in range(4))
    hidden = teacher.standard_normal((features, width)) / np.sqrt(features)
    readout = teacher.standard_normal((width, outputs)) / np.sqrt(width)
    train_inputs = train.standard_normal((samples, features))
    test_inputs = test.standard_normal((test_samples, features))
    disturbances = noise * disturbance.standard_normal((samples, outputs))
    return Dataset(
        train_inputs,
        np.tanh(train_inputs @ hidden) @ readout + disturbances,
        test_inputs,
        np.tanh(test_inputs @ hidden) @ readout,
        outputs=outputs,
        attrs={
            "name": "teacher_student",
            "source": "made",
            "features": features,
            "width": width,
            "noise": noise,
            "seed": seed,
        },
    )


def chebyshev(*, degree: int = 5, samples: int = 20, test_samples: int = 200) -> Dataset:
    """Regression on a Chebyshev polynomial: inputs [n, 1], evenly spaced on [−1, 1], targets [n, 1].

        y = T_k(x) = cos(k arccos x)

    Test samples are spaced likewise, more densely.

    Args:
        degree: k.
        samples: of the training set.
        test_samples: of the test set.

    Raises:
        ValueError: a count below 1, or a degree below 0.

    Source: Cohen et al., ICLR 2021, arXiv:2103.00065, whose small networks at the edge of stability learn it.
    """
    check_count("degree", degree, least=0)
    _check(0.0, samples=samples, test_samples=test_samples)
    points = [np.linspace(-1, 1, count)[:, None] for count in (samples, test_samples)]
    train, test = ((x, np.polynomial.Chebyshev.basis(degree)(x)) for x in points)
    return Dataset(*train, *test, outputs=1, attrs={"name": "chebyshev", "source": "made", "degree": degree})


def spirals(
    *,
    samples: int = 400,
    test_samples: int = 200,
    classes: int = 2,
    turns: float = 1.0,
    noise: float = 0.02,
    targets: str = "labels",
    seed: int = 0,
) -> Dataset:
    """Interleaved spiral arms in the plane, one for each class; inputs [n, 2].

        x = r (cos phi, sin phi) + noise * xi,    phi = 2 pi (turns * r + c / classes)

    for class c, with r ~ U(0, 1) and xi ~ N(0, 1). Sample i belongs to class i mod classes.

    Args:
        samples: of the training set.
        test_samples: of the test set.
        classes: number of arms.
        turns: by which an arm winds.
        noise: standard deviation of the noise.
        targets: "labels", "one_hot" or "plus_minus_one".
        seed: of the samples.

    Raises:
        ValueError: a count below 1, a noise below 0, or unknown targets.
    """
    _check(noise, samples=samples, test_samples=test_samples, classes=classes)

    def arms(count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % classes
        radius = generator.uniform(size=count)
        angle = 2 * np.pi * (turns * radius + labels / classes)
        points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return points + noise * generator.standard_normal((count, 2)), labels

    return classification(
        arms(samples, np.random.default_rng([seed, 0])),
        arms(test_samples, np.random.default_rng([seed, 1])),
        classes=classes,
        scaling="raw",
        targets=targets,
        full_scale=None,
        attrs={"name": "spirals", "source": "made", "turns": turns, "noise": noise, "seed": seed},
    )


def _check(noise: float, **counts: int) -> None:
    for argument, count in counts.items():
        check_count(argument, count)
    if not noise >= 0:
        raise ValueError(f"noise={noise} must be 0 or more: it is a standard deviation")
