"""Writes a log as one page that needs nothing else: HTML with its styles, its script and its data inside."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.log import FLAGS, Log, as_json

from .symbols import patterns_as_json, symbols_of
from .tracks import Hole, colours_of, ordered, project, shown_lithologies, tracks_of

SCRIPTS = ("data.js", "draw.js", "log.js", "latent.js", "page.js")
"""The parts of the page's script, in order."""
DERIVED_BITS = 11
"""Bits of the mantissa that are kept of values that a model computed: four significant digits. Measured values keep
all of theirs."""


def write_page(file: BinaryIO, log: Log) -> None:
    """Write a log as a page.

    Parameters
    ----------
    file : binary file
        Where it is written.
    log : Log
        The log.
    """
    n_all = len(log.depth)
    log, holes = ordered(log)
    style = _asset("page.css")
    script = "\n".join(_asset(name) for name in SCRIPTS)
    arrays, data = _packed(_arrays(log))
    policy = (
        f"default-src 'none'; script-src 'sha256-{_digest(script)}'; style-src 'sha256-{_digest(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": escape(policy),
        "title": escape(log.title or "Log"),
        "style": style,
        "subtitle": escape(_subtitle(log, holes)),
        "warning": _warning(log),
        "facts": "".join(f"<div><dt>{_text(label)}</dt><dd>{_text(text)}</dd></div>" for label, text in log.facts),
        "notes": _notes(log, n_all),
        "faults": _faults(log),
        "drift": _drift(log),
        "log": _json(_stated(log, holes, arrays)),
        "data": data,
        "script": script,
    }
    template = _asset("page.html")
    for name, part in _split(template):
        file.write((parts[part] if name else part).encode("utf-8", errors="replace"))


def _split(template: str) -> Iterable[tuple[bool, str]]:
    """Yield the pieces of a template: whether it names a part (in the template: ``[[name]]``), and the text."""
    for i, piece in enumerate(template.replace("]]", "[[").split("[[")):
        yield i % 2 == 1, piece


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _text(text: str) -> str:
    return f"<bdi>{escape(text)}</bdi>"  # a name from right to left does not turn what stands beside it


