"""The published scores (``published/scores.csv``), and ours beside them."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

from .scores import Scores

SOURCES = {
    "explorer 2.6.7": (
        "LILY explorer v2.6.7, unsupervised, in physical units; which rows is not said. "
        "Its ARI was 0.196 ± 0.037 over five entropy-balanced folds, k not said."
    ),
    "explorer 2.14": (
        "LILY explorer v2.14, semi-supervised, in physical units; 28,015 test rows, whether of other holes is not "
        'said. Its accuracy is given as "~45%"; its ARI was 0.285 at alpha 0.1 and 0.232 at alpha 0.5, k not said.'
    ),
    "notebook": (
        "a published notebook (beta up to 0.075); trained and scored on the same 238,506 rows. "
        "Units of its R² are not said."
    ),
    "svm results": (
        "published SVM results (C = 1); 8,000 training and 2,000 test rows, whether of other holes is not said."
    ),
    "commit message": "a commit message, semi-supervised; rows and pooling are not said.",
    "masking sweep": (
        "a published sweep, trained with 10 % of the inputs masked; which model, rows and units is not said. "
        "There cells were masked at random; here one feature at a time, in every row."
    ),
}
"""What each published figure is: the model, and the rows that it was scored on."""


class PublishedScore(NamedTuple):
    """A published figure.

    Attributes
    ----------
    label : str
        The score, named as in `Scores.labelled`.
    value : float
        As published.
    model : str
        ``unsupervised``, ``semi-supervised``, or ``any`` if it is not stated.
    source : str
        A key of `SOURCES`.
    """

    label: str
    value: float
    model: str
    source: str


def published_scores() -> list[PublishedScore]:
    """Read the published scores that ship with the package."""
    text = (resources.files(__package__) / "published" / "scores.csv").read_text(encoding="utf-8")
    return [
        PublishedScore(row["score"], float(row["published"]), row["model"], row["source"])
        for row in csv.DictReader(text.splitlines())
    ]


def score_table(scores: Scores, others: Sequence[Scores] = ()) -> str:
    """Render scores beside those published for the same kind of model, as Markdown that also reads well as text.

    Each published figure has a letter, which a list below the table explains. ``others`` are the scores of the same
    recipe trained with other seeds, on the same rows: the range of all, with ``scores``, has its own column.
    """
    kind = "unsupervised" if scores.head is None else "semi-supervised"
    published = [score for score in published_scores() if score.model in (kind, "any")]
    letters = {source: chr(ord("a") + i) for i, source in enumerate(dict.fromkeys(score.source for score in published))}
    runs = [run.labelled() for run in (scores, *others)]
    spread_title = f"range of {len(runs)} seeds"
    rows = [("score", "ours", spread_title, "published"), ("---", "---:", "---:", "---")]
    for label, value in runs[0].items():
        beside = [f"{score.value:.3f} ({letters[score.source]})" for score in published if score.label == label]
        found = [run[label] for run in runs if label in run and not math.isnan(run[label])]
        spread = f"{min(found):.3f} to {max(found):.3f}" if found else "–"
        rows.append((label, "not defined" if math.isnan(value) else f"{value:.3f}", spread, ", ".join(beside) or "–"))
    if not others:
        rows = [(label, value, "", beside) for label, value, _, beside in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"| {label:{widths[0]}} | {value:>{widths[1]}} | "
        + (f"{spread:>{widths[2]}} | " if others else "")
        + f"{beside:{widths[3]}} |"
        for label, value, spread, beside in rows
    ]
    seen = "which the model was not trained on" if scores.apart else "which the model may have been trained on"
    nats = ", ".join(f"{value:.3f}" for value in scores.divergence)
    return "\n".join(
        [
            *lines,
            "",
            f"Ours: {scores.rows:,} rows of {scores.holes:,} holes, {seen}; {scores.unseen:.2%} of these rows are of a "
            "lithology that the training rows lack.",
            f"Latent use: {scores.active_dimensions} of {len(scores.divergence)} dimensions are active (mean "
            f"divergence above 0.01 nats); each has {nats} nats.",
            "",
            "Published:",
            *(f"- ({letter}) {SOURCES[source]}" for source, letter in letters.items()),
            "",
        ]
    )
