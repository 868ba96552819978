"""Colour and pattern of a lithology, in the manner of the FGDC's lithologic symbols: bricks, dashes, dots, v's.

Patterns are strokes and dots on a tile, so that the page and the strip log draw the same ones. Kinds of rock differ in
colour and in pattern: either is enough to tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Point = tuple[float, float]


class Pattern(NamedTuple):
    """A tile that repeats.

    Attributes
    ----------
    width, height : float
        Size of the tile, in pixels of a screen.
    strokes : tuple of tuple of (float, float)
        Lines through points, y downwards. They may leave the tile, where they are cut off.
    dots : tuple of (float, float, float)
        x, y and radius of filled dots.
    """

    width: float
    height: float
    strokes: tuple[tuple[Point, ...], ...] = ()
    dots: tuple[tuple[float, float, float], ...] = ()


class Kind(NamedTuple):
    """A kind of rock.

    Attributes
    ----------
    names : str
        Regular expression of the words that name it.
    colour : str
        Colour of the background, as ``#rrggbb``.
    pattern : Pattern
        What is drawn on it.
    """

    names: str
    colour: str
    pattern: Pattern


class Symbol(NamedTuple):
    """How one lithology is drawn: colour ``#rrggbb``, name of the pattern in `KINDS`, and colour of its strokes."""

    colour: str
    pattern: str
    ink: str


def _marks(shape: Sequence[Point], at: Sequence[Point]) -> tuple[tuple[Point, ...], ...]:
    return tuple(tuple((x + dx, y + dy) for dx, dy in shape) for x, y in at)


def _circle(x: float, y: float, radius: float) -> tuple[Point, ...]:
    angles = np.linspace(0, 2 * np.pi, 13)
    return tuple((round(x + radius * np.cos(a), 2), round(y + radius * np.sin(a), 2)) for a in angles.tolist())


_BRICKS = (
    ((0.0, 0.5), (20.0, 0.5)),
    ((0.0, 7.5), (20.0, 7.5)),
    ((5.0, 0.5), (5.0, 7.5)),
    ((15.0, 7.5), (15.0, 14.5)),
)
_DASH = ((-3.5, 0.0), (3.5, 0.0))
_V = ((-2.8, -3.0), (0.0, 3.0), (2.8, -3.0))
_PLUS = ((-3.0, 0.0), (3.0, 0.0)), ((0.0, -3.0), (0.0, 3.0))
_CROSS = ((-2.5, -2.5), (2.5, 2.5)), ((-2.5, 2.5), (2.5, -2.5))
_CUP = ((-3.2, -2.0), (-2.2, 1.0), (0.0, 2.2), (2.2, 1.0), (3.2, -2.0))
_WAVE = tuple((float(x), round(4 + 2 * float(np.sin(x * np.pi / 8)), 2)) for x in range(17))

