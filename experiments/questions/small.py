"""Small training and test sets, so that many networks can be trained."""

from chaosjax.datasets import Dataset, digits, iris


def small_digits(train_samples: int, test_samples: int) -> Dataset:
    """The first digits of a stratified split: 8 × 8 pixels in [0, 1], 10 classes."""
    return _first(digits(test_samples=360), train_samples, test_samples)


def small_iris(train_samples: int, test_samples: int) -> Dataset:
    """The first flowers of a stratified split: raw, in cm, as in the study."""
    return _first(iris(test_samples=150 - max(train_samples, 15)), train_samples, test_samples)


def _first(whole: Dataset, train_samples: int, test_samples: int) -> Dataset:
    if train_samples > len(whole.train_inputs) or test_samples > len(whole.test_inputs):
        have = f"{len(whole.train_inputs)} training and {len(whole.test_inputs)} test samples"
        raise ValueError(
            f"train_samples={train_samples}, test_samples={test_samples}: {whole.attrs['name']} has {have}"
        )
    return Dataset(
        whole.train_inputs[:train_samples],
        whole.train_targets[:train_samples],
        whole.test_inputs[:test_samples],
        whole.test_targets[:test_samples],
        outputs=whole.outputs,
        attrs=whole.attrs,
    )
