"""Score a lithology head on all rows: each part of a table by a model that was trained on the other parts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.errors import TableError

from .calibration import Answers, Calibrated, answers_of, temperature_of
from .fit import Report, fit
from .recipe import Recipe
from .split import parts_of
from .table import TrainingTable

UNANSWERED = -2
"""Label of a row without a lithology, or without an embedding."""


class CrossValidation(NamedTuple):
    """What models say of parts of a table that they were not trained on.

    Attributes
    ----------
    kind : str
        What the parts are: ``sites``, ``holes`` or ``blocks of depth``.
    n_parts, n_rows : int
        Number of parts, and of rows with a lithology and an embedding.
    accuracy : float
        Share of these rows whose lithology is the most likely one.
    commonest : str
        Their most common lithology.
    commonest_share : float
        Share of these rows that have it: what the accuracy must exceed to be of use.
    calibrated : Calibrated or None
        The temperature for a model that is trained on all parts; None if there are too few rows.
    """

    kind: str
    n_parts: int
    n_rows: int
    accuracy: float
    commonest: str
    commonest_share: float
    calibrated: Calibrated | None


def cross_validate(
    table: TrainingTable,
    recipe: Recipe,
    folds: int,
    *,
    report: Report = lambda epoch: None,
    start: Checkpoint | None = None,
) -> CrossValidation:
    """Train a recipe with a lithology head once for each fold, without the rows of the fold, and score it on these.

    A fold is one or several neighbouring parts of the table: sites; of a single site, holes; of a single hole, tenths
    of its depth. There are no more folds than parts.

    Parameters
    ----------
    table : TrainingTable
        Rows of which some have a lithology.
    recipe, start, report
        As of `lithovae.training.fit.fit`.
    folds : int
        Number of folds, at least 2.

    Raises
    ------
    TableError, TrainingError
        As of `lithovae.training.fit.fit`; or if all rows with a lithology are in one part.
    """
    described = np.asarray(table.measured.any(axis=1)) & (table.lithology != "")
    kind, part = parts_of(table)
    rows = np.bincount(part, described)
    if np.count_nonzero(rows) < 2:
        raise TableError(f"all {np.count_nonzero(described)} rows with a lithology are in one of the {kind}")
    fold = ((np.cumsum(rows) - rows / 2) / rows.sum() * folds).astype(np.int64)
    if len(np.unique(fold[rows > 0])) < 2:  # one part has almost all rows
        fold = np.arange(len(rows))
    classes = table.classes if start is None else start.classes
    logits, label = np.full((len(table), len(classes)), -np.inf), np.full(len(table), UNANSWERED)
    for number in np.unique(fold[rows > 0]).tolist():
        aside = fold[part] == number
        trained = fit(table.take(~aside), recipe, supervised=True, trained_on="", report=report, start=start)
        answers = answers_of(trained, table.take(aside))
        own, columns = np.flatnonzero(aside)[answers.row], np.array([classes.index(name) for name in trained.classes])
        logits[np.ix_(own, columns)] = answers.logits
        label[own] = np.append(columns, -1)[answers.label]
    row = np.flatnonzero(label != UNANSWERED)
    answers = Answers(logits[row], label[row], row)
    names, counts = np.unique(table.lithology[row], return_counts=True)
    return CrossValidation(
        kind=kind,
        n_parts=int(np.count_nonzero(rows)),
        n_rows=len(row),
        accuracy=float(answers.right.mean()),
        commonest=str(names[np.argmax(counts)]),
        commonest_share=float(counts.max() / counts.sum()),
        calibrated=temperature_of(answers, kind, part[row]),
    )
