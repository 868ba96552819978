"""Whether all rows have one value: what is the same in every row of a result is not repeated in its file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def has_one_value(values: NDArray[Any]) -> bool:
    """Return whether an array of shape (n,) has one value, in all of its rows; False if it has no rows."""
    if len(values) < 2 or not values.strides[0]:
        return len(values) > 0
    return bool(values[0] == values[-1]) and bool(np.all(values == values[0]))
