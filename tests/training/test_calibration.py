from __future__ import annotations

import copy
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import log_loss

from lithovae.models.checkpoint import Checkpoint
from lithovae.training.calibration import Calibrated, answers_of, calibrate, temperature_of
from lithovae.training.card import model_card
from lithovae.training.evaluate import evaluate
from lithovae.training.split import parts_of
from lithovae.training.table import TrainingTable


def logits_of(checkpoint: Checkpoint, table: TrainingTable) -> NDArray[np.float64]:
    model = copy.deepcopy(checkpoint.model).double().eval()
    with torch.no_grad():
        mu = model.encode(torch.from_numpy(checkpoint.scaler.transform(table.features)))[0]
        return np.asarray(model.classifier(mu).numpy())  # type: ignore[operator]


@pytest.fixture
def answers(checkpoints: dict[str, Checkpoint], table: TrainingTable) -> tuple[Checkpoint, TrainingTable]:
    """A checkpoint that tells lithologies apart, and rows whose lithologies are drawn from its probabilities."""
    checkpoint = sharpened(checkpoints["semisup_hybrid"], 100)
    draws = np.random.default_rng(0).gumbel(size=(len(table), len(checkpoint.classes)))
    drawn = (logits_of(checkpoint, table) + draws).argmax(axis=1)
    return checkpoint, replace(table, lithology=np.array(checkpoint.classes)[drawn])


def sharpened(checkpoint: Checkpoint, factor: float) -> Checkpoint:
    """Return a checkpoint whose logits are multiplied by a factor."""
    model = copy.deepcopy(checkpoint.model)
    with torch.no_grad():
        for parameter in list(model.classifier.parameters())[-2:]:  # type: ignore[union-attr]
            parameter *= factor
    return replace(checkpoint, model=model)


def test_probabilities_that_are_right_stay(answers: tuple[Checkpoint, TrainingTable]) -> None:
    found = calibrate(*answers)
    assert found is not None
    assert found.calibration.temperature == pytest.approx(1, abs=0.05)
    assert found.calibration.error_after <= found.calibration.error_before < 0.03
    assert found.calibration.n_rows == len(answers[1])
    assert found.kind == "sites"


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_too_sure_and_too_modest_heads_are_corrected(answers: tuple[Checkpoint, TrainingTable], factor: float) -> None:
    checkpoint, rows = answers
    found = calibrate(sharpened(checkpoint, factor), rows)
    assert found is not None
    assert found.calibration.temperature == pytest.approx(factor, rel=0.05)
    assert found.calibration.error_after < 0.03 < found.calibration.error_before


def test_the_temperature_is_the_likeliest(checkpoints: dict[str, Checkpoint], table: TrainingTable) -> None:
    checkpoint = sharpened(checkpoints["semisup"], 5)
    found = calibrate(checkpoint, table)
    assert found is not None
    logits, label = logits_of(checkpoint, table), table.labels

    def loss(log: float) -> float:
        return float(log_loss(label, np.exp(log_softmax(logits / np.exp(log), axis=1)), labels=range(logits.shape[1])))

    best = np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x)
    assert found.calibration.temperature == pytest.approx(best, rel=2e-3)
    scores = evaluate(checkpoint, table, table).head
    assert scores is not None
    assert found.calibration.error_before == pytest.approx(scores.calibration_error, abs=1e-4)


def of_parts(checkpoint: Checkpoint, rows: TrainingTable) -> Calibrated | None:
    return temperature_of(answers_of(checkpoint, rows), *parts_of(rows))


def test_no_row_is_scored_with_a_temperature_of_its_own_part(answers: tuple[Checkpoint, TrainingTable]) -> None:
    """Two sites have opposite faults: the temperature of one makes the other worse, so there is none."""
    checkpoint, rows = answers
    guess = np.array(checkpoint.classes)[logits_of(checkpoint, rows).argmax(axis=1)]
    half = np.arange(len(rows)) < len(rows) // 2
    sites = replace(rows, hole=np.where(half, "1-U1-A", "1-U2-A"))
    apart = of_parts(checkpoint, replace(sites, lithology=np.where(half, guess, "clay")))
    assert apart is not None
    assert apart.calibration.temperature == 1
    assert apart.calibration.error_after == apart.calibration.error_before > 0.1
    assert "temperature of the lithology head stays 1" in model_card("m", checkpoint, None, calibrated=apart)
    alike = of_parts(checkpoint, replace(sites, lithology=np.where(rows.depth % 1 < 0.5, guess, rows.lithology)))
    assert alike is not None
    assert alike.n_parts == 2
    assert alike.within == pytest.approx(alike.calibration.error_after, abs=0.03)


