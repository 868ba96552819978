"""Intervals beside row-by-row lithologies: ten simulated holes, and IODP Hole U1482C as described.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.intervals`` (about a minute). The simulated holes
are of another seed than the training table of the shipped models. The constants of
`lithovae.runtime.answers.sequence` were chosen on seeds 7 to 11. U1482C is skipped where ``shared/`` is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from lithovae.runtime.answers.embedding import Embedder
from lithovae.runtime.answers.intervals import IntervalBuilder
from lithovae.runtime.bins import BIN_WIDTH
from lithovae.runtime.missing import Bits
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.process.progress import silent
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.scan import open_scan
from lithovae.training.intervals import Intervals
from lithovae.training.simulate import simulate_table
from lithovae.training.table import TrainingTable

MODELS = ("semisup_hybrid", "semisup")
SHARED = Path(__file__).parents[2] / "shared"
TOLERANCE = 0.2
"""Greatest distance in metres of a boundary from the true one."""
LEAST_ROWS = 200
"""Rows of a hole that is drawn."""

Texts = NDArray[np.str_]
Floats = NDArray[np.float64]


class Hole(NamedTuple):
    """Rows of a hole in bins of 20 cm, in order of depth, with their true lithologies; empty where there is none."""

    name: str
    depth: Floats
    embeddings: NDArray[np.float32]
    missing: Bits
    lithology: Texts


class Score(NamedTuple):
    """Accuracy over the rows with a lithology, boundary F1, and number of boundaries."""

    accuracy: float
    f1: float
    boundaries: int


def simulated_holes(model: LithoModel, table: TrainingTable, n: int) -> list[Hole]:
    """Draw holes of a simulated table."""
    names, counts = np.unique(table.hole, return_counts=True)
    drawn = np.random.default_rng(0).choice(names[counts >= LEAST_ROWS], n, replace=False)
    holes = []
    for name in drawn.tolist():
        rows = table.take(table.hole == name)
        features = rows.features.astype(np.float32)
        holes.append(Hole(name, rows.depth, model.embed(features), model.missing(features), rows.lithology))
    return holes


def described_hole(model: LithoModel, scan_path: Path, description: Path) -> Hole:
    """Read a scan in bins, and the lithologies that were described."""
    embedder, parts = Embedder(model, "impute"), []
    with open_scan(scan_path, {}, {}, model.bundle.features) as scan:
        for read in rows_of(scan, silent, BIN_WIDTH).blocks:
            done = embedder.embed(read())
            parts.append((done.rows.columns["depth"], done.embeddings, done.rows.missing))
    depth, embeddings, missing = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    bare = TrainingTable(np.full(len(depth), "U1482C"), depth, np.empty((len(depth), 6)), np.full(len(depth), ""))
    labelled, _ = Intervals.read(description).label(bare)
    return Hole("U1482C", depth, embeddings, missing, labelled.lithology)


def row_by_row(model: LithoModel, hole: Hole) -> Texts:
    """Return the likeliest lithology of each row."""
    likeliest = model.graphs.classify(hole.embeddings).argmax(axis=1)
    return np.asarray(np.array(model.classes)[likeliest])


def by_intervals(model: LithoModel, hole: Hole) -> Texts:
    """Return the lithology of each row's interval."""
    builder = IntervalBuilder(model, bin_width=BIN_WIDTH)
    builder.add(hole.depth, np.broadcast_to(np.array(hole.name), len(hole.depth)), hole.embeddings, hole.missing)
    intervals = builder.finish()
    return np.repeat([each.lithology for each in intervals], [each.n_rows for each in intervals])


def boundaries(depth: Floats, lithology: Texts) -> Floats:
    """Return the depths between neighbouring rows, without a gap, of different lithologies; not where one has none."""
    known = (lithology[1:] != "") & (lithology[:-1] != "") & (np.diff(depth) < 1.5 * BIN_WIDTH)
    at = np.flatnonzero(known & (lithology[1:] != lithology[:-1]))
    return (depth[at] + depth[at + 1]) / 2


def matches(true: Floats, found: Floats) -> int:
    """Return how many boundaries are found, each at most once, within the tolerance; both ascend."""
    i = j = n = 0
    while i < len(true) and j < len(found):
        if abs(true[i] - found[j]) <= TOLERANCE + 1e-6:
            i, j, n = i + 1, j + 1, n + 1
        elif true[i] < found[j]:
            i += 1
        else:
            j += 1
    return n


