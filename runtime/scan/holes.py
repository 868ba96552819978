"""Which hole each sample is from, however its instrument names the hole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError

from .address import HOLE_PARTS, Texts, hole_parts

Place = tuple[str | None, ...]
"""Expedition, site and letter of a hole; None where it is not known."""


class Holes:
    """Numbers the holes of a scan. ``U1482A``, ``363-U1482A``, and ``A`` of site ``U1482`` are one hole.

    Parameters
    ----------
    address : mapping of str to str
        Parts of the address that apply to the whole scan.
    shared : sequence of str
        Parts that all instruments name: where one is blank, the sample is from a place of its own.
    """

    def __init__(self, address: Mapping[str, str], shared: list[str]) -> None:
        self._address = {part: text for part, text in address.items() if part in HOLE_PARTS}
        self._shared = shared
        self._whole = self._place(self._address)
        self._codes: dict[tuple[tuple[str, str], ...], int] = {}
        self._places: list[list[Place]] = []
        self._names: list[dict[str, str]] = []

    def encode(self, texts: Texts, n: int) -> NDArray[np.int64]:
        """Return the code of the hole of each of ``n`` rows.

        Raises
        ------
        ScanError
            If there are several holes, and these texts do not say which of them the samples are from.
        """
        parts = [part for part in HOLE_PARTS if part in texts]
        if not parts:
            return np.full(n, self._code(()), np.int64)
        found, at = np.unique(np.rec.fromarrays([texts[part] for part in parts]), return_inverse=True)
        codes = [self._code(tuple(zip(parts, map(str, key), strict=True))) for key in found.tolist()]
        return np.array(codes, np.int64)[at]

    def names(self, part: str) -> NDArray[np.str_]:
        """Return what a part of the address is called in each hole, in order of their codes: the fullest name."""
        return np.array([*(known.get(part, "") for known in self._names), ""], np.str_)

    def _code(self, texts: tuple[tuple[str, str], ...]) -> int:
        if texts not in self._codes:
            named = self._address | {part: text for part, text in texts if text or part in self._shared}
            self._codes[texts] = self._find(self._place(named))
            known = self._names[self._codes[texts]]
            for part, text in named.items():
                known[part] = max(known.get(part, ""), text, key=len)
        return self._codes[texts]

    def _place(self, named: Mapping[str, str]) -> Place:
        known = hole_parts(named)
        return tuple(known.get(part) for part in HOLE_PARTS)

    def _find(self, place: Place) -> int:
        fits = [[_may_be_one(place, known) for known in places] for places in self._places]
        some = [code for code, found in enumerate(fits) if any(found)]
        if len(some) > 1 or (some and not all(fits[some[0]])) or not _may_be_one(place, self._whole):
            part, names = self._difference(
                [place, self._whole, *(other for code in some for other in self._places[code])]
            )
            raise ScanError(
                f"several holes ({part} {names}), but not every instrument says which its samples are from: add a "
                f"column {part} to each, or put each hole in a file of its own"
            )
        if some:
            self._places[some[0]].append(place)
            return some[0]
        self._places.append([place])
        self._names.append({})
        return len(self._places) - 1

    def _difference(self, places: list[Place]) -> tuple[str, str]:
        """Return the widest part in which places differ, and its texts."""
        for part, column in zip(HOLE_PARTS, zip(*places, strict=True), strict=True):
            texts = sorted({text for text in column if text})
            if len(texts) > 1:
                return part, ", ".join(texts[:4])
        return "hole", "one without a name"


def _may_be_one(place: Place, other: Place) -> bool:
    return all(one is None or two is None or one == two for one, two in zip(place, other, strict=True))