def figures(checkpoint: Checkpoint, rows: TrainingTable) -> tuple[float, float, float, int]:
    found = calibrate(checkpoint, rows)
    assert found is not None
    return astuple(found.calibration)


def test_rows_that_say_nothing_are_left_out(answers: tuple[Checkpoint, TrainingTable]) -> None:
    checkpoint, rows = answers
    whole = figures(checkpoint, rows)
    some = np.arange(len(rows)) % 3 > 0
    lithology, features = np.where(some, rows.lithology, ""), rows.features.copy()
    assert figures(checkpoint, replace(rows, lithology=lithology)) == figures(checkpoint, rows.take(some)) != whole
    features[~some] = np.nan
    assert figures(checkpoint, replace(rows, features=features)) == figures(checkpoint, rows.take(some))
    features = rows.features.copy()
    features[~some, 2] = np.nan
    strict = replace(checkpoint, recipe={"name": "standard"})  # gives rows with a gap no embedding
    assert figures(strict, replace(rows, features=features)) == figures(strict, rows.take(some))
    assert figures(checkpoint, replace(rows, features=features)) != figures(checkpoint, rows.take(some))


def test_a_lithology_that_the_head_does_not_know_counts_as_wrong(answers: tuple[Checkpoint, TrainingTable]) -> None:
    checkpoint, rows = answers
    odd = np.where(np.arange(len(rows)) % 2 == 0, "rhubarb", rows.lithology)
    found, known = (
        calibrate(checkpoint, replace(rows, lithology=odd)),
        calibrate(checkpoint, rows.take(odd != "rhubarb")),
    )
    assert found is not None
    assert known is not None
    assert found.calibration.temperature == known.calibration.temperature
    assert found.calibration.error_before > known.calibration.error_before + 0.05


def test_few_parts_held_out_are_not_enough(answers: tuple[Checkpoint, TrainingTable]) -> None:
    checkpoint, rows = answers
    one, four = np.full(len(rows), "A"), np.array([f"1-U{i % 4}-A" for i in range(len(rows))])
    five = np.array([f"1-U1-{'ABCDE'[i % 5]}" for i in range(len(rows))])
    assert calibrate(checkpoint, replace(rows, hole=one)) is None
    assert calibrate(checkpoint, replace(rows, hole=four)) is None
    found = calibrate(checkpoint, replace(rows, hole=five))
    assert found is not None
    assert (found.kind, found.n_parts) == ("holes", 5)
    assert 0 < found.within < 0.1


def test_nothing_is_fitted_on_too_little(checkpoints: dict[str, Checkpoint], table: TrainingTable) -> None:
    first = np.arange(len(table)) < 99
    assert calibrate(checkpoints["semisup"], table.take(first)) is None
    assert calibrate(checkpoints["semisup"], replace(table, lithology=np.full(len(table), "rhubarb"))) is None
    assert calibrate(checkpoints["unsup"], table) is None


def test_the_card_states_the_errors_or_that_there_is_no_calibration(
    checkpoints: dict[str, Checkpoint], table: TrainingTable
) -> None:
    checkpoint = checkpoints["semisup"]
    found = of_parts(checkpoint, replace(table, hole=np.where(np.arange(len(table)) % 2, "1-U1-A", "1-U2-A")))
    assert found is not None
    card = model_card("semisup", checkpoint, None, calibrated=found)
    for number in (found.calibration.error_before, found.calibration.error_after, found.within):
        assert f"{number:.3f}" in card
    assert f"{found.n_parts} sites" in card
    assert "not within each" in card
    assert "not calibrated: its temperature is 1" in model_card("semisup", checkpoint, None)
    assert "temperature" not in model_card("unsup", checkpoints["unsup"], None)
