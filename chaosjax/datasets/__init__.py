"""Datasets as plain arrays with a checksum: scikit-learn's, made ones, and TensorFlow Datasets by name."""

from chaosjax.datasets.dataset import Dataset as Dataset
from chaosjax.datasets.scikit_sets import digits as digits
from chaosjax.datasets.scikit_sets import iris as iris
from chaosjax.datasets.scikit_sets import iris_study as iris_study
from chaosjax.datasets.synthetic import spirals as spirals
from chaosjax.datasets.synthetic import teacher_student as teacher_student
from chaosjax.datasets.tensorflow_sets import tfds as tfds
