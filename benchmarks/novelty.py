"""How well a row's novelty and its reconstruction error tell faults in real scans.

Faults of one channel are put into the rows of the scans in ``../shared/scans``. A score is as good as the share of
pairs of a faulty and a clean row of the same scan in which the faulty row has the higher score (area under the ROC
curve): 0.5 is chance. ``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.novelty``; a few seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.stats import rankdata

from lithovae.runtime import LithoModel
from lithovae.runtime.answers.embedding import Embedder
from lithovae.runtime.answers.quality import Quality, Scaling
from lithovae.runtime.process.progress import silent
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.scan import open_scan

SCANS = Path(__file__).parents[2] / "shared" / "scans"
SCORES = ("novelty", "rms residual", "largest residual", "length of the embedding")
Floats = NDArray[np.float32]


def faulty(values: Floats, scaling: Scaling) -> Iterator[tuple[str, Floats]]:
    """Yield the rows with one fault after another."""
    scaled, has = scaling.scaled(values), [bool(np.isfinite(column).any()) for column in values.T]
    for i, name in enumerate(("density", "susceptibility", "gamma")):
        for by in (3, -3):
            if has[i]:
                moved = scaled.copy()
                moved[:, i] += by
                yield f"{name} {by:+d} sd", scaling.raw(moved)
    for name, column, factor in (("gamma × 4", 2, 4.0), ("susceptibility in SI", 1, 1e-5), ("R halved", 3, 0.5)):
        if has[column]:
            changed = values.copy()
            changed[:, column] *= np.float32(factor)
            yield name, changed
    if has[3]:
        yield "colour from 0 to 1", values * np.array([1, 1, 1, *[1 / 255] * 3], np.float32)
        yield "R and B swapped", values[:, [0, 1, 2, 5, 4, 3]]


def scores_of(values: Floats, embedder: Embedder, quality: Quality) -> tuple[list[Floats], Floats]:
    """Return the scores of rows, higher where they are odder, and the novelty's p."""
    done = embedder.embed(Block(np.ascontiguousarray(values), None, {}))
    columns = quality.columns(done.rows, done.embeddings)
    p, residuals = columns["novelty_p"], columns["residuals"]
    keep = ~np.isnan(residuals).all(axis=1)
    error = np.abs(residuals[keep])
    scores = [-p[keep], np.sqrt(np.nanmean(error**2, axis=1)), np.nanmax(error, axis=1)]
    return [*scores, np.linalg.norm(done.embeddings[keep], axis=1)], p[keep]


def area(clean: Floats, faulty: Floats) -> float:
    """Return the share of pairs in which the faulty row has the higher score."""
    ranks = rankdata(np.concatenate([clean, faulty]))[len(clean) :]
    return float((ranks.sum() - len(faulty) * (len(faulty) + 1) / 2) / (len(clean) * len(faulty)))


def main() -> None:
    """Print the scores for each scan and fault, and their means."""
    if not SCANS.is_dir():
        raise SystemExit(f"{SCANS} does not exist")
    model = LithoModel.load("semisup_hybrid", threads=1)
    embedder, quality, areas = Embedder(model), Quality(model), []
    typer.echo(f"| scan | fault | {' | '.join(SCORES)} | p < 0.01 |\n|---|---|{'---|' * len(SCORES)}---|")
    for path in sorted(SCANS.glob("*.h5")):
        with open_scan(path, {}, {}, model.bundle.features) as scan:
            values = np.concatenate([embedder.policy.prepare(read()).values for read in rows_of(scan, silent).blocks])
        clean, p = scores_of(values, embedder, quality)
        typer.echo(f"| {path.stem} | none |{' |' * len(SCORES)} {np.mean(p < 0.01):.0%} |")
        for name, rows in faulty(values, Scaling.of(model.bundle)):
            found, p = scores_of(rows, embedder, quality)
            areas.append([area(a, b) for a, b in zip(clean, found, strict=True)])
            typer.echo(f"| | {name} | {' | '.join(f'{each:.2f}' for each in areas[-1])} | {np.mean(p < 0.01):.0%} |")
    typer.echo(f"| mean | | {' | '.join(f'{each:.2f}' for each in np.mean(areas, axis=0))} | |")


if __name__ == "__main__":
    typer.run(main)
