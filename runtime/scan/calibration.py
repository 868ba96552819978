"""Calibrations that the user declares: how an instrument's values become those that the models know."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lithovae.runtime.errors import InputError
from lithovae.runtime.features import CATALOGUE, FeatureSet, unit_key
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats.column import Column
from lithovae.runtime.settings import Calibration

from .source import Source

KEYS = ("unit", "gain", "offset", "source")
_POWER_OF_SI = re.compile(r"si(x?10-?\d+|x?1?e-?\d+)|(x?10-?\d+|x?1?e-?\d+)x?si")


def read_calibrations(path: Path) -> dict[str, Calibration]:
    """Read a file of calibrations.

    It has a table for each feature, by its name or an alias, with ``unit`` (as the scan states it), ``gain`` and,
    optionally, ``offset`` (value in the unit of the models = value * gain + offset), and ``source`` (who says so).

    Returns
    -------
    dict of str to Calibration
        By name of the feature.

    Raises
    ------
    InputError
        If the file cannot be read, or an entry is unknown, absent or not what it should be.
    """
    import tomllib  # few runs have calibrations

    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
    except OSError as error:
        raise InputError(f"--calibration: {path} cannot be read: {error.strerror}", path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--calibration: {path} is not TOML: {error}", path) from error
    found: dict[str, Calibration] = {}
    for key, table in tables.items():
        position = CATALOGUE.find(key)
        if position is None:
            known = ", ".join(CATALOGUE.short_names.values())
            raise InputError(f"--calibration: {path}: [{key}] is not a feature; known are {known}", path)
        feature = CATALOGUE[position]
        if feature.name in found:
            raise InputError(f"--calibration: {path}: {feature.name} has two tables; the second is [{key}]", path)
        try:
            found[feature.name] = _calibration(table)
        except ValueError as error:
            raise InputError(f"--calibration: {path}: [{key}] {error}", path) from error
    if not found:
        raise InputError(f"--calibration: {path} holds no table, such as [MS]", path)
    return found


def _calibration(table: Any) -> Calibration:
    if not isinstance(table, dict):
        raise ValueError("is not a table: write [MS] above its unit, gain and source")
    if unknown := [key for key in table if key not in KEYS]:
        raise ValueError(f"has the unknown key {unknown[0]!r}; known are {', '.join(KEYS)}")
    for key in ("unit", "source"):
        if not isinstance(table.get(key), str) or not table[key].strip():
            raise ValueError(f"needs {key}, a text")
    if "gain" not in table:
        raise ValueError("needs gain, a number")
    numbers = {key: table.get(key, 0.0) for key in ("gain", "offset")}
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(f"{key} is {value!r}, not a finite number")
    if not numbers["gain"]:
        raise ValueError("gain is 0")
    return Calibration(table["unit"].strip(), float(numbers["gain"]), float(numbers["offset"]), table["source"].strip())


def applies(calibration: Calibration | None, unit: str | None) -> bool:
    """Return whether a calibration is for values in a stated unit."""
    return calibration is not None and unit is not None and _key(calibration.unit) == _key(unit)


def _key(unit: str) -> str:
    """Reduce a unit to a common spelling: ``SI x 10^-5``, ``10⁻⁵ SI`` and ``SIx10-5`` become one."""
    import unicodedata  # few runs have calibrations

    key = unit_key(unicodedata.normalize("NFKC", unit).replace("×", "x"))
    if match := _POWER_OF_SI.fullmatch(key):
        power = (match[1] or match[2]).removeprefix("x")
        return "six" + re.sub(r"^1?e", "10", power)
    return key


def note_unused(
    calibrations: Mapping[str, Calibration],
    features: FeatureSet,
    columns: Sequence[Column],
    chosen: Mapping[int, Sequence[Source]],
    findings: Findings,
) -> None:
    """Note the calibrations of which the scan has the feature, but in no column that states their unit."""
    for i, feature in enumerate(features):
        calibration = calibrations.get(feature.name)
        is_there = i in chosen or any(feature.rank(column.name) is not None for column in columns)
        if calibration and is_there and not any(source.calibration for source in chosen.get(i, [])):
            findings.note(
                f"the calibration of {feature.name} is not used: no column of it states the unit {calibration.unit!r}"
            )
