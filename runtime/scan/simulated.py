"""The mark of simulated data, which stays with the rows from file to file: nobody is to take them for measured ones."""

from __future__ import annotations

import numpy as np

from lithovae.runtime.features import letters
from lithovae.runtime.formats.file import File
from lithovae.runtime.result import SIMULATED

from .blocks import BLOCK_ROWS, spans

_NOT = ("", "nan", "None", "0", "False")


def simulated_seed(file: File) -> str:
    """Return the seed with which the rows of a file, or some of them, were simulated; empty if they were measured."""
    seeds = {text.strip() for _, text in file.stated("/", {letters(SIMULATED)})}
    for column in file.columns:
        if letters(column.name) == letters(SIMULATED):
            for start, stop in spans(column.length, BLOCK_ROWS):
                seeds.update(np.unique(file.read_texts([column], start, stop)[0]).tolist())
    return ", ".join(sorted(seeds - {*_NOT}))
