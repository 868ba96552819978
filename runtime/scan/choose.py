"""Choice of the columns for the features; a note says what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import (
    CATALOGUE,
    COLOURS,
    DEPTH,
    LILY,
    FeatureSet,
    Quantity,
    letters,
    spellings,
    split_unit,
)
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats.column import Column
from lithovae.runtime.formats.file import File
from lithovae.runtime.settings import Calibration

from .calibration import applies, note_unused
from .colour import has_fractions_only, is_lab_colour, is_wide_integer, says_colour
from .group_address import GroupAddresses
from .mapping import MAPPED_DEPTH, hold_the_same, mapped_columns, note_namesake, require_alike
from .source import Candidate, Source, candidates, note_passed_over, unit_of

ALIKE = 0.6
"""Least similarity of two names (from 0 to 1) at which one is suggested for the other."""
MAX_COMPARED = 200
"""Largest number of columns whose names are compared."""
MAX_NAMED = 12
"""Largest number of features that a message names."""


def choose_sources(
    file: File,
    mapping: Mapping[str, str],
    addresses: GroupAddresses,
    features: FeatureSet,
    calibrations: Mapping[str, Calibration] | None = None,
) -> dict[int, list[Source]]:
    """Choose the columns of each feature: one, or one for each hole, core or section with a group of its own.

    Parameters
    ----------
    file : File
        The open file. Its findings receive notes on what was left out or assumed, and why.
    mapping : mapping of str to str
        Columns chosen by the user, by feature.
    addresses : GroupAddresses
        What the file states about the addresses of its groups.
    features : FeatureSet
        The features to look for.
    calibrations : mapping of str to Calibration, optional
        Declared conversions, by feature.

    Returns
    -------
    dict of int to list of Source
        By position in ``features``; features that the file lacks are absent.

    Raises
    ------
    ScanError
        If no feature is found, the only column for a feature holds text, or several columns fit one equally well.
    """
    columns, findings = file.columns, file.findings
    chosen: dict[int, list[Source]] = {}
    unfit: dict[int, Column] = {}
    mapped = mapped_columns(columns, mapping, features)
    require_alike(file, mapping)
    taken = {column.identity for chosen_columns in mapped.values() for column in chosen_columns}
    free = [column for column in columns if column.identity not in taken] if taken else columns  # one serves once
    beside: dict[object, set[str]] = {}
    for column in columns:
        beside.setdefault(column.table, set()).add(column.name.strip())
    names: dict[object, set[str]] = {}
    colours = [(letters(column.name), column) for column in free]
    colours += [
        (features[i].name.lower(), column)
        for i in mapped
        if i != MAPPED_DEPTH and features[i] in COLOURS
        for column in mapped[i]
    ]
    for name, column in colours:
        names.setdefault(column.table, set()).add(name)
        names.setdefault(column.group, set()).add(name)
    for i, feature in enumerate(features):
        calibration = (calibrations or {}).get(feature.name)
        if i in mapped:
            chosen[i] = [_mapped_source(features, feature, column, calibration, findings) for column in mapped[i]]
            continue
        for column in free:
            if feature.is_point_sensor(column.name) and features.find(column.name) is None:
                findings.note(
                    f"{column.path} is {feature.name} from a point sensor, which is not comparable: left out "
                    f"(--map takes it)"
                )
            elif (
                feature.rank(column.name) is not None
                and not (column.is_number or is_lab_colour(column, beside[column.table]))
                and not _is_chance(features, feature, column)
            ):
                unfit[i] = column
        ranked = candidates(feature, free, partial(_take, file, features, feature, beside, calibration), findings)
        if feature in COLOURS:
            ranked = [candidate for candidate in ranked if _is_colour(file, candidate.source.column, names)]
        if not ranked:
            continue
        try:
            chosen[i] = _one_per_address(feature, ranked, file, addresses)
        except ScanError as error:
            if not is_optional(features, feature):
                raise
            findings.note(f"{error}: left out")
    for i, column in unfit.items():
        if i not in chosen and not is_optional(features, features[i]):
            name = features[i].name
            raise ScanError(f"column {column.path} matches feature {name} by name but holds {column.kind}, not numbers")
        findings.note(f"{column.path} holds {column.kind}, not numbers: not used for {features[i].name}")
    _require_one_purpose(features, columns, mapped, chosen)
    note_unused(calibrations or {}, features, columns, chosen, findings)
    if not chosen:
        raise ScanError(_why_no_feature(features, columns, findings))
    return chosen


def is_optional(features: FeatureSet, feature: Quantity) -> bool:
    """Return whether nobody asked for a feature: it is looked for because the catalogue has it."""
    return features is CATALOGUE and feature not in LILY


def _is_chance(features: FeatureSet, feature: Quantity, column: Column) -> bool:
    """Return whether nobody asked for a feature, and a column has only its symbol: Y may be a coordinate, S a flag."""
    is_symbol = letters(feature.short) in spellings(column.name)
    return is_symbol and is_optional(features, feature) and feature.needs_unit(column.name)


def _require_one_purpose(
    features: FeatureSet,
    columns: Sequence[Column],
    mapped: Mapping[int, Sequence[Column]],
    chosen: Mapping[int, Sequence[Source]],
) -> None:
    """Check that no mapped column is, by its name, the only one of something else: the mapping may be a slip."""
    for i, of_quantity in mapped.items():
        for column in of_quantity:
            depths = [other for other in columns if other.table == column.table and DEPTH.rank(other.name) is not None]
            needs_depth = MAPPED_DEPTH not in mapped and all(other.identity == column.identity for other in depths)
            wanted = [feature for j, feature in enumerate(features) if j not in chosen] + [DEPTH] * needs_depth
            for other in wanted:
                if other.rank(column.name) is not None:
                    raise ScanError(
                        f"--map: {column.path} is mapped to {DEPTH.name if i == MAPPED_DEPTH else features[i].name}, "
                        f"but by its name it is {'the depth' if other is DEPTH else other.name}, for which there is no "
                        "other column: a column serves once. Map that too, or rename the column"
                    )


def _is_colour(file: File, column: Column, beside: dict[object, set[str]]) -> bool:
    """Return whether R, G or B is colour: all three are in one table or group, or something else says so."""
    is_colour = {"r", "g", "b"} <= beside[column.table] | beside[column.group] or says_colour(file, column)
    if not is_colour:
        file.findings.note(
            f"{column.path} is called {column.name}, but the other two colours are not beside it, and no unit, range "
            "or name says that it is one: left out (--map takes it)"
        )
    return is_colour


def _take(
    file: File,
    features: FeatureSet,
    feature: Quantity,
    beside: dict[object, set[str]],
    calibration: Calibration | None,
    column: Column,
) -> Source | str:
    """Return the source for a column whose name matches, or why it is not used; empty if another feature takes it."""
    if is_lab_colour(column, beside[column.table]):
        return f"is in one table with L and a: taken as b of L*a*b* colour, not as {feature.name}"
    source = _source(features, feature, column, calibration)
    why_not = ""
    if contradiction := feature.contradiction(column.name, column.unit):
        why_not = f"it {contradiction}"
    elif source is None:
        why_not = f"its unit {_stated_unit(feature, column)!r} is not {feature.unit}"
    elif source.unit is None and feature.needs_unit(column.name):
        why_not = f"columns with this name are rarely in {feature.unit}, and this one states no unit"
    elif feature.unit == "0-255" and source.unit is None:
        if is_wide_integer(column):
            why_not = f"its pixels are {column.dtype}, whose range is not known to be 0 to 255"
        elif has_fractions_only(file, column):
            why_not = "its values range from 0 to 1, not from 0 to 255"
    others = (other for other in features if other is not feature and other.rank(column.name) is not None)
    if why_not and (
        _is_chance(features, feature, column) or any(_source(features, other, column, None) for other in others)
    ):
        return ""  # a K may be potassium by spectral gamma, or by XRF: its unit says which
    if source is None or why_not:
        calibrated = "; --calibration declares a conversion" if source is None and column.is_number else ""
        return f"looks like {feature.name}, but {why_not}: left out (--map takes it unchanged){calibrated}"
    return source


def _one_per_address(
    feature: Quantity,
    ranked: list[Candidate],
    file: File,
    addresses: GroupAddresses,
) -> list[Source]:
    """Return the best-named candidate for each hole, core or section; raise if two fit one equally well."""
    same_data: dict[object, list[Candidate]] = {}
    for candidate in ranked:
        same_data.setdefault(candidate.source.column.identity, []).append(candidate)
    if len(same_data) < len(ranked):  # links: prefer the one in the largest table, which may have the depth
        sizes = Counter(column.table for column in file.columns)
        ranked = [max(links, key=lambda link: sizes[link.source.column.table]) for links in same_data.values()]
    best = ranked[0]
    best_parts = addresses.key(best.source.column.table[0])[0]
    taken: dict[object, Candidate] = {}
    for candidate in ranked:
        parts, key = addresses.key(candidate.source.column.table[0])
        if parts == best_parts and key not in taken:
            taken[key] = candidate
            continue
        rival = (
            taken[key] if parts == best_parts else best
        )  # not a sibling of the best one: its address has other parts
        column, other = candidate.source.column, rival.source.column
        is_namesake = column.is_namesake and (column.name, column.table) == (other.name, other.table)
        if is_namesake and hold_the_same(file, [other, column]):
            note_namesake(file, other, column)
            continue
        if candidate.rank == rival.rank:
            names = ", ".join([other.column.path for rank, other in ranked if rank == rival.rank][:4])
            example = f"--map '{feature.name}={rival.source.column.path}'"
            raise ScanError(f"{feature.name} could be any of {names}: choose one, as with {example}")
        note_passed_over(candidate.source, rival.source, feature.name, file.findings, " (--map overrides)")
    return [candidate.source for candidate in taken.values()]


def _why_no_feature(features: FeatureSet, columns: Sequence[Column], findings: Findings) -> str:
    if findings.notes:
        return f"no usable feature found; {'; '.join(findings.notes[:3])}"
    nameless = [column for column in columns if not column.name and column.is_number]
    if nameless:
        return nameless[0].without_names
    if not columns:
        return "the file contains no data columns"
    names = ", ".join(column.path for column in columns[:8])
    near = f"; nearest: {near}" if (near := ", ".join(_nearest(features, columns))) else ""
    return (
        f"none of the features is among its columns ({names}); known names include "
        f"{', '.join(features.names[:MAX_NAMED])}{' …' * (len(features) > MAX_NAMED)}; --map FEATURE=PATH chooses a "
        f"column{near}"
    )


def _nearest(features: FeatureSet, columns: Sequence[Column]) -> list[str]:
    """Return the options that would take the columns whose names resemble a feature's most, at most three."""
    from difflib import SequenceMatcher  # few scans need it

    found = []
    for column in columns[:MAX_COMPARED]:
        bare = letters(split_unit(column.name)[0])
        for feature in features if column.is_number and len(bare) > 1 else ():
            share = max(SequenceMatcher(None, bare, name).ratio() for name in feature.names)
            found.append((share, f"--map '{features.short_names[feature.name]}={column.path}'"))
    return [option for share, option in sorted(found, reverse=True)[:3] if share >= ALIKE]


