"""Rows of a scan for training: read, interpreted and binned by the runtime's own code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lithovae.runtime.bins import BIN_WIDTH, MAX_DEPTH, split_keys
from lithovae.runtime.features import FeatureSet, letters, split_unit
from lithovae.runtime.formats.column import Column
from lithovae.runtime.rows.binning import Binning
from lithovae.runtime.rows.blank_rows import blank_notes, without_blank_rows
from lithovae.runtime.rows.units import UnitCheck
from lithovae.runtime.scan.address import HOLE_PARTS, AddressCodes, hole_parts
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.scan.simulated import simulated_seed
from lithovae.runtime.scan.track import Track
from lithovae.runtime.settings import Settings

from .table import NO_LABEL, TrainingTable

LITHOLOGY_NAMES = (
    *("principal", "principallithology", "lithologyprincipal", "principallith", "lithology", "lithologyname"),
    *("lith", "lithotype"),
)
"""Names of a column of lithologies, reduced to their `letters`, in order of preference."""


@dataclass(frozen=True)
class ScanRows:
    """The bins of a scan.

    Attributes
    ----------
    table : TrainingTable
        The bins, with the features that were asked for.
    implausible : dict of str to str
        By feature, what is wrong where most samples are implausible: they are in another unit.
    notes : list of str
        Notes on what was left out or assumed.
    """

    table: TrainingTable
    implausible: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_scan(
    path: Path, feature_set: FeatureSet, settings: Settings | None = None, *, name: str | None = None
) -> ScanRows:
    """Read a scan, or a table in any format that the runtime reads, into bins of 20 cm.

    A bin's lithology is the most common one of its samples, in a tie the first in alphabetical order. If several
    tables of the scan have a column of lithologies, a bin takes the first that labels it.

    Parameters
    ----------
    path : Path
        The file.
    feature_set : FeatureSet
        The features to look for.
    settings : Settings, optional
        Mapping and calibrations; the other settings are not used.
    name : str, optional
        Name of a hole that the scan does not name; by default that of the file.

    Raises
    ------
    ScanError
        As `lithovae.runtime.scan.scan.open_scan` and `lithovae.runtime.rows.rows.rows_of`.
    """
    settings = settings or Settings()
    with open_scan(path, settings.mapping, settings.calibrations, feature_set) as scan:
        binning, lithologies, n_blank = Binning(scan, BIN_WIDTH), _Lithologies(), 0
        for rank, track in enumerate(scan.tracks):
            column = _lithology_column(track)
            for span in track.spans():
                stretch, n = without_blank_rows(track.read(span))
                n_blank += n
                binning.add(stretch)
                if column is not None and stretch.depth is not None:
                    (texts,) = track.file.read_texts([column], *track.rows(span))
                    places = binning.places(stretch)
                    lithologies.add(rank, *places, texts[np.abs(stretch.depth) <= MAX_DEPTH])
        binning.require_rows()
        block = binning.block()
        markers = (marker for track in scan.tracks for marker in track.markers.values())
        notes = [*scan.notes, *binning.notes, *(note for marker in markers if (note := marker.note))]
        notes += blank_notes(n_blank)
        table = TrainingTable(
            hole=_hole_names(block.address, len(block), path.stem if name is None else name),
            depth=binning.bins.depth.copy(),
            features=block.features.astype(np.float64),
            lithology=lithologies.of(*split_keys(binning.bins.keys)),
            feature_set=feature_set,
            simulated=simulated_seed(scan.tracks[0].file),
        )
        check = UnitCheck(feature_set, scan.describe().has_depth_unit)
        check.add(block)
        notes += check.notes
        implausible = {}
        for i, feature in enumerate(feature_set):
            outside, inside = int(binning.n_implausible[i]), int(binning.bins.count[:, i].sum())
            if outside:
                low, high = feature.plausible
                what = f"{outside:,} of {outside + inside:,} samples of {feature.name} are outside"
                what = f"{what} {low:g} to {high:g} {feature.unit}"
                assert block.left_out is not None
                least, most = block.left_out.lowest[i], block.left_out.highest[i]
                if outside > inside and most > 0:  # no unit makes a negative value positive: that is a faulty sensor
                    implausible[feature.name] = f"{what} ({least:g} to {most:g})"
                else:
                    notes.append(f"{what}: left out")
        return ScanRows(table, implausible, notes)


def _lithology_column(track: Track) -> Column | None:
    """Return the column of lithologies in the table of a track; None if there is none."""
    home = next(iter(track.features.values())).column.table
    found = [
        (LITHOLOGY_NAMES.index(name), i, column)
        for i, column in enumerate(track.file.columns)
        if column.table == home and column.is_text and (name := letters(split_unit(column.name)[0])) in LITHOLOGY_NAMES
    ]
    return min(found)[2] if found else None


class _Lithologies:
    """Counts the lithologies of the samples of each bin."""

    def __init__(self) -> None:
        self._names = AddressCodes()
        self._counts: list[pd.DataFrame] = []

    def add(self, rank: int, holes: NDArray[np.int64], numbers: NDArray[np.int64], texts: NDArray[np.str_]) -> None:
        """Count samples by the code of their hole, the number of their bin, and their lithology."""
        texts = np.char.strip(texts)
        named = ~np.isin(texts, NO_LABEL)
        names = self._names.encode([texts[named]], int(named.sum()))
        samples = pd.DataFrame({"hole": holes[named], "bin": numbers[named], "rank": rank, "name": names})
        self._counts.append(samples.groupby(list(samples), as_index=False).size())

    def of(self, holes: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.str_]:
        """Return the lithology of some bins, empty where there is none."""
        if not self._counts:
            return np.full(len(holes), "")
        counts = pd.concat(self._counts).groupby(["hole", "bin", "rank", "name"], as_index=False).sum()
        counts["name"] = np.array([*self._names.texts(), ""], object)[counts["name"]]
        counts["size"] = -counts["size"]
        first = counts.sort_values(["hole", "bin", "rank", "size", "name"]).drop_duplicates(["hole", "bin"])
        each = pd.DataFrame({"hole": holes, "bin": numbers})
        return each.merge(first, how="left", on=["hole", "bin"])["name"].fillna("").to_numpy(object).astype(np.str_)


def _hole_names(address: dict[str, NDArray[np.str_]], n: int, name: str) -> NDArray[np.str_]:
    """Return each row's hole: expedition, site and letter; the scan's name before it where the site is not known."""
    parts = [np.broadcast_to(address[part], n) for part in HOLE_PARTS if part in address]
    if not parts:
        return np.full(n, name)
    known = [part for part in HOLE_PARTS if part in address]
    keys, rows = np.unique(np.rec.fromarrays(parts), return_inverse=True)
    names = []
    for key in keys.tolist():
        named = hole_parts(dict(zip(known, map(str, key), strict=True)))
        texts = [text for part in HOLE_PARTS if (text := named.get(part, ""))]
        is_whole = bool(named.get("site")) or len(named.get("hole", "")) > 2  # A alone is a hole of every site
        names.append("-".join(texts if is_whole else [name, *texts]))
    return np.array(names, np.str_)[rows]
