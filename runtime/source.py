"""Which column of a file is which feature, in which unit; what is left out is said in notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .column import Column
from .errors import ScanError
from .features import FEATURES, Quantity, letters, split_unit


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
    """

    column: Column
    unit: str | None
    factor: Fraction

    def __str__(self) -> str:
        return f"{self.column.path} ({self.unit or 'no unit given'})"


def choose_sources(
    path: Path, columns: list[Column], mapping: Mapping[str, str], notes: list[str]
) -> dict[int, Source]:
    """Choose a column for each feature.

    Parameters
    ----------
    path : Path
        The file, for messages.
    columns : list of Column
        All columns of the file.
    mapping : mapping of str to str
        Columns that the user has chosen, by feature.
    notes : list of str
        Takes what was left out, or assumed, and why.

    Returns
    -------
    dict of int to Source
        By position in `FEATURES`; a feature that the file lacks is absent.

    Raises
    ------
    ScanError
        If no feature is found, one holds text, or several columns are equally well named for one.
    """
    chosen: dict[int, Source] = {}
    texts: dict[int, Column] = {}
    mapped = _mapped(path, columns, mapping)
    for i, feature in enumerate(FEATURES):
        if i in mapped:
            chosen[i] = _mapped_source(feature, mapped[i], notes)
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
            elif _is_lab_colour(column, columns):
                notes.append(f"{column.path} stands beside L and a: taken for L*a*b* colour, not for {feature.name}")
            elif not column.is_number:
                if column.is_text:
                    texts[i] = column
            elif (source := _source(feature, column)) is None:
                notes.append(
                    f"{column.path} looks like {feature.name}, but its unit {_unit(column)!r} is not {feature.unit}: "
                    f"left out (--map takes it as it stands)"
                )
            else:
                candidates.append((rank, source))
        if candidates:
            chosen[i] = _best(path, feature, candidates, notes)
    for i, column in texts.items():
        if i not in chosen:
            raise ScanError(f"{path}: {column.path}, by its name {FEATURES[i].name}, holds text, not numbers", path)
    if not chosen:
        raise ScanError(f"{path}: {_nothing_found(columns, notes)}", path)
    return chosen


def _best(path: Path, feature: Quantity, candidates: list[tuple[int, Source]], notes: list[str]) -> Source:
    candidates.sort(key=lambda candidate: candidate[0])
    same_data: set[object] = set()
    for candidate in list(candidates):
        if candidate[1].column.identity in same_data:  # a link to what a better name leads to
            candidates.remove(candidate)
        same_data.add(candidate[1].column.identity)
    best = [source for rank, source in candidates if rank == candidates[0][0]]
    if len(best) > 1:
        names = ", ".join(source.column.path for source in best[:4])
        example = f"--map '{feature.name}={best[0].column.path}'"
        raise ScanError(f"{path}: {feature.name} could be any of {names}: choose one, as with {example}", path)
    for _, other in candidates[1:]:
        notes.append(
            f"{other.column.path} could be {feature.name} too: {best[0].column.path} is taken (--map overrides)"
        )
    return best[0]


def _nothing_found(columns: list[Column], notes: list[str]) -> str:
    if notes:
        return f"no feature can be taken; {'; '.join(notes[:3])}"
    nameless = [column for column in columns if not column.name and column.is_number]
    if nameless:
        place = str(nameless[0].dataset.name).lstrip("/")
        return (
            f"{place} {nameless[0].dataset.shape} does not say what its columns are: name them in an attribute "
            f"'columns', or map each, as in --map 'density={place}:0'"
        )
    names = ", ".join(column.path for column in columns[:8]) or "nothing"
    return (
        f"none of the six features found among {names}; known names are, for instance, "
        f"{', '.join(feature.name for feature in FEATURES)}; --map FEATURE=PATH says which is which"
    )


def _mapped(path: Path, columns: list[Column], mapping: Mapping[str, str]) -> dict[int, Column]:
    found: dict[int, Column] = {}
    for name, place in mapping.items():
        position = next((i for i, feature in enumerate(FEATURES) if feature.rank(name) is not None), None)
        if position in found:
            raise ScanError(f"--map: {FEATURES[position].name} is mapped twice", path)
        if position is None:
            known = ", ".join(feature.name for feature in FEATURES)
            raise ScanError(f"--map: {name!r} is none of the features {known}", path)
        wanted = place.strip().lstrip("/")
        column = next((c for c in columns if wanted in (c.path, f"{str(c.dataset.name).lstrip('/')}:{c.field}")), None)
        if column is None:
            near = ", ".join(c.path for c in columns[:8])
            raise ScanError(f"{path}: --map: no column {place!r}; the file has {near}{' …' * (len(columns) > 8)}", path)
        if not column.is_number:
            raise ScanError(f"{path}: --map: {column.path} ({column.dtype}) does not hold numbers", path)
        found[position] = column
    return found


def _mapped_source(feature: Quantity, column: Column, notes: list[str]) -> Source:
    source = _source(feature, column)
    if source is None:
        notes.append(
            f"{column.path} is taken as {feature.name} in {feature.unit}, as mapped, though it says {_unit(column)!r}"
        )
        source = Source(column, _unit(column), Fraction(1))
    return source


def _is_lab_colour(column: Column, columns: list[Column]) -> bool:
    if letters(column.name) != "b":
        return False
    beside = {letters(other.name) for other in columns if other.table == column.table}
    return "a" in beside and "r" not in beside


def _unit(column: Column) -> str | None:
    stated = (column.unit, split_unit(column.name)[1] or None, column.table_unit)
    return next((unit for unit in stated if unit is not None), None)


def _source(feature: Quantity, column: Column) -> Source | None:
    """Take a column for a feature; None where its unit cannot be converted exactly."""
    unit = column.unit
    if unit is None:
        in_name = split_unit(column.name)[1]  # "(GRA)" is part of a known name, "(gAPI)" is a unit
        if in_name and (feature.factor(in_name) is not None or letters(column.name) not in feature.names):
            unit = in_name
    if unit is None and column.table_unit is not None:
        others = [other for other in FEATURES if other.factor(column.table_unit) is not None]
        if feature in others or not others:  # otherwise it speaks of another of the table's measurements
            unit = column.table_unit
    factor = feature.factor(unit or "")
    return None if factor is None else Source(column, unit or None, factor)