def _mapped_source(
    features: FeatureSet, feature: Quantity, column: Column, calibration: Calibration | None, findings: Findings
) -> Source:
    source = _source(features, feature, column, calibration)
    if source is None:
        unit = _stated_unit(feature, column)
        findings.note(
            f"{column.path} is taken as {feature.name} in {feature.unit}, as mapped, although its unit is {unit!r}"
        )
        return Source(column, unit, Fraction(1), is_mapped=True)
    return replace(source, is_mapped=True)


def _stated_unit(feature: Quantity, column: Column) -> str | None:
    unit = unit_of(feature, column)
    return unit if unit is not None else column.table_unit


def _source(features: FeatureSet, feature: Quantity, column: Column, calibration: Calibration | None) -> Source | None:
    """Return a column as the source of a feature; None if its unit can be converted neither exactly nor as declared."""
    unit = unit_of(feature, column)  # "(GRA)" is part of a known name, "(gAPI)" is a unit
    if unit is None and column.table_unit is not None:
        others = [other for other in features if other.factor(column.table_unit) is not None]
        if feature in others or not others:  # otherwise it is the unit of another column
            unit = column.table_unit
    if applies(calibration, unit):
        return Source(column, unit, Fraction(1), calibration=calibration)
    factor = feature.factor(unit or "")
    return None if factor is None else Source(column, unit or None, factor)
