"""Writes a log as a picture (PNG, SVG) or on pages (PDF), by matplotlib: the tracks that the page shows."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import OutputError
from lithovae.runtime.log import FLAGS, Log
from lithovae.runtime.missing import unpacked

from .lines import Lines, runs
from .symbols import KINDS, Symbol, symbols_of
from .tracks import Hole, Lithology, Track, colours_of, novelty, ordered, shown_lithologies, tracks_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["png", "pdf", "svg"]
FORMATS: tuple[Format, ...] = get_args(Format)
LINES = 1400
"""Number of lines that a track is drawn with."""
MAX_ROWS_ON_PAGE = 2000
"""A hole with more rows has pages of its parts after the one of the whole."""
MAX_PAGES = 60
MAX_HOLES = 6
"""Largest number of holes in one picture."""
MAX_WIDTH = 11.5
"""Largest width of the tracks of a page, in widths of a curve."""

PAPER = (11.69, 8.27)  # A4, in inches
MARGIN, HEAD, AXIS = 0.45, 0.62, 0.55
CURVE = 0.82  # width of a curve's track in a picture, in inches
INK, SOFT, LINE, GRID, HATCH = "#1c2126", "#5a6169", "#c9c7c1", "#e7e5df", "#a9aaa8"
CURVES = ("#0a6aa6", "#b35309", "#00755a", "#8a4a86", "#6d6100", "#4a5a9a")
FLAG_COLOURS = ("#7d8790", "#c2410c", "#a3517f", "#0a6aa6", "#a07400")


class _Drawn(NamedTuple):
    """A log that is being drawn."""

    log: Log
    tracks: list[Track]
    shown: list[Lithology]
    symbols: dict[str, Symbol]
    reach: float


def require_matplotlib() -> None:
    """Raise `OutputError` unless matplotlib is installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise OutputError("a report as a picture needs matplotlib: pip install 'lithovae[report]'") from error


