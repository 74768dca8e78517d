"""The check of counts that all of the package shares."""

import re

import numpy as np
import pytest

from chaosjax._checks import check_count


@pytest.mark.parametrize("value", [3, np.int32(3), np.array(3)])
def test_integers_are_counts(value):
    assert check_count("k", value, least=3, most=3) == 3
    assert type(check_count("k", value)) is int


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        (0, {}, "k=0 must be an integer of at least 1"),
        (2.0, {}, "k=2.0 must be an integer of at least 1"),
        (True, {}, "k=True must be an integer of at least 1"),
        (None, {}, "k=None must be an integer of at least 1"),
        (2, {"least": 3, "what": "a ring of neighbours"}, "k=2 must be an integer of at least 3, a ring of neighbours"),
        (5, {"most": 4}, "k=5 must be an integer from 1 to 4"),
    ],
)
def test_what_is_no_count_is_refused_with_the_range(value, limits, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_count("k", value, **limits)
