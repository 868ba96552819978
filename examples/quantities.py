"""Write the catalogue of `runtime/features.py` for readers without Python: run it after a change of the catalogue.

It writes `hosts/quantities.json`, from which the JavaScript hosts take names and exact factors, and the part of
`docs/scan-format.md` between two marks. `python examples/quantities.py`
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from lithovae.runtime.features import CATALOGUE, DEPTH, ELEMENTS, UNIT_SUFFIX, Quantity

ROOT = Path(__file__).parents[1]
JSON, PAGE = ROOT / "examples" / "hosts" / "quantities.json", ROOT / "docs" / "scan-format.md"
BEGIN, END = "<!-- written by examples/quantities.py -->", "<!-- end -->"
TRANSFORMS = {"none": "none", "signed_log": "sign(x)·log1p(abs(x))", "log1p": "log1p(x)"}


def plain(quantity: Quantity) -> dict[str, Any]:
    """Return a quantity as plain data; a factor as numerator and denominator."""
    return {
        "name": quantity.name,
        "short": quantity.short or quantity.name,
        "unit": quantity.unit,
        "plausible": list(quantity.plausible),
        "transform": quantity.transform,
        "instrument": quantity.instrument,
        "aliases": quantity.aliases,
        "aliases_with_unit": quantity.aliases_with_unit,
        "point_sensor_aliases": quantity.point_sensor_aliases,
        "units": {unit: [factor.numerator, factor.denominator] for unit, factor in quantity.units.items()},
    }


def as_json() -> str:
    """Return the text of `hosts/quantities.json`, with a line for each quantity."""
    lines = ",\n".join(f"  {json.dumps(plain(quantity), ensure_ascii=False)}" for quantity in CATALOGUE)
    depth = json.dumps(plain(DEPTH), ensure_ascii=False)
    return f'{{\n "suffix": {json.dumps(UNIT_SUFFIX.pattern)},\n "depth": {depth},\n "quantities": [\n{lines}\n ]\n}}\n'


def as_markdown() -> str:
    """Return the quantities as a table, and their names as a list; iron stands for all elements of XRF."""
    others = [symbol for symbol in ELEMENTS if symbol != "Fe"]
    shown = [quantity for quantity in CATALOGUE if quantity.name not in {f"{symbol} (XRF)" for symbol in others}]
    table = [
        "| quantity | short name | unit | also converted | transform | instrument | plausible |",
        "|---|---|---|---|---|---|---|",
        *map(_row, shown),
    ]
    names = [f"- `{quantity.name}`: {_names(quantity)}" for quantity in (*shown, DEPTH)]
    same = f"Like iron (Fe), by their symbols: {', '.join(others)}."
    return "\n".join([*table, "", same, "", "Names, the best one first, as they are compared:", "", *names])


def _row(quantity: Quantity) -> str:
    low, high = (f"{end:,.10g}" for end in quantity.plausible)
    spellings: dict[Fraction, str] = {}
    for unit, factor in quantity.units.items():
        spellings.setdefault(factor, unit)
    converted = ", ".join(f"`{unit}` (× {factor})" for factor, unit in spellings.items() if factor != 1)
    names = _code([quantity.name]), _code([quantity.short or quantity.name])
    cells = (*names, quantity.unit, converted, TRANSFORMS[quantity.transform], quantity.instrument, f"{low} to {high}")
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _names(quantity: Quantity) -> str:
    known = _code(quantity.names[: 1 + len(quantity.aliases)])
    if quantity.aliases_with_unit:
        known += f"; with a known unit only: {_code(quantity.aliases_with_unit)}"
    if quantity.point_sensor_aliases:
        known += f"; only if mapped, from a point sensor: {_code(quantity.point_sensor_aliases)}"
    return known


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def with_tables(page: str) -> str:
    """Return a page with the table and the names between the marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{as_markdown()}\n\n{END}{after}"


if __name__ == "__main__":
    JSON.write_text(as_json(), encoding="utf-8", newline="\n")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