def write_strip_log(file: BinaryIO, log: Log, format: Format) -> None:
    """Write a log as a picture, or as pages.

    Parameters
    ----------
    file : binary file
        Where it is written.
    log : Log
        The log.
    format : {"png", "svg", "pdf"}
        A picture has all holes (`MAX_HOLES` at most) below each other. PDF has pages: each hole whole, and then its
        parts if it has many rows.

    Raises
    ------
    OutputError
        If matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages

    log, holes = ordered(log)
    shown = shown_lithologies(log)
    symbols = symbols_of([(one.name, one.group) for one in shown])
    finite = log.embeddings[np.isfinite(log.embeddings)]
    reach = float(np.quantile(np.abs(finite), 0.98)) if len(finite) else 1.0
    names = [one.name for one in shown]
    drawn = _Drawn(log, tracks_of(log), shown, dict(zip(names, symbols, strict=True)), reach or 1.0)
    style: dict[Any, Any] = {
        "svg.hashsalt": "lithovae",
        "font.family": "DejaVu Sans",
        "hatch.linewidth": 0.5,
    }
    with warnings.catch_warnings(), matplotlib.rc_context(style):
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a name in a script that the font lacks
        if format == "pdf":
            with PdfPages(file, metadata={"CreationDate": None, "Title": log.title}) as pages:
                for figure in _pages(drawn, holes):
                    pages.savefig(figure)
        else:
            metadata = {"Date": None} if format == "svg" else {"Software": None}
            _picture(drawn, holes).savefig(file, format=format, dpi=150, metadata=metadata)


def _picture(drawn: _Drawn, holes: Sequence[Hole]) -> Figure:
    from matplotlib.figure import Figure

    widths = sum(track.width for track in drawn.tracks)
    width = max(2 * MARGIN + AXIS + widths * CURVE + 0.06 * len(drawn.tracks), 7.5)
    top = _top_inches(drawn, width)
    bottom = _legend_inches(drawn, width)
    body, several = 6.4 + HEAD, holes[:MAX_HOLES]
    height = top + bottom + max(len(several), 1) * (body + 0.3)
    figure = Figure((width, height), facecolor="white")
    more = len(holes) - len(several)
    at = _draw_top(figure, drawn, f"{more} more holes: a .pdf or .html report shows them" if more else "")
    for hole in several:
        low, high = _ends(drawn.log, hole)
        _draw_tracks(figure, drawn, hole, drawn.tracks, low, high, at, at + body, hole.name)
        at += body + 0.3
    _draw_legend(figure, drawn, at)
    return figure


def _pages(drawn: _Drawn, holes: Sequence[Hole]) -> Iterator[Figure]:
    from matplotlib.figure import Figure

    def blank() -> Figure:
        return Figure(PAPER, facecolor="white")

    n_pages = 0
    if not holes:
        figure = blank()
        _draw_top(figure, drawn)
        yield figure
    for hole in holes:
        whole = _ends(drawn.log, hole)
        n_parts = int(np.ceil((hole.stop - hole.start) / MAX_ROWS_ON_PAGE))
        parts = [whole]
        if n_parts > 1:
            edges = np.linspace(*whole, n_parts + 1).tolist()
            parts += list(pairwise(edges))
        for low, high in parts:
            for tracks in _panels(drawn.tracks):
                if n_pages == MAX_PAGES:
                    return
                n_pages += 1
                left = f"Only the first {MAX_PAGES} pages: an .html report shows all" if n_pages == MAX_PAGES else ""
                figure = blank()
                at = _draw_top(figure, drawn, left, has_all=n_pages == 1)
                legend = PAPER[1] - _legend_inches(drawn, PAPER[0])
                name = f"{hole.name}  {low:.2f} to {high:.2f} m" if drawn.log.has_depth and n_parts > 1 else hole.name
                _draw_tracks(figure, drawn, hole, tracks, low, high, at, legend - 0.1, name)
                _draw_legend(figure, drawn, legend)
                yield figure


def _panels(tracks: Sequence[Track]) -> list[list[Track]]:
    """Split tracks into lists that each fit on a page."""
    panels: list[list[Track]] = [[]]
    for track in tracks:
        if panels[-1] and sum(one.width for one in panels[-1]) + track.width > MAX_WIDTH:
            panels.append([])
        panels[-1].append(track)
    return panels


def _ends(log: Log, hole: Hole) -> tuple[float, float]:
    depth = log.depth[hole.start : hole.stop]
    own = [one for one in log.intervals if one.hole == hole.name or not hole.name]
    low = min([float(depth[0]) - hole.step / 2, *(one.top for one in own)])
    high = max([float(depth[-1]) + hole.step / 2, *(one.base for one in own)])
    return low, high


# Text around the tracks


def _wrapped(text: str, width: float, size: float) -> list[str]:
    return textwrap.wrap(text, max(20, int(width * 72 / (0.56 * size))))


def _say(figure: Figure, x: float, at: float, text: str, size: float, **given: Any) -> None:
    """Write text at inches from the upper left."""
    width, height = figure.get_size_inches()
    style: dict[str, Any] = {"fontsize": size, "color": INK, "va": "top", "parse_math": False} | given
    figure.text(x / width, 1 - at / height, text.replace("\n", " "), **style)


def _facts(drawn: _Drawn) -> str:
    log, facts = drawn.log, [f"{label}: {text}" for label, text in drawn.log.facts]
    n = len(log.depth)
    if not any(label.casefold() == "rows" for label, _ in log.facts):
        facts.insert(0, f"{n:,} rows" + (f" in bins of {log.bin_width:g} m" if log.bin_width is not None else ""))
    if log.n_rows > n:
        facts.insert(0, f"{n:,} of {log.n_rows:,} rows are drawn")
    return "  ·  ".join([*([] if log.has_depth else ["no depth: against the number of the row"]), *facts])


def _top_lines(drawn: _Drawn, width: float, has_all: bool) -> list[tuple[str, float, dict[str, Any]]]:
    """Return the lines above the tracks, with their size and style; only title and warning unless ``has_all``."""
    room = width - 2 * MARGIN
    lines: list[tuple[str, float, dict[str, Any]]] = [(drawn.log.title or "Log", 15, {"fontweight": "bold"})]
    lines += [(line, 7, {"color": SOFT}) for line in _wrapped(_facts(drawn), room, 7) if has_all]
    warning = f"Warning: {drawn.log.warning}" if drawn.log.warning else ""
    lines += [(line, 8.5, {"color": "#a33b00", "fontweight": "bold"}) for line in _wrapped(warning, room * 0.9, 8.5)]
    if not has_all:
        return lines
    told = [f"{fault.what}: {fault.text}" for fault in drawn.log.faults] + list(drawn.log.notes)
    for text in told[:4]:
        lines += [(line, 7.5, {"color": INK}) for line in _wrapped(f"– {text}", room, 7.5)[:2]]
    if len(told) > 4:
        lines.append((f"– and {len(told) - 4} more", 7.5, {"color": SOFT}))
    return lines


def _top_inches(drawn: _Drawn, width: float) -> float:
    return MARGIN * 0.8 + sum(size * 1.45 / 72 for _, size, _ in _top_lines(drawn, width, True))


def _draw_top(figure: Figure, drawn: _Drawn, left: str = "", *, has_all: bool = True) -> float:
    """Draw the lines above the tracks, and at the right what was left out; return where they end, in inches."""
    at = MARGIN * 0.8
    for text, size, style in _top_lines(drawn, figure.get_size_inches()[0], has_all):
        _say(figure, MARGIN, at, text, size, **style)
        at += size * 1.45 / 72
    if left:
        _say(figure, figure.get_size_inches()[0] - MARGIN, MARGIN * 0.8, left, 8, ha="right", color=SOFT)
    return at + 0.05


def _legend_entries(drawn: _Drawn, width: float) -> tuple[list[Lithology], int]:
    per_line = max(1, int((width - 2 * MARGIN) / 1.75))
    return drawn.shown[: 3 * per_line], per_line


def _legend_inches(drawn: _Drawn, width: float) -> float:
    shown, per_line = _legend_entries(drawn, width)
    return 0.24 * int(np.ceil(len(shown) / per_line)) + 0.24 + 0.3


def _draw_legend(figure: Figure, drawn: _Drawn, at: float) -> None:
    width, height = figure.get_size_inches()
    shown, per_line = _legend_entries(drawn, width)
    for i, one in enumerate(shown):
        x, y = MARGIN + 1.75 * (i % per_line), at + 0.08 + 0.24 * (i // per_line)
        axes = figure.add_axes((x / width, 1 - (y + 0.17) / height, 0.28 / width, 0.17 / height))
        axes.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(color=SOFT, linewidth=0.5)
        _fill(axes, drawn, [(0, 1, one.name)], (0.28 * 72, 0.17 * 72))
        _say(figure, x + 0.34, y + 0.085, one.name[:24] + "…" * (len(one.name) > 24), 7.5, va="center")
    y = at + 0.1 + 0.24 * int(np.ceil(len(shown) / per_line))
    marks = "Hatched: not measured, and imputed where the row has an embedding.  Red tick: outside the plausible range."
    if len(shown) < len(drawn.shown):
        marks = f"{len(drawn.shown) - len(shown)} rarer lithologies are not in the legend.  {marks}"
    _say(figure, MARGIN, y, marks, 7.5, color=SOFT)


# Tracks


def _draw_tracks(
    figure: Figure,
    drawn: _Drawn,
    hole: Hole,
    tracks: Sequence[Track],
    low: float,
    high: float,
    top: float,
    base: float,
    name: str,
) -> None:
    """Draw tracks between two heights of the figure, in inches from its top, headings included."""
    width, height = figure.get_size_inches()
    room = width - 2 * MARGIN - AXIS - 0.06 * len(tracks)
    curve = room / max(sum(track.width for track in tracks), MAX_WIDTH * 0.55)
    lines = Lines.of(drawn.log.depth, hole, low, high, LINES)
    x, body = MARGIN + AXIS, base - top - HEAD
    coloured = [track for track in drawn.tracks if track.kind == "curve" and track.axis]
    for i, track in enumerate(tracks):
        size = curve * track.width
        axes = figure.add_axes((x / width, 1 - base / height, size / width, body / height))
        axes.set(xlim=(0, 1), ylim=(high, low), xticks=[])
        axes.tick_params(length=2.5, width=0.6, labelsize=7, color=LINE, labelcolor=INK)
        for spine in axes.spines.values():
            spine.set(color=LINE, linewidth=0.6)
        if i:
            axes.tick_params(left=False, labelleft=False)
        if track.axis:
            ticks = track.axis.ticks()
            axes.set_xticks([tick.at for tick in ticks], [tick.label for tick in ticks])
            axes.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False, pad=1)
            for text, tick in zip(axes.get_xticklabels(), ticks, strict=True):
                side = "left" if tick.at < 0.1 else "right" if tick.at > 0.9 else "center"  # beside its neighbours'
                text.set(fontsize=6.2, color=SOFT, horizontalalignment=side)
        if track.kind in ("curve", "probability", "novelty", "flags"):
            axes.grid(color=GRID, linewidth=0.5)
            axes.set_axisbelow(True)
        DRAW[track.kind](axes, drawn, track, lines, hole, (size * 72, body * 72))
        if track.kind == "curve" and track.axis:
            axes.lines[0].set_color(CURVES[coloured.index(track) % len(CURVES)])
        _head(figure, track, x + size / 2, base - body - (0.2 if track.axis or track.kind == "flags" else 0.06), size)
        x += size + 0.06
    _say(figure, MARGIN, top + 0.02, name, 8, fontweight="bold")
    label = "Depth (m)" if drawn.log.has_depth else "Row"
    _say(figure, MARGIN - 0.08, (top + HEAD + base) / 2, label, 8, rotation=90, va="center", ha="center", color=SOFT)


def _head(figure: Figure, track: Track, x: float, at: float, width: float) -> None:
    if track.unit:
        _say(figure, x, at, track.unit, 6.2, ha="center", va="bottom", color=SOFT)
        at -= 0.11
    lines = textwrap.wrap(track.label, max(6, int(width * 72 / 4.2)), break_long_words=False)[:2]
    for line in reversed(lines):
        _say(figure, x, at, line, 6.8, ha="center", va="bottom", fontweight="bold")
        at -= 0.12


def _hatch(axes: Axes, lines: Lines, is_so: NDArray[np.bool_]) -> None:
    for begin, end in runs(lines.share(is_so) > 0.5):
        top, base = lines.edges[begin], lines.edges[end]
        axes.axhspan(top, base, facecolor="none", edgecolor=HATCH, hatch="//////", linewidth=0, zorder=0.5)


def _draw_curve(axes: Axes, drawn: _Drawn, track: Track, lines: Lines, hole: Hole, size: tuple[float, float]) -> None:
    (i,), log = track.features, drawn.log
    _hatch(axes, lines, unpacked(log.missing, len(log.features))[:, i])
    if track.axis is None:
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        style: dict[str, Any] = {
            "fontsize": 6.5,
            "color": SOFT,
            "rotation": 90,
            "ha": "center",
            "va": "center",
            "bbox": box,
        }
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, **style)
        return
    at = 0.03 + 0.94 * track.axis.position(log.values[:, i])
    first, last = max(int(lines.first[0]) - 1, hole.start), min(int(lines.first[-1]) + 1, hole.stop)
    depth, at_rows = log.depth[first:last], at[first:last]
    if last - first > 3 * LINES:
        middle = (lines.edges[:-1] + lines.edges[1:]) / 2
        least, most = lines.reduced(at, np.fmin), lines.reduced(at, np.fmax)
        x, y = np.column_stack([least, most]).ravel(), np.repeat(middle, 2)
    else:
        breaks = np.flatnonzero(np.diff(depth) > hole.gap) + 1
        x, y = np.insert(at_rows, breaks, np.nan), np.insert(depth, breaks, np.nan)
    axes.plot(x, y, linewidth=0.7, color=CURVES[0], solid_joinstyle="round")
    has = np.isfinite(x)
    alone = has & ~np.concatenate([[False], has[:-1]]) & ~np.concatenate([has[1:], [False]])
    axes.plot(x[alone], y[alone], ".", markersize=1.5, color=INK)
    odd = np.flatnonzero(lines.share(unpacked(log.implausible, len(log.features))[:, i]) > 0)
    middles = (lines.edges[odd] + lines.edges[odd + 1]) / 2
    axes.hlines(middles, 0.94, 1, color="#c2410c", linewidth=1)


def _draw_colour(axes: Axes, drawn: _Drawn, track: Track, lines: Lines, hole: Hole, size: tuple[float, float]) -> None:
    colours = colours_of(drawn.log)
    assert colours is not None
    _hatch(axes, lines, colours[:, 3] == 0)
    rows = np.where(colours[:, 3:] > 0, colours[:, :3].astype(np.float64), np.nan)
    mean = lines.mean(rows)
    has = np.isfinite(mean[:, :1])
    _image(axes, lines, np.hstack([np.nan_to_num(mean) / 255, has])[:, None])


def _image(axes: Axes, lines: Lines, pixels: NDArray[np.float64], **given: Any) -> None:
    extent = (0, 1, float(lines.edges[-1]), float(lines.edges[0]))
    axes.imshow(pixels, extent=extent, aspect="auto", interpolation="nearest", **given)


def _draw_lithology(
    axes: Axes, drawn: _Drawn, track: Track, lines: Lines, hole: Hole, size: tuple[float, float]
) -> None:
    boxes = [
        (one.top, one.base, one.lithology)
        for one in drawn.log.intervals
        if (one.hole == hole.name or not hole.name) and one.base > lines.edges[0] and one.top < lines.edges[-1]
    ]
    _fill(axes, drawn, boxes, size)
    _name(axes, drawn, boxes, size)
    height = (lines.edges[-1] - lines.edges[0]) / size[1]
    thick = [depth for top, base, _ in boxes if base - top > 2 * height for depth in (top, base)]
    axes.hlines(thick, 0, 1, color=INK, linewidth=0.35)


def _draw_rows(axes: Axes, drawn: _Drawn, track: Track, lines: Lines, hole: Hole, size: tuple[float, float]) -> None:
    log = drawn.log
    assert log.lithologies is not None
    codes = log.lithologies[:, 0].astype(np.int64)
    codes = np.where((codes >= 0) & (codes < len(log.classes)), codes, -1)
    _hatch(axes, lines, codes < 0)
    shown = lines.picked(codes, -1)
    edges = [0, *(np.flatnonzero(np.diff(shown)) + 1).tolist(), len(shown)]
    boxes = [
        (float(lines.edges[begin]), float(lines.edges[end]), log.classes[shown[begin]])
        for begin, end in pairwise(edges)
        if end > begin and shown[begin] >= 0
    ]
    _fill(axes, drawn, boxes, size, has_pattern=track.width > 1)
    if track.width > 1:
        _name(axes, drawn, boxes, size)


def _fill(
    axes: Axes,
    drawn: _Drawn,
    boxes: Sequence[tuple[float, float, str]],
    size: tuple[float, float],
    *,
    has_pattern: bool = True,
) -> None:
    """Fill boxes from one depth to another with the colours and patterns of lithologies; ``size`` is in points."""
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.path import Path

    base, top = axes.get_ylim()
    by_name: dict[str, list[tuple[float, float]]] = {}
    for low, high, name in boxes:
        by_name.setdefault(name, []).append((low, high))
    for name, spans in by_name.items():
        symbol = drawn.symbols[name]
        corners = [[(0, low), (1, low), (1, high), (0, high)] for low, high in spans]
        axes.add_collection(PolyCollection(corners, facecolor=symbol.colour, edgecolor="none", zorder=1))
        if not has_pattern:
            continue
        tile = KINDS[symbol.pattern].pattern
        wide, tall = tile.width * 0.55 / size[0], tile.height * 0.55 / size[1] * (base - top)
        columns = np.arange(int(np.ceil(1 / wide)))
        wanted = {int(i) for low, high in spans for i in range(int((low - top) // tall), int((high - top) // tall) + 1)}
        lines = np.array(sorted(i for i in wanted if -1 <= i <= (base - top) / tall + 1))
        corner = np.array([(i * wide, top + j * tall) for j in lines for i in columns]).reshape(-1, 1, 2)
        scale = (wide / tile.width, tall / tile.height)
        strokes = [part for stroke in tile.strokes for part in corner + np.array(stroke) * scale]
        whole = Path.make_compound_path(*(Path([*box, box[0]], closed=True) for box in corners))
        drawn_lines = axes.add_collection(LineCollection(strokes, colors=symbol.ink, linewidths=0.45, zorder=1.5))
        drawn_lines.set_clip_path(whole, transform=axes.transData)
        if tile.dots:
            at = (corner + np.array([dot[:2] for dot in tile.dots]) * scale).reshape(-1, 2)
            dots = axes.scatter(at[:, 0], at[:, 1], s=1.0, color=symbol.ink, linewidths=0, zorder=1.5)
            dots.set_clip_path(whole, transform=axes.transData)


def _name(axes: Axes, drawn: _Drawn, boxes: Sequence[tuple[float, float, str]], size: tuple[float, float]) -> None:
    from matplotlib.patheffects import withStroke

    base, top = axes.get_ylim()
    for low, high, name in boxes:
        low, high = max(low, top), min(high, base)
        if (high - low) / (base - top) * size[1] < 8.5:
            continue
        most = max(4, int(size[0] / 3.6))
        text = name if len(name) <= most else f"{name[: most - 1]}…"
        effect = withStroke(linewidth=2, foreground=drawn.symbols[name].colour)
        axes.text(0.05, (low + high) / 2, text, fontsize=6, va="center", path_effects=[effect], parse_math=False)


def _bars(axes: Axes, lines: Lines, at: NDArray[np.float64], colour: str) -> None:
    axes.fill_betweenx(np.repeat(lines.edges, 2)[1:-1], 0, np.repeat(np.nan_to_num(at), 2), color=colour, linewidth=0)


def _draw_probability(
    axes: Axes, drawn: _Drawn, track: Track, lines: Lines, hole: Hole, size: tuple[float, float]
) -> None:
    assert drawn.log.probabilities is not None
    _hatch(axes, lines, np.isnan(drawn.log.probabilities[:, 0]))
    _bars(axes, lines, lines.mean(drawn.log.probabilities[:, 0]), "#7d8790")


def _draw_novelty(axes: Axes, drawn: _Drawn, track: Track, lines: Lines, hole: Hole, size: tuple[float, float]) -> None:
    assert drawn.log.novelty_p is not None
    assert track.axis
    _hatch(axes, lines, np.isnan(drawn.log.novelty_p))
    _bars(axes, lines, track.axis.position(lines.reduced(novelty(drawn.log.novelty_p), np.fmax)), "#a3517f")


def _draw_flags(axes: Axes, drawn: _Drawn, track: Track, lines: Lines, hole: Hole, size: tuple[float, float]) -> None:
    assert drawn.log.flags is not None
    n = len(FLAGS)
    for bit, (name, colour) in enumerate(zip(FLAGS, FLAG_COLOURS, strict=True)):
        is_set = lines.share((drawn.log.flags >> bit & 1).astype(np.bool_)) > 0
        for begin, end in runs(is_set):
            axes.axhspan(
                lines.edges[begin], lines.edges[end], (bit + 0.15) / n, (bit + 0.85) / n, color=colour, linewidth=0.3
            )
        axes.text(
            (bit + 0.5) / n, 1.005, name[0].upper(), fontsize=6, color=colour, ha="center", transform=axes.transAxes
        )


def _draw_embedding(
    axes: Axes, drawn: _Drawn, track: Track, lines: Lines, hole: Hole, size: tuple[float, float]
) -> None:
    _hatch(axes, lines, np.isnan(drawn.log.embeddings[:, 0]))
    shown = lines.mean(drawn.log.embeddings)
    _image(axes, lines, shown, cmap="RdBu_r", vmin=-drawn.reach, vmax=drawn.reach)
    axes.set_xlim(0, 1)


DRAW = {
    "curve": _draw_curve,
    "colour": _draw_colour,
    "lithology": _draw_lithology,
    "rows": _draw_rows,
    "probability": _draw_probability,
    "novelty": _draw_novelty,
    "flags": _draw_flags,
    "embedding": _draw_embedding,
}
