from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime.errors import TableError, TrainingError
from lithovae.training.fit import fit
from lithovae.training.loss import loss_parts, weigh
from lithovae.training.recipe import HYBRID, MODELS, STANDARD, Recipe
from lithovae.training.resume import state_path
from lithovae.training.step import Step
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


class _DropoutLikeTheSteps(torch.nn.Dropout):
    """Draws the same random numbers as `Step`: torch's own dropout takes three times as long."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (torch.rand_like(x) >= self.p) / (1 - self.p)


@pytest.mark.parametrize("rows", [256, 17])
@pytest.mark.parametrize("n_classes", [None, 139])
@pytest.mark.parametrize("recipe", [STANDARD, HYBRID], ids=lambda recipe: recipe.name)
def test_the_step_by_hand_is_autograds(recipe: Recipe, n_classes: int | None, rows: int) -> None:
    torch.manual_seed(3)
    x = torch.randn(rows, 6)
    model = SemiSupervisedVAE(n_classes=n_classes) if n_classes else VAE()
    labels = torch.randint(0, n_classes, (rows,)) if n_classes else None
    by_hand = copy.deepcopy(model)
    if isinstance(model, SemiSupervisedVAE):
        model.classifier[2] = _DropoutLikeTheSteps(0.3)
    step = Step(by_hand, recipe)
    torch.manual_seed(4)
    ours = step(x, labels, 0.3)
    torch.manual_seed(4)
    parts = loss_parts(model, x, labels, recipe)
    weigh(parts, recipe, 0.3).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(ours, dict(parts), rtol=1e-5, atol=0)
    for (name, expected), found in zip(model.named_parameters(), by_hand.parameters(), strict=True):
        assert expected.grad is not None and found.grad is not None  # noqa: PT018
        assert (found.grad - expected.grad).abs().max() <= 1e-5 * expected.grad.abs().max(), name
    for (name, expected_buffer), found_buffer in zip(model.named_buffers(), by_hand.buffers(), strict=True):
        assert torch.equal(found_buffer, expected_buffer), name  # BatchNorm's running moments, and the batches seen


def test_training_is_autograds_and_adams(table: TrainingTable) -> None:
    recipe = replace(STANDARD, epochs=3)
    ours = fit(table, recipe, supervised=True, trained_on="a test")
    torch.manual_seed(0)
    model = SemiSupervisedVAE(n_classes=len(table.classes))
    x = torch.tensor(ours.scaler.transform(table.features), dtype=torch.float32)
    labels = torch.tensor(table.labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in ours.history:
        total = 0.0
        for rows in torch.split(torch.randperm(len(x)), 256):
            recon, mu, logvar, logits = model(x[rows])
            loss = SemiSupervisedVAE.loss_function(recon, x[rows], mu, logvar, logits, labels[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item()
        assert epoch["loss"] == pytest.approx(total / len(x), rel=0.15)  # two seeds differ by about 5 %


def test_the_checkpoint_owns_its_tensors(table: TrainingTable, tmp_path: Path) -> None:
    model = fit(table, replace(STANDARD, epochs=1), supervised=False, trained_on="a test").model
    assert len({tensor.untyped_storage().data_ptr() for tensor in model.state_dict().values()}) == len(
        model.state_dict()
    )
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_a_resumed_run_is_the_uninterrupted_one(table: TrainingTable, tmp_path: Path, name: str) -> None:
    few = TrainingTable(table.hole[:700], table.depth[:700], table.features[:700], table.lithology[:700])
    plan, place = MODELS[name], state_path(tmp_path / "model.pt")
    recipe = replace(plan.recipe, epochs=12, plateau_patience=2 if plan.recipe.plateau_patience else None)
    expected = fit(few, recipe, supervised=plan.supervised, trained_on="a test")

    def stop(epoch: dict[str, float]) -> None:
        if epoch["epoch"] == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(few, recipe, supervised=plan.supervised, trained_on="a test", report=stop, resume=place)
    assert place.exists()
    seen: list[dict[str, float]] = []
    resumed = fit(few, recipe, supervised=plan.supervised, trained_on="a test", report=seen.append, resume=place)
    assert [epoch["epoch"] for epoch in seen] == [6, 7, 8, 9, 10, 11, 12]
    assert resumed.history == expected.history
    for key, tensor in expected.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], tensor), key
    assert list(tmp_path.iterdir()) == [place]  # kept until the checkpoint is saved


def test_refuses_to_resume_another_run(table: TrainingTable, tmp_path: Path) -> None:
    few = TrainingTable(table.hole[:300], table.depth[:300], table.features[:300], table.lithology[:300])
    place, recipe = tmp_path / "state", replace(STANDARD, epochs=6)

    def stop(epoch: dict[str, float]) -> None:
        if epoch["epoch"] == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(few, recipe, supervised=False, trained_on="", report=stop, resume=place)
    with pytest.raises(TrainingError, match="differs in the recipe's seed"):
        fit(few, replace(recipe, seed=1), supervised=False, trained_on="", resume=place)
    with pytest.raises(TrainingError, match="differs in the kind of model"):
        fit(few, recipe, supervised=True, trained_on="", resume=place)
    other = TrainingTable(few.hole, few.depth + 1, few.features, few.lithology)
    with pytest.raises(TrainingError, match="differs in the training table"):
        fit(other, recipe, supervised=False, trained_on="", resume=place)
    for damage in (place.read_bytes()[:-300], b"", pickle.dumps({"run": {}})):
        place.write_bytes(damage)
        with pytest.raises(TrainingError, match="remove it to start again"):
            fit(few, recipe, supervised=False, trained_on="", resume=place)


def test_signs_of_trouble_are_said(table: TrainingTable) -> None:
    n = 200
    features, lithology = table.features[:n].copy(), np.repeat(["Mud", "Ooze"], n // 2)
    recipe, said = replace(STANDARD, epochs=30, beta_start=1e3, beta_end=1e3), list[str]()
    features[:, 3] = 40.0
    odd = lithology.astype("<U8")
    odd[:7] = [f"Class {i}" for i in range(7)]
    trouble = TrainingTable(table.hole[:n], table.depth[:n], features, odd)
    fit(trouble, recipe, supervised=True, trained_on="", warn=said.append)
    assert said[0] == "the feature 'R' is 40 in every row: the model learns nothing from it"
    assert said[1].startswith(
        "7 of 9 classes have a single row (Class 0, Class 1, Class 2, Class 3, Class 4 and 2 more)"
    )
    assert "latent dimensions have collapsed" in said[2]


def test_a_stalled_learning_rate_is_said_once(table: TrainingTable) -> None:
    few = TrainingTable(table.hole[:64], table.depth[:64], table.features[:64], table.lithology[:64])
    recipe = replace(HYBRID, epochs=12, plateau_patience=0, plateau_factor=0.05, beta_end=50.0, beta_epochs=12)
    said = list[str]()
    fit(few, recipe, supervised=False, trained_on="", warn=said.append)
    assert sum("learning rate fell below 1e-05" in message for message in said) == 1


def test_training_learns_and_repeats(table: TrainingTable) -> None:
    recipe = replace(STANDARD, epochs=4)
    state = torch.random.get_rng_state()
    first = fit(table, recipe, supervised=True, trained_on="a test")
    second = fit(table, recipe, supervised=True, trained_on="a test")
    assert torch.equal(torch.random.get_rng_state(), state)  # the caller's random state is unchanged
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
    with pytest.raises(
        TableError, match=r"3 of the table's .* rows have a missing or impossible value, the first in row 1 "
    ):
        fit(TrainingTable(table.hole, table.depth, gappy, table.lithology), STANDARD, supervised=False, trained_on="")


def test_refuses_a_table_with_sentinels(table: TrainingTable, tmp_path: Path) -> None:
    gappy = table.features.copy()
    gappy[:4, 2] = -999.25
    TrainingTable(table.hole, table.depth, gappy, table.lithology).write(tmp_path / "table.csv")
    with pytest.raises(
        TableError, match=r"4 of the table's .* rows have a missing or impossible value, the first in row 1 "
    ):
        fit(TrainingTable.read(tmp_path / "table.csv"), STANDARD, supervised=False, trained_on="")


def test_says_when_the_loss_is_lost(table: TrainingTable) -> None:
    with pytest.raises(TrainingError, match="not a number in epoch"):
        fit(table, replace(STANDARD, learning_rate=1e30, epochs=3), supervised=False, trained_on="")