def _json(value: Any) -> str:
    """Return JSON that cannot end the element that it is in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _subtitle(log: Log, holes: Sequence[Hole]) -> str:
    n = len(log.depth)
    rows = f"{n:,} bins of {log.bin_width:g} m" if log.bin_width is not None else f"{n:,} rows"
    rows += f" of {log.n_rows:,}" if log.n_rows > n else ""
    where = f", {log.depth.min():.2f} to {log.depth.max():.2f} m" if n and log.has_depth else ""
    where = where or ("; this scan has no depth: tracks are against the number of the row" if n else "")
    several = f", {len(holes)} holes" if len(holes) > 1 else ""
    return f"{rows}{where}{several}"


def _warning(log: Log) -> str:
    return f'<p class="warning" role="note"><strong>Warning:</strong> {_text(log.warning)}</p>' if log.warning else ""


def _notes(log: Log, n_all: int) -> str:
    notes = list(log.notes)
    if without := n_all - len(log.depth):
        notes.insert(0, f"{without:,} rows have no depth and are not shown")
    if not notes:
        return ""
    first, more = ("".join(f"<li>{_text(note)}</li>" for note in part) for part in (notes[:4], notes[4:]))
    rest = f"<details><summary>{len(notes) - 4} more</summary><ul>{more}</ul></details>" if more else ""
    return f'<section class="notes"><h2>Notes</h2><ul>{first}</ul>{rest}</section>'


def _faults(log: Log) -> str:
    if not log.faults:
        return ""
    items = []
    for i, fault in enumerate(log.faults):
        where = "whole scan"
        if fault.top is not None and fault.base is not None:
            where = f'<button type="button" data-fault="{i}">{fault.top:.2f}–{fault.base:.2f} m</button>'
        items.append(
            f"<tr><th scope=row>{_text(fault.what)}</th><td>{escape(fault.kind)}</td><td>{where}</td>"
            f"<td>{_text(fault.text)}</td></tr>"
        )
    head = "<tr><th scope=col>Channel<th scope=col>Kind<th scope=col>Where<th scope=col>What was seen</tr>"
    return (
        '<section class="faults"><h2 id="faults-heading">Likely faults '
        f'<span class="count">{len(items)}</span></h2><div class="scroll"><table aria-labelledby="faults-heading">'
        f"<thead>{head}</thead><tbody>{''.join(items)}</tbody></table></div></section>"
    )


def _drift(log: Log) -> str:
    if not log.drift:
        return ""
    rows = "".join(
        f"<tr><th scope=row>{_text(one.feature)}</th><td>{one.n:,}</td>{_cell(_signed(one.shift), abs(one.shift) >= 1)}"
        f"<td>{_number(one.spread)}</td>{_cell(_share(one.beyond), one.beyond >= 0.01)}</tr>"
        for one in log.drift
    )
    head = (
        "<tr><th scope=col>Channel<th scope=col>Values<th scope=col>Shift (sd)<th scope=col>Spread (sd)"
        "<th scope=col>Beyond the range</tr>"
    )
    return (
        '<section class="drift"><h2 id="drift-heading">Compared with the training rows</h2><div class="scroll">'
        f'<table class="numbers" aria-labelledby="drift-heading"><thead>{head}</thead><tbody>{rows}</tbody></table>'
        "</div></section>"
    )


def _cell(text: str, is_far: bool) -> str:
    return f'<td class="far">{text}</td>' if is_far else f"<td>{text}</td>"


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−") if np.isfinite(value) else "–"


def _share(value: float) -> str:
    return f"{value:.1%}" if np.isfinite(value) else "–"


def _stated(log: Log, holes: Sequence[Hole], arrays: list[dict[str, Any]]) -> dict[str, Any]:
    """Return all but the arrays as plain values."""
    shown = shown_lithologies(log)
    return {
        "title": log.title,
        "n": len(log.depth),
        "hasDepth": log.has_depth,
        "holes": [hole._asdict() for hole in holes],
        "features": [
            {"name": one.name, "short": log.features.short_names[one.name], "unit": one.unit} for one in log.features
        ],
        "classes": log.classes,
        "shown": [
            one._asdict() | symbol._asdict()
            for one, symbol in zip(shown, symbols_of([(one.name, one.group) for one in shown]), strict=True)
        ],
        "patterns": patterns_as_json(),
        "flags": FLAGS,
        "warning": log.warning,
        "intervals": as_json(log.intervals),
        "faults": [{"top": one.top, "base": one.base} for one in log.faults],
        "tracks": [
            {
                "kind": track.kind,
                "label": track.label,
                "unit": track.unit,
                "width": track.width,
                "features": track.features,
                "axis": track.axis and vars(track.axis),
                "ticks": track.axis.ticks() if track.axis else [],
            }
            for track in tracks_of(log)
        ],
        "shares": project(log.embeddings).shares,
        "arrays": arrays,
    }


def _arrays(log: Log) -> dict[str, NDArray[Any]]:
    """Return the arrays of the page, one row for each column of the log: shape (width, n)."""
    found: dict[str, NDArray[Any] | None] = {
        "depth": log.depth.astype("<f8"),
        "values": log.values.astype("<f4"),
        "missing": _octets(log.missing),
        "implausible": _octets(log.implausible),
        "colour": colours_of(log),
        "embeddings": _short(log.embeddings),
        "points": _short(project(log.embeddings).points),
        "probabilities": _short(log.probabilities),
        "residuals": _short(log.residuals),
        "novelty_p": _short(log.novelty_p),
        "flags": log.flags,
    }
    if log.lithologies is not None:
        codes = log.lithologies.astype(np.int64)
        found["lithologies"] = np.where((codes >= 0) & (codes < len(log.classes)), codes, -1).astype("<i2")
    return {name: np.ascontiguousarray(np.atleast_2d(array.T)) for name, array in found.items() if array is not None}


def _octets(bits: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.uint8]:
    return bits.astype(bits.dtype.newbyteorder("<")).view(np.uint8).reshape(len(bits), bits.dtype.itemsize)


def _short(values: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """Round the mantissa of values to `DERIVED_BITS`: the bytes that become 0 take no space when compressed."""
    if values is None:
        return None
    bits, cut = np.ascontiguousarray(values, "<f4").view(np.uint32), 23 - DERIVED_BITS
    rounded = (bits + np.uint32(1 << (cut - 1))) & np.uint32(~((1 << cut) - 1) & 0xFFFFFFFF)
    return np.where(np.isfinite(values), rounded.view(np.float32), np.float32(np.nan)).astype("<f4")


def _packed(arrays: dict[str, NDArray[Any]]) -> tuple[list[dict[str, Any]], str]:
    """Return a description of arrays, and their bytes in base64: deflated, the first byte of all values first."""
    stated, parts = [], []
    for name, array in arrays.items():
        kind = {"f": "Float", "u": "Uint", "i": "Int"}[array.dtype.kind]
        stated.append({"name": name, "type": f"{kind}{8 * array.dtype.itemsize}Array", "width": len(array)})
        parts.append(array.reshape(-1).view(np.uint8).reshape(-1, array.dtype.itemsize).T.tobytes())
    return stated, base64.b64encode(zlib.compress(b"".join(parts), 6)).decode()
