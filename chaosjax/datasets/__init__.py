"""Datasets as plain arrays with a checksum: scikit-learn's, made ones, and TensorFlow Datasets by name."""

from chaosjax.datasets._dataset import Dataset as Dataset
from chaosjax.datasets._scikit_sets import digits as digits
from chaosjax.datasets._scikit_sets import iris as iris
from chaosjax.datasets._scikit_sets import iris_danovski as iris_danovski
from chaosjax.datasets._synthetic import spirals as spirals
from chaosjax.datasets._synthetic import teacher_student as teacher_student
from chaosjax.datasets._tensorflow_sets import tfds as tfds
