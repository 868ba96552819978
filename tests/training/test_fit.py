from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime.errors import TableError, TrainingError
from lithovae.training.fit import fit, loss_parts, weigh
from lithovae.training.recipe import HYBRID, MODELS, STANDARD
from lithovae.training.table import TrainingTable


def test_the_recipes_are_the_published_ones() -> None:
    assert (STANDARD.epochs, STANDARD.batch_size, STANDARD.learning_rate, STANDARD.seed) == (100, 256, 1e-3, 42)
    assert (STANDARD.reduction, STANDARD.beta(0), STANDARD.beta(99), STANDARD.alpha) == ("sum", 1.0, 1.0, 0.1)
    assert (HYBRID.reduction, HYBRID.mask_probability, HYBRID.masked_weight) == ("mean", 0.1, 0.5)
    assert (HYBRID.clip_norm, HYBRID.plateau_patience, HYBRID.plateau_factor, HYBRID.alpha) == (1.0, 10, 0.5, 0.5)
    betas = [HYBRID.beta(epoch) for epoch in range(100)]
    assert betas[0] == 1e-6
    assert betas[29:] == [0.5] * 71
    np.testing.assert_allclose(np.diff(betas[:30]), (0.5 - 1e-6) / 29)
    assert set(MODELS) == {"unsup", "semisup", "unsup_hybrid", "semisup_hybrid"}


def test_standard_loss_is_the_models_loss_function() -> None:
    x, labels = torch.randn(32, 6), torch.randint(0, 5, (32,))
    model = SemiSupervisedVAE(n_classes=5).eval()  # without dropout, both draw the same noise after the same seed
    torch.manual_seed(1)
    ours = weigh(loss_parts(model, x, labels, STANDARD), STANDARD, beta=1.0)
    torch.manual_seed(1)
    recon, mu, logvar, logits = model(x)
    torch.testing.assert_close(ours, SemiSupervisedVAE.loss_function(recon, x, mu, logvar, logits, labels))


def test_hybrid_loss_by_hand() -> None:
    x, labels = torch.randn(64, 6), torch.randint(0, 5, (64,))
    model = SemiSupervisedVAE(n_classes=5).eval()
    torch.manual_seed(2)
    parts = loss_parts(model, x, labels, HYBRID)
    torch.manual_seed(2)
    masked = torch.rand_like(x) < 0.1
    recon, mu, logvar, logits = model(torch.where(masked, torch.zeros(()), x))
    squared = (recon - x) ** 2
    expected = (
        squared.mean()
        + 0.5 * squared[masked].mean()
        + 0.25 * (-0.5 * (1 + logvar - mu**2 - logvar.exp()).mean())
        + 0.5 * torch.nn.functional.cross_entropy(logits, labels)
    )
    torch.testing.assert_close(weigh(parts, HYBRID, beta=0.25), expected)


def test_nothing_masked_is_no_division_by_zero() -> None:
    parts = loss_parts(VAE().eval(), torch.randn(1, 6), None, replace(HYBRID, mask_probability=1e-12))
    assert parts["masked"].item() == 0.0


def test_training_learns_and_repeats(table: TrainingTable) -> None:
    recipe = replace(STANDARD, epochs=4)
    state = torch.random.get_rng_state()
    first = fit(table, recipe, supervised=True, trained_on="a test")
    second = fit(table, recipe, supervised=True, trained_on="a test")
    assert torch.equal(torch.random.get_rng_state(), state)  # the caller's random numbers are its own
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name
    assert first.history[-1]["loss"] < 0.8 * first.history[0]["loss"]
    assert first.history == second.history
    other = fit(table, replace(recipe, seed=1), supervised=True, trained_on="a test")
    assert other.history != first.history


def test_history_has_the_parts_of_the_loss(table: TrainingTable) -> None:
    seen: list[dict[str, float]] = []
    recipe = replace(HYBRID, epochs=2)
    checkpoint = fit(table, recipe, supervised=True, trained_on="a test", report=seen.append)
    assert checkpoint.history == seen
    for epoch in seen:
        total = (
            epoch["reconstruction"]
            + epoch["beta"] * epoch["divergence"]
            + 0.5 * epoch["masked"]
            + 0.5 * epoch["cross_entropy"]
        )
        assert epoch["loss"] == pytest.approx(total, rel=1e-4)


def test_learning_rate_falls_on_a_plateau(table: TrainingTable) -> None:
    few = TrainingTable(table.hole[:64], table.depth[:64], table.features[:64], table.lithology[:64])
    recipe = replace(HYBRID, epochs=6, plateau_patience=0, beta_end=50.0, beta_epochs=6)  # beta drives the loss up
    rates = [epoch["learning_rate"] for epoch in fit(few, recipe, supervised=False, trained_on="").history]
    assert rates[-1] < rates[0]
    assert set(np.log2(np.array(rates) / 1e-3)) <= {0.0, -1.0, -2.0, -3.0, -4.0, -5.0}


def test_a_last_batch_of_one_row_is_no_trouble(table: TrainingTable) -> None:
    n = 257
    odd = TrainingTable(table.hole[:n], table.depth[:n], table.features[:n], table.lithology[:n])
    fit(odd, replace(STANDARD, epochs=1), supervised=False, trained_on="a test")


def test_refuses_a_table_with_gaps(table: TrainingTable) -> None:
    gappy = table.features.copy()
    gappy[:3, 2] = np.nan
    with pytest.raises(TableError, match="3 of the table's"):
        fit(TrainingTable(table.hole, table.depth, gappy, table.lithology), STANDARD, supervised=False, trained_on="")


def test_refuses_a_table_with_sentinels(table: TrainingTable, tmp_path: Path) -> None:
    gappy = table.features.copy()
    gappy[:4, 2] = -999.25
    TrainingTable(table.hole, table.depth, gappy, table.lithology).write(tmp_path / "table.csv")
    with pytest.raises(TableError, match="4 of the table's"):
        fit(TrainingTable.read(tmp_path / "table.csv"), STANDARD, supervised=False, trained_on="")


def test_says_when_the_loss_is_lost(table: TrainingTable) -> None:
    with pytest.raises(TrainingError, match="not a number in epoch"):
        fit(table, replace(STANDARD, learning_rate=1e30, epochs=3), supervised=False, trained_on="")