KINDS: dict[str, Kind] = {
    "carbonate": Kind(
        r"carbonates?|limestones?|chalks?|(calcareous|nannofossil|foraminifera|foraminiferal) ooze|wackestone|packstone"
        r"|grainstone|floatstone|rudstone|boundstone|bindstone|framestone|dolomite|dolostone|marl|marlstone|micrite",
        "#9cc9e8",
        Pattern(20, 14, _BRICKS),
    ),
    "clay": Kind(
        r"clays?|claystones?|muds?|mudstones?|shales?|argillite",
        "#b8b5ae",
        Pattern(16, 12, _marks(_DASH, [(4, 3), (12, 9)])),
    ),
    "silt": Kind(
        r"silts?|siltstones?|loess",
        "#d8c7a0",
        Pattern(
            18, 12, _marks(_DASH, [(4.5, 3), (13.5, 9)]), ((12.5, 3, 0.8), (15.5, 3, 0.8), (3.5, 9, 0.8), (6.5, 9, 0.8))
        ),
    ),
    "sand": Kind(
        r"sands?|sandstones?|arenite|arkose|greywacke|turbidite",
        "#f3df86",
        Pattern(14, 12, (), ((3, 2.5, 0.95), (10, 4.5, 0.95), (6, 7.5, 0.95), (12.5, 10, 0.95))),
    ),
    "gravel": Kind(
        r"conglomerates?|breccias?|gravels?|pebbles?|rudite",
        "#e7b56a",
        Pattern(20, 18, (_circle(5, 5, 3.2), _circle(14.5, 13, 3.6), _circle(15, 3.6, 1.7), _circle(4.5, 14, 1.9))),
    ),
    "diamict": Kind(
        r"diamicts?|diamictites?|tills?|tillites?",
        "#c69c78",
        Pattern(
            22,
            18,
            (_circle(5.5, 5, 2.6), ((11.0, 4.0), (14.5, 1.5), (15.5, 6.0), (11.0, 4.0)), *_marks(_DASH, [(6, 14)])),
            ((18.5, 9, 0.9), (12, 11, 0.9), (17, 15, 0.9), (2, 10, 0.9)),
        ),
    ),
    "silica": Kind(
        r"silica|diatom|diatomite|radiolarian|radiolarite|spiculite|chert|porcellanite|siliceous|cherts",
        "#86cdb9",
        Pattern(18, 14, _marks(_CUP, [(4.5, 4), (13.5, 11)])),
    ),
    "ooze": Kind(r"oozes?", "#c4dcd0", Pattern(18, 14, _marks(_CUP, [(4.5, 4)]), ((13.5, 11, 0.9), (11, 9.5, 0.9)))),
    "evaporite": Kind(
        r"evaporites?|halite|gypsum|anhydrite|salt",
        "#dcc1e6",
        Pattern(12, 12, (((2.0, 0.0), (2.0, 12.0)), ((2.0, 3.0), (8.0, 3.0)), ((8.0, 3.0), (8.0, 9.0)))),
    ),
    "volcaniclastic": Kind(
        r"volcaniclastics?|tuffs?|ash|lapilli|lapillistone|tephra|pumice|hyaloclastite|volcanic rock|lava|volcanics?",
        "#eab0be",
        Pattern(20, 16, _marks(_V, [(5, 5), (15, 13)]), ((14, 4, 0.9), (4.5, 13, 0.9))),
    ),
    "mafic": Kind(
        r"mafic|basalts?|gabbros?|dolerites?|diabases?|troctolite|norite|trachybasalt",
        "#8f89ad",
        Pattern(16, 16, (*_marks(((-3.0, 0.0), (3.0, 0.0)), [(4, 4)]), *_marks(((0.0, -3.0), (0.0, 3.0)), [(12, 12)]))),
    ),
    "felsic": Kind(
        r"felsic|granites?|granodiorite|diorites?|rhyolites?|dacites?|andesites?|boninite|trachyte|tonalite"
        r"|intermediate",
        "#ec8f78",
        Pattern(18, 18, (*_marks(_PLUS[0], [(4.5, 4.5), (13.5, 13.5)]), *_marks(_PLUS[1], [(4.5, 4.5), (13.5, 13.5)]))),
    ),
    "ultramafic": Kind(
        r"ultramafic|peridotites?|dunites?|harzburgites?|serpentinites?|wehrlite|lherzolite|pyroxenite",
        "#6f9c86",
        Pattern(
            18, 18, (*_marks(_CROSS[0], [(4.5, 4.5), (13.5, 13.5)]), *_marks(_CROSS[1], [(4.5, 4.5), (13.5, 13.5)]))
        ),
    ),
    "metamorphic": Kind(
        r"metamorphic|schists?|gneiss|slates?|phyllite|marble|quartzite|amphibolite|mylonite|cataclasite|metagabbro",
        "#b79ccc",
        Pattern(16, 9, (_WAVE,)),
    ),
    "organic": Kind(
        r"coals?|peats?|lignite|sapropels?|organic", "#77736c", Pattern(12, 10, (((0.0, 5.0), (12.0, 5.0)),))
    ),
    "other": Kind(r"$^", "#d5d3cf", Pattern(20, 18, (), ((5, 5, 0.9), (15, 14, 0.9)))),
}
"""Kinds of rock by name; the last word of a lithology that names one is the rock, the words before it describe it."""


def kind_of(name: str) -> str:
    """Return the kind of rock that a lithology, or a group of them, names; ``other`` if it names none."""
    head = re.split(r"\bwith\b|\(", name.casefold())[0]
    ends = {
        kind: max((match.end() for match in re.finditer(rf"\b({about.names})\b", head)), default=-1)
        for kind, about in KINDS.items()
    }
    best = max(ends, key=lambda kind: ends[kind])
    return best if ends[best] > 0 else "other"


_SHADES = (0.0, 0.38, -0.14, 0.2, -0.26, 0.55, -0.07, 0.3)
"""Share of white (above 0) or black in the colour of the first, second, third … lithology of one kind."""


def symbols_of(lithologies: Sequence[tuple[str, str]]) -> list[Symbol]:
    """Return how lithologies are drawn: the pattern by the own name, the colour by the group.

    Parameters
    ----------
    lithologies : sequence of (str, str)
        Name and group of each; the group is empty if it is not known. Of one kind, the first have the plainest colours.
    """
    symbols, used = [], dict.fromkeys(KINDS, 0)
    for name, group in lithologies:
        own, kind = kind_of(name), kind_of(group)
        kind = own if kind == "other" else kind
        colour = _shaded(KINDS[kind].colour, _SHADES[used[kind] % len(_SHADES)])
        used[kind] += 1
        symbols.append(Symbol(colour, kind if own == "other" else own, _shaded(colour, -0.62)))
    return symbols


def _shaded(colour: str, share: float) -> str:
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    end = 255 if share > 0 else 0
    return "#" + "".join(f"{round(part + (end - part) * abs(share)):02x}" for part in parts)


def patterns_as_json() -> dict[str, Any]:
    """Return the patterns as plain values for the page."""
    return {name: kind.pattern._asdict() for name, kind in KINDS.items()}
