from __future__ import annotations

import copy
import hashlib
import pickle
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime.errors import TrainingError
from lithovae.runtime.features import LILY, FeatureSet
from lithovae.training.fit import fit
from lithovae.training.loss import draw_mask, instruments_of, loss_parts, weigh
from lithovae.training.recipe import HYBRID, MODELS, STANDARD, Recipe
from lithovae.training.resume import state_path
from lithovae.training.step import Step
from lithovae.training.table import TrainingTable
from lithovae.training.validate import validate


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


DIGESTS = {
    "unsup": ("dbeb7b8b3308aac7", [10.5388, 8.9406, 8.1797]),
    "semisup": ("3b50e792fa7edcdc", [10.9407, 9.1965, 8.3017]),
    "unsup_hybrid": ("06253db8bb8b86ee", [1.9652, 1.7795, 1.5575]),
    "semisup_hybrid": ("416ba194ad8ac94c", [3.7244, 3.4469, 3.2041]),
}
"""Of three epochs on 700 complete rows, by the code that knew no gaps: digest of the weights, and losses."""
ARITHMETIC = "a3f31235b4abfb5a"
"""Digest of a few products and logarithms on the machine that made the digests: others may round otherwise."""


def arithmetic() -> str:
    torch.manual_seed(0)
    x = torch.randn(256, 64)
    return digest_of([torch.addmm(torch.zeros(32), x, torch.randn(64, 32)).exp().log_softmax(1)])


def digest_of(tensors: Iterable[torch.Tensor]) -> str:
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors)).hexdigest()[:16]


@pytest.mark.parametrize("name", MODELS)
def test_complete_rows_are_trained_as_before_gaps_were_known(table: TrainingTable, name: str) -> None:
    few, plan = table.take(np.arange(len(table)) < 700), MODELS[name]
    trained = fit(few, replace(plan.recipe, epochs=3), supervised=plan.supervised, trained_on="a test")
    digest, losses = DIGESTS[name]
    assert [epoch["loss"] for epoch in trained.history] == pytest.approx(losses, rel=1e-3)
    assert trained.recipe.keys() == asdict(plan.recipe).keys() - {"mask_instruments"}
    if arithmetic() == ARITHMETIC:
        sha = hashlib.sha256()
        for key, tensor in trained.model.state_dict().items():
            sha.update(key.encode() + tensor.numpy().tobytes())
        assert sha.hexdigest()[:16] == digest


def with_gaps(table: TrainingTable, share: float = 0.2) -> TrainingTable:
    rng = np.random.default_rng(0)
    features = np.where(rng.random(table.features.shape) < share, np.nan, table.features)
    return replace(table, features=features, lithology=np.where(rng.random(len(table)) < share, "", table.lithology))


@pytest.mark.parametrize("name", MODELS)
def test_what_stands_in_a_gap_changes_nothing(table: TrainingTable, name: str) -> None:
    gappy = with_gaps(table.take(np.arange(len(table)) < 300))
    plan, state = MODELS[name], []
    for filling in (np.nan, np.inf, 1e300):
        filled = replace(gappy, features=np.where(np.isnan(gappy.features), filling, gappy.features))
        recipe = replace(plan.recipe, epochs=2)
        state.append(fit(filled, recipe, supervised=plan.supervised, trained_on="").model.state_dict())
    for key, tensor in state[0].items():
        assert torch.isfinite(tensor).all()
        assert torch.equal(tensor, state[1][key])
        assert torch.equal(tensor, state[2][key])


MASKING = (STANDARD, HYBRID, replace(HYBRID, mask_instruments=0.3), replace(STANDARD, mask_instruments=0.3))


@pytest.mark.parametrize("n_classes", [None, 7])
@pytest.mark.parametrize("recipe", MASKING)
def test_the_step_by_hand_is_autograds_with_gaps(recipe: Recipe, n_classes: int | None) -> None:
    torch.manual_seed(3)
    measured = torch.rand(64, 6) < 0.7
    x = torch.randn(64, 6).masked_fill(~measured, 0.0)
    model = SemiSupervisedVAE(n_classes=n_classes) if n_classes else VAE()
    labels = torch.randint(-1, n_classes, (64,)) if n_classes else None
    by_hand, instruments = copy.deepcopy(model), instruments_of(LILY)
    if isinstance(model, SemiSupervisedVAE):
        model.classifier[2] = _DropoutLikeTheSteps(0.3)
    torch.manual_seed(4)
    ours = Step(by_hand, recipe, instruments)(x, labels, 0.3, measured)
    torch.manual_seed(4)
    parts = loss_parts(model, x, labels, recipe, measured, instruments)
    weigh(parts, recipe, 0.3).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(ours, dict(parts), rtol=1e-5, atol=0)
    for (name, expected), found in zip(model.named_parameters(), by_hand.parameters(), strict=True):
        assert expected.grad is not None and found.grad is not None  # noqa: PT018
        assert (found.grad - expected.grad).abs().max() <= 1e-5 * expected.grad.abs().max(), name


