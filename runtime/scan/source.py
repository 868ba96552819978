"""Which column of a file is which feature, in which unit; what is left out is said in notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import FEATURES, Quantity, letters
from lithovae.runtime.formats.hdf5.column import Column
from lithovae.runtime.formats.hdf5.image import is_wide_integer

from .address import Addresses
from .colour import has_fractions_only
from .mapping import mapped_columns


@dataclass(frozen=True)
class Source:
    """A column taken for a quantity.

    Attributes
    ----------
    column : Column
        The column.
    unit : str or None
        Unit in which the file states its values; None where it states none.
    factor : Fraction
        What brings a value to the quantity's unit.
    is_mapped : bool
        Whether the user has chosen it.
    """

    column: Column
    unit: str | None
    factor: Fraction
    is_mapped: bool = False

    def __str__(self) -> str:
        unit = f"({self.unit or 'no unit given'})"
        return self.column.path if self.column.path.endswith(unit) else f"{self.column.path} {unit}"


def choose_sources(
    path: Path, columns: list[Column], mapping: Mapping[str, str], addresses: Addresses, notes: list[str]
) -> dict[int, list[Source]]:
    """Choose the columns of each feature: one, or one for each hole, core or section that has a group of its own.

    Parameters
    ----------
    path : Path
        The file, for messages.
    columns : list of Column
        All columns of the file.
    mapping : mapping of str to str
        Columns that the user has chosen, by feature.
    addresses : Addresses
        What the file says of the address of its groups.
    notes : list of str
        Takes what was left out, or assumed, and why.

    Returns
    -------
    dict of int to list of Source
        By position in `FEATURES`; a feature that the file lacks is absent.

    Raises
    ------
    ScanError
        If no feature is found, one holds text, or several columns are equally well named for one.
    """
    chosen: dict[int, list[Source]] = {}
    unfit: dict[int, Column] = {}
    mapped = mapped_columns(path, columns, mapping)
    beside: dict[object, set[str]] = {}
    for column in columns:
        beside.setdefault(column.table, set()).add(column.name.strip())
    for i, feature in enumerate(FEATURES):
        if i in mapped:
            chosen[i] = [_mapped_source(feature, column, notes) for column in mapped[i]]
            continue
        candidates: list[tuple[int, Source]] = []
        for column in columns:
            rank = feature.rank(column.name)
            if rank is None:
                if feature.is_point_sensor(column.name):
                    notes.append(
                        f"{column.path} is a point sensor's {feature.name}, which is not comparable: left out "
                        f"(--map takes it)"
                    )
            elif _is_lab_colour(column, beside[column.table]):
                notes.append(f"{column.path} stands beside L and a: taken for L*a*b* colour, not for {feature.name}")
            elif not column.is_number:
                unfit[i] = column
            elif why_not := _why_not(feature, column):
                notes.append(f"{column.path} looks like {feature.name}, but {why_not} (--map takes it as it stands)")
            elif (source := _source(feature, column)) is not None:
                candidates.append((rank, source))
        if candidates:
            chosen[i] = _best(path, feature, candidates, columns, addresses, notes)
    for i, column in unfit.items():
        kind = "text" if column.is_text else str(column.dtype)
        if i in chosen:
            notes.append(f"{column.path} holds {kind}, not numbers: not used for {FEATURES[i].name}")
        else:
            raise ScanError(f"{path}: {column.path}, by its name {FEATURES[i].name}, holds {kind}, not numbers", path)
    if not chosen:
        raise ScanError(f"{path}: {_nothing_found(columns, notes)}", path)
    return chosen


def _why_not(feature: Quantity, column: Column) -> str:
    """Say why a well-named column is not taken unasked; empty where it is."""
    source = _source(feature, column)
    if against := feature.contradiction(column.name, column.unit):
        return f"it {against}: left out"
    if source is None:
        return f"its unit {_unit(feature, column)!r} is not {feature.unit}: left out"
    if source.unit is None and feature.needs_unit(column.name):
        return f"what is called so is rarely in {feature.unit}, and no unit is given: left out"
    if feature.unit == "0-255" and source.unit is None:
        if is_wide_integer(column):
            return f"its pixels are {column.dtype}, which need not be 0 to 255: left out"
        if has_fractions_only(column):
            return "its values lie between 0 and 1, not 0 and 255: left out"
    return ""


def _best(
    path: Path,
    feature: Quantity,
    candidates: list[tuple[int, Source]],
    columns: list[Column],
    addresses: Addresses,
    notes: list[str],
) -> list[Source]:
    """Take the best-named candidate of each hole, core or section; refuse where two are equally good for one."""
    candidates.sort(key=lambda candidate: candidate[0])
    same_data: dict[object, list[tuple[int, Source]]] = {}
    for candidate in candidates:
        same_data.setdefault(candidate[1].column.identity, []).append(candidate)
    if len(same_data) < len(candidates):  # links: a single one may stand apart from the depth
        sizes = Counter(column.table for column in columns)
        candidates = [max(links, key=lambda link: sizes[link[1].column.table]) for links in same_data.values()]
    best_rank, best_parts = candidates[0][0], addresses.key(candidates[0][1].column.table[0])[0]
    taken: dict[object, tuple[int, Source]] = {}
    passed_over: list[tuple[Source, Source]] = []
    for rank, source in candidates:
        parts, key = addresses.key(source.column.table[0])
        if parts != best_parts:  # no sibling of the best one: one of another kind
            rival = (best_rank, candidates[0][1])
        elif key in taken:
            rival = taken[key]
        else:
            taken[key] = rank, source
            continue
        if rank == rival[0]:
            names = ", ".join([other.column.path for r, other in candidates if r == rank][:4])
            example = f"--map '{feature.name}={rival[1].column.path}'"
            raise ScanError(f"{path}: {feature.name} could be any of {names}: choose one, as with {example}", path)
        passed_over.append((source, rival[1]))
    for other, winner in passed_over:
        notes.append(
            f"{other.column.path} could be {feature.name} too: {winner.column.path} is taken (--map overrides)"
        )
    return [source for _, source in taken.values()]


def _nothing_found(columns: list[Column], notes: list[str]) -> str:
    if notes:
        return f"no feature can be taken; {'; '.join(notes[:3])}"
    nameless = [column for column in columns if not column.name and column.is_number]
    if nameless:
        place = nameless[0].place
        return (
            f"{place} {nameless[0].dataset.shape} does not say what its columns are: name them in an attribute "
            f"'columns', or map each, as in --map 'density={nameless[0].path}'"
        )
    names = ", ".join(column.path for column in columns[:8]) or "nothing"
    return (
        f"none of the six features found among {names}; known names are, for instance, "
        f"{', '.join(feature.name for feature in FEATURES)}; --map FEATURE=PATH says which is which"
    )


def _mapped_source(feature: Quantity, column: Column, notes: list[str]) -> Source:
    source = _source(feature, column)
    if source is None:
        unit = _unit(feature, column)
        notes.append(f"{column.path} is taken as {feature.name} in {feature.unit}, as mapped, though it says {unit!r}")
        return Source(column, unit, Fraction(1), is_mapped=True)
    return Source(column, source.unit, source.factor, is_mapped=True)


def _is_lab_colour(column: Column, beside: set[str]) -> bool:
    if letters(column.name) != "b" or "a" not in map(letters, beside):
        return False
    return "r" not in map(letters, beside) or (column.name.strip() == "b" and {"a", "B"} <= beside)


def _unit(feature: Quantity, column: Column) -> str | None:
    stated = (column.unit, feature.unit_in(column.name), column.table_unit)
    return next((unit for unit in stated if unit is not None), None)


def _source(feature: Quantity, column: Column) -> Source | None:
    """Take a column for a feature; None where its unit cannot be converted exactly."""
    unit = column.unit
    if unit is None:
        unit = feature.unit_in(column.name)  # "(GRA)" is part of a known name, "(gAPI)" is a unit
    if unit is None and column.table_unit is not None:
        others = [other for other in FEATURES if other.factor(column.table_unit) is not None]
        if feature in others or not others:  # otherwise it speaks of another of the table's measurements
            unit = column.table_unit
    factor = feature.factor(unit or "")
    return None if factor is None else Source(column, unit or None, factor)
