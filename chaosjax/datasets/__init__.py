"""Datasets as plain arrays with a checksum: your own, scikit-learn's, made ones, and TensorFlow Datasets by name."""

from chaosjax.datasets._arrays import arrays
from chaosjax.datasets._csv import csv
from chaosjax.datasets._dataset import Dataset
from chaosjax.datasets._pointers import pointers
from chaosjax.datasets._scikit_sets import digits, iris, iris_danovski
from chaosjax.datasets._synthetic import chebyshev, spirals, teacher_student
from chaosjax.datasets._tensorflow_sets import tfds

__all__ = [
    "Dataset",
    "arrays",
    "chebyshev",
    "csv",
    "digits",
    "iris",
    "iris_danovski",
    "pointers",
    "spirals",
    "teacher_student",
    "tfds",
]