def score(hole: Hole, labels: Texts, true: Floats) -> Score:
    """Score the lithologies of rows."""
    known, found = hole.lithology != "", boundaries(hole.depth, labels)
    both = len(true) + len(found)
    f1 = 2 * matches(true, found) / both if both else 1.0
    return Score(float(np.mean(labels[known] == hole.lithology[known])), f1, len(found))


def margin(rows: Sequence[float], smoothed: Sequence[float]) -> str:
    """Return mean, standard deviation over holes and bootstrap interval of the difference, and how often it is > 0."""
    differences = np.array(smoothed) - np.array(rows)
    draws = np.random.default_rng(0).choice(differences, (10_000, len(differences))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    spread = f"sd {differences.std(ddof=1):.3f}, 95 % of bootstrap means {low:+.3f} to {high:+.3f}"
    return f"{differences.mean():+.3f} ({spread}; better in {np.sum(differences > 0)} of {len(differences)})"


def main(
    seed: Annotated[int, typer.Option(help="Seed of the simulated table.")] = 12,
    holes: Annotated[int, typer.Option(help="Number of simulated holes.")] = 10,
) -> None:
    """Score intervals and row-by-row lithologies, and print them."""
    table = simulate_table(seed)
    for name in MODELS:
        model = LithoModel.load(name)
        drawn = simulated_holes(model, table, holes)
        total = sum(len(hole.depth) for hole in drawn)
        if model.bundle.reference is None or model.bundle.reference.succession is None:
            typer.echo(f"\n{name}: the bundle has no succession of lithologies, so a typical one is assumed")
        typer.echo(f"\n{name}: {holes} simulated holes of seed {seed}, {total:,} rows of 20 cm")
        typer.echo(f"{'hole':16} {'rows':>6} {'boundaries':>24}   {'accuracy':>13}   {'boundary F1':>13}")
        scores = []
        for hole in drawn:
            true = boundaries(hole.depth, hole.lithology)
            before = score(hole, row_by_row(model, hole), true)
            after = score(hole, by_intervals(model, hole), true)
            scores.append((before, after))
            counts = f"{len(true)} true, {before.boundaries} -> {after.boundaries}"
            typer.echo(
                f"{hole.name:16} {len(hole.depth):6,} {counts:>24}   {before.accuracy:.3f} -> {after.accuracy:.3f}   "
                f"{before.f1:.3f} -> {after.f1:.3f}"
            )
        for what in ("accuracy", "f1"):
            before_all, after_all = ([getattr(each[i], what) for each in scores] for i in (0, 1))
            typer.echo(
                f"{what:8} {np.mean(before_all):.3f} row by row, {np.mean(after_all):.3f} by intervals: "
                f"{margin(before_all, after_all)}"
            )
    scan, description = SHARED / "scans" / "iodp-u1482c.h5", SHARED / "holes" / "iodp-u1482c-lithology.csv"
    if not (scan.exists() and description.exists()):
        typer.echo(f"\nU1482C is skipped: {SHARED} does not exist")
        return
    true = changes(description)
    for name in MODELS:
        model = LithoModel.load(name)
        hole = described_hole(model, scan, description)
        known = hole.lithology[hole.lithology != ""]
        kinds, counted = np.unique(known, return_counts=True)
        commonest = np.full(len(hole.depth), kinds[counted.argmax()])
        typer.echo(f"\n{name}: U1482C, {len(known):,} described rows of 20 cm, {len(true)} described change")
        for what, labels in (
            ("row by row", row_by_row(model, hole)),
            ("by intervals", by_intervals(model, hole)),
            (f"always {commonest[0]}", commonest),
        ):
            found = score(hole, labels, true)
            typer.echo(
                f"{what:24} accuracy {found.accuracy:.3f}, boundary F1 {found.f1:.3f}, {found.boundaries} boundaries"
            )


def changes(description: Path) -> Floats:
    """Return the depths at which the described lithology changes."""
    described = Intervals.read(description)
    order = np.argsort(described.top)
    name, top, bottom = described.name[order], described.top[order], described.bottom[order]
    at = np.flatnonzero(name[1:] != name[:-1])
    return np.asarray((bottom[at] + top[at + 1]) / 2)


if __name__ == "__main__":
    typer.run(main)