def test_the_loss_is_of_measured_cells() -> None:
    model, x = VAE().eval(), torch.randn(32, 6)
    measured = torch.rand(32, 6) < 0.5
    for recipe in (STANDARD, replace(HYBRID, mask_probability=0.0)):
        torch.manual_seed(1)
        parts = loss_parts(model, x, None, recipe, measured)
        torch.manual_seed(1)
        squared = ((model(x)[0] - x) ** 2)[measured]
        expected = squared.sum() if recipe.reduction == "sum" else squared.mean()
        torch.testing.assert_close(parts["reconstruction"], expected)


def test_instruments_are_masked_as_wholes() -> None:
    recipe = replace(STANDARD, mask_instruments=0.5)
    torch.manual_seed(0)
    masked = draw_mask(torch.zeros(2000, 6), recipe, instruments_of(LILY))
    assert masked is not None
    assert torch.equal(masked[:, 3], masked[:, 4])
    assert torch.equal(masked[:, 3], masked[:, 5])
    assert not torch.equal(masked[:, 0], masked[:, 1])
    assert masked.float().mean(0).tolist() == pytest.approx([0.5] * 6, abs=0.05)
    assert draw_mask(torch.zeros(2, 6), STANDARD, None) is None


def test_a_model_that_saw_masked_instruments_imputes(table: TrainingTable) -> None:
    few, recipe = table.take(np.arange(len(table)) < 100), replace(STANDARD, epochs=1)
    assert fit(few, recipe, supervised=False, trained_on="").missing == "nan"
    masked = replace(recipe, mask_instruments=0.2)
    assert fit(few, masked, supervised=False, trained_on="").missing == "impute"


def test_another_feature_set_is_trained(table: TrainingTable) -> None:
    lake = FeatureSet.named(["density", "MS", "Vp", "Res"])
    few = table.take(np.arange(len(table)) < 300)
    features = np.column_stack([few.features[:, :2], 1500 + few.features[:, 2], few.features[:, 3]])
    features[:100, 2] = np.nan
    trained = fit(
        replace(few, features=features, feature_set=lake), replace(HYBRID, epochs=2), supervised=False, trained_on=""
    )
    assert trained.features == lake
    assert trained.model.fc_out.out_features == 4
    assert trained.scaler.mean_[2] == pytest.approx(np.mean(features[100:, 2]))
    assert trained.missing == "impute"


def test_fine_tuning_keeps_scaler_features_and_classes(
    table: TrainingTable, checkpoints: dict[str, Checkpoint]
) -> None:
    start = checkpoints["semisup_hybrid"]
    before = {key: tensor.clone() for key, tensor in start.model.state_dict().items()}
    few = table.take(np.arange(len(table)) < 400)
    few = few.select(FeatureSet(LILY[:3]))
    notes: list[str] = []
    tuned = fit(few, replace(HYBRID, epochs=20), supervised=True, trained_on="", start=start, warn=notes.append)
    assert notes[0] == "no row has a value of R, G, B: what the model knew of it may be lost"
    assert (tuned.features, tuned.classes, tuned.scaler) == (start.features, start.classes, start.scaler)
    assert validate(tuned, few).error < 0.7 * validate(start, few).error
    assert all(torch.equal(tensor, before[key]) for key, tensor in start.model.state_dict().items())
    without_head = fit(few, replace(HYBRID, epochs=1), supervised=False, trained_on="", start=start)
    assert (without_head.classes, isinstance(without_head.model, SemiSupervisedVAE)) == ((), False)


def test_rows_without_a_value_are_left_out(table: TrainingTable) -> None:
    features = table.features.copy()
    features[5:15] = np.nan
    notes: list[str] = []
    recipe = replace(STANDARD, epochs=1)
    fit(replace(table, features=features), recipe, supervised=False, trained_on="", warn=notes.append)
    assert f"10 of {len(table):,} rows have no value: left out" in notes


def test_says_when_the_loss_is_lost(table: TrainingTable) -> None:
    with pytest.raises(TrainingError, match="not a number in epoch"):
        fit(table, replace(STANDARD, learning_rate=1e30, epochs=3), supervised=False, trained_on="")
