"""A look at a column's first, middle and last values, where its unit is in doubt."""

from __future__ import annotations

import numpy as np

from lithovae.runtime.formats.hdf5.column import Column
from lithovae.runtime.formats.hdf5.filters import require_readable
from lithovae.runtime.formats.hdf5.reading import read_numbers
from lithovae.runtime.missing import FIRST_COLOUR, measurable

PEEK_VALUES = 4096


def has_fractions_only(column: Column) -> bool:
    """Tell whether a colour is given from 0 to 1: nothing is above 1, and something is no whole number."""
    if column.dtype.kind != "f" or not column.length:
        return False
    require_readable(column)
    rows = max(1, min(PEEK_VALUES, (PEEK_VALUES << 8) // max(column.row_bytes, 1)))
    starts = {0, max(0, column.length // 2 - rows // 2), max(0, column.length - rows)}
    blocks = [read_numbers([column], start, min(start + rows, column.length))[0] for start in sorted(starts)]
    values = measurable(np.concatenate(blocks), FIRST_COLOUR)
    values = values[~np.isnan(values)]
    return bool(len(values)) and bool((values <= 1).all()) and bool((values != np.rint(values)).any())
