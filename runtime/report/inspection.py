"""Formats the findings of `lithovae.runtime.rows.inspection` as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from .lists import MAX_NOTES, unused_columns

MAX_TRACKS = 12
"""Largest number of tables that are listed."""


def inspection_lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that `lithovae inspect` prints."""
    yield f"scan     {found['scan']}"
    yield f"layout   {'; '.join(found['layout'])}"
    if found["address"]:
        yield f"from     {', '.join(f'{part} {text}' for part, text in found['address'].items())}"
    counts = [
        _counted(kind, names, is_named=kind == "holes" and "hole" not in found["address"])
        for kind, names in found["found"].items()
        if names["n"]
    ]
    if counts:
        yield f"found    {', '.join(counts)}"
    yield f"rows     {_rows(found['rows'])}"
    effect = found["features"][0]["where_missing"]
    yield f"model    {found['bundle']['name']}; where a row lacks a feature: {effect}"
    yield ""
    yield from _table(["feature", "from", "unit", "rows with a value"], list(_features(found)))
    yield ""
    short_names = {feature["name"]: feature["short"] for feature in found["features"]}
    tracks = [_track(track, short_names) for track in found["tracks"][:MAX_TRACKS]]
    yield from _table(["samples", "with values", "depth", "range", "step", ""], tracks)
    if len(found["tracks"]) > MAX_TRACKS:
        yield f"and {len(found['tracks']) - MAX_TRACKS} more tables"
    if found["notes"] or found["unused"]:
        yield ""
    yield from (f"note     {note}" for note in found["notes"][:MAX_NOTES])
    if len(found["notes"]) > MAX_NOTES:
        yield f"note     and {len(found['notes']) - MAX_NOTES:,} more (--json lists all)"
    if found["unused"]:
        yield f"unused   {unused_columns(found['unused'])}"


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    for line in [head, *rows]:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def _counted(kind: str, names: dict[str, Any], *, is_named: bool) -> str:
    text = f"1 {kind[:-1]}" if names["n"] == 1 else f"{names['n']:,} {kind}"
    return text + f" ({', '.join(names['first'][:4])})" * (is_named and names["n"] <= 4)


def _rows(rows: dict[str, Any]) -> str:
    text = f"{rows['n']:,} unchanged from the scan"
    if rows["kind"] == "bins":
        text = f"{rows['n']:,} bins of {rows['bin_width_m']:g} m"
    if rows["depth_m"]:
        text += f", {rows['depth_m'][0]:.2f} to {rows['depth_m'][1]:.2f} m"
    if rows["samples_without_depth"]:
        text += f"; {rows['samples_without_depth']:,} samples have no depth and are left out"
    return text


def _features(found: dict[str, Any]) -> Iterator[list[str]]:
    n = found["rows"]["n"]
    for feature in found["features"]:
        short, sources, n_with = feature["short"], feature["sources"], feature["rows_with_value"]
        if not sources:
            is_left_out = any(f"looks like {feature['name']}, but" in note for note in found["notes"])
            yield [
                short,
                "left out: see the notes" if is_left_out else "not in this scan",
                "",
                f"none: {feature['where_missing']}",
            ]
            continue
        source = sources[0]["path"] if len(sources) == 1 else f"{sources[0]['path']} and {len(sources) - 1} more"
        units = ", ".join(dict.fromkeys(_unit(one, feature["unit"]) for one in sources))
        gaps = f", {feature['where_missing']} in {n - n_with:,}" if n_with < n else ""
        yield [short, source, units, f"{n_with:,} ({_share(n_with, n)}){gaps}"]


def _unit(source: dict[str, Any], wanted: str) -> str:
    factor = Fraction(source["factor"])
    if calibration := source.get("calibration"):
        offset = f" {calibration['offset']:+g}" if calibration["offset"] else ""
        return f"{source['unit']} x {calibration['gain']:g}{offset} ({calibration['source']})"
    if source["unit"] is None:
        return "not given"
    if factor == 1:
        return f"{source['unit']}, as mapped" if source["mapped"] and source["unit"] != wanted else str(source["unit"])
    return f"{source['unit']} / {1 / factor}" if factor.numerator == 1 else f"{source['unit']} x {float(factor):g}"


def _share(n: int, total: int) -> str:
    if n in (0, total):
        return "100%" if n else "0%"
    return f"{min(99, max(1, round(100 * n / total)))}%"


def _track(track: dict[str, Any], short_names: dict[str, str]) -> list[str]:
    shares: dict[str, list[str]] = {}
    for name, n in track["values"].items():
        shares.setdefault(_share(n, track["samples"]), []).append(short_names[name])
    values = ", ".join(f"{' '.join(names)} {share}" for share, names in shares.items())
    where = " ".join(track["address"].values())
    depth = track["depth"]
    if depth is None:
        return [f"{track['samples']:,}", values, "no depth", "", "", where]
    low_high = "{:.2f} to {:.2f} m".format(*depth["range_m"]) if depth["range_m"] else "no depths"
    step = "" if depth["median_step_m"] is None else f"{depth['median_step_m']:.3g} m"
    unit = f" ({_unit(depth, 'm') if depth['unit'] else 'no unit given'})" if not depth["path"].endswith(")") else ""
    return [f"{track['samples']:,}", values, depth["path"] + unit, low_high, step, where]
