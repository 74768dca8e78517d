"""Sequences whose first token points at the one to name: the simplest task that needs attention."""

import numpy as np

from chaosjax._checks import check_count
from chaosjax.datasets._classification import classification
from chaosjax.datasets._dataset import Dataset


def pointers(
    *,
    samples: int = 512,
    test_samples: int = 256,
    places: int = 4,
    symbols: int = 4,
    targets: str = "labels",
    seed: int = 0,
) -> Dataset:
    """Sequences of one-hot tokens, ``[n, 1 + places, places + symbols]``; the label is the symbol pointed at.

        sequence = (p, s_1, ..., s_places),    label = s_p

    with the pointer p uniform on the places and each s uniform on the symbols. Pointers and symbols are different
    tokens. A linear model cannot do better than knowing how often each symbol stands in the sequence.

    Args:
        samples: of the training set.
        test_samples: of the test set.
        places: that the pointer chooses from.
        symbols: the classes.
        targets: "labels", "one_hot" or "plus_minus_one".
        seed: of the samples.

    Raises:
        ValueError: a count below 1, or unknown targets.
    """
    counts = {"samples": samples, "test_samples": test_samples, "places": places, "symbols": symbols}
    for argument, count in counts.items():
        check_count(argument, count)

    def drawn(count: int, part: int) -> tuple[np.ndarray, np.ndarray]:
        generator = np.random.default_rng([seed, part])
        pointer = generator.integers(places, size=count)
        row = generator.integers(symbols, size=(count, places))
        tokens = np.concatenate([pointer[:, None], places + row], axis=1)
        return np.eye(places + symbols)[tokens], row[np.arange(count), pointer]

    return classification(
        drawn(samples, 0),
        drawn(test_samples, 1),
        classes=symbols,
        scaling="raw",
        targets=targets,
        full_scale=None,
        attrs={"name": "pointers", "source": "made", "places": places, "symbols": symbols, "seed": seed},
    )
