"""How a model is trained, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Recipe:
    """Everything that a training run depends on, except its table.

    Attributes
    ----------
    name : str
        Name of the recipe.
    reduction : {"sum", "mean"}
        How squared error, divergence and cross-entropy are reduced over a batch.
    beta_start, beta_end : float
        Weight of the divergence, in the first epoch and from epoch ``beta_epochs`` on; linear between.
    beta_epochs : int
        Number of epochs from ``beta_start`` to ``beta_end``.
    alpha : float
        Weight of the cross-entropy, if the model has a lithology head.
    mask_probability : float
        Share of the inputs that are set to 0 in scaled space; the loss compares with the unmasked rows.
    mask_instruments : float
        Probability that all inputs of an instrument are set to 0 together, for each row and each instrument of the
        feature set; beside ``mask_probability``.
    masked_weight : float
        Weight of the mean squared error over the masked cells.
    clip_norm : float or None
        Largest norm of the gradient; None for no limit.
    plateau_patience, plateau_factor : int or None, float
        Epochs without a better mean loss before the learning rate is multiplied by the factor; None for never.
    epochs, batch_size : int
        Number of epochs, and rows per batch.
    learning_rate : float
        Learning rate of Adam in the first epoch.
    seed : int
        Seed of torch's random numbers.
    """

    name: str
    reduction: Literal["sum", "mean"]
    beta_start: float
    beta_end: float
    beta_epochs: int
    alpha: float
    mask_probability: float = 0.0
    masked_weight: float = 0.0
    clip_norm: float | None = None
    plateau_patience: int | None = None
    plateau_factor: float = 0.5
    epochs: int = 100
    batch_size: int = 256
    learning_rate: float = 1e-3
    seed: int = 42
    mask_instruments: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as plain data, without a masking by instrument that is off."""
        return {name: value for name, value in asdict(self).items() if name != "mask_instruments" or value}

    def beta(self, epoch: int) -> float:
        """Return the weight of the divergence in an epoch, counted from 0."""
        if epoch >= self.beta_epochs - 1:
            return self.beta_end
        return self.beta_start + (self.beta_end - self.beta_start) * epoch / (self.beta_epochs - 1)


STANDARD = Recipe("standard", reduction="sum", beta_start=1.0, beta_end=1.0, beta_epochs=1, alpha=0.1)
HYBRID = Recipe(
    "hybrid",
    reduction="mean",
    beta_start=1e-6,
    beta_end=0.5,
    beta_epochs=30,
    alpha=0.5,
    mask_probability=0.1,
    masked_weight=0.5,
    clip_norm=1.0,
    plateau_patience=10,
)


@dataclass(frozen=True)
class ModelPlan:
    """A shipped model: its recipe, whether it has a lithology head, and the file name of its checkpoint."""

    recipe: Recipe
    supervised: bool
    checkpoint: str


MODELS = {
    "unsup": ModelPlan(STANDARD, supervised=False, checkpoint="unsup.pt"),
    "semisup": ModelPlan(STANDARD, supervised=True, checkpoint="semisup.pt"),
    "unsup_hybrid": ModelPlan(HYBRID, supervised=False, checkpoint="model_unsup_hybrid.pt"),
    "semisup_hybrid": ModelPlan(HYBRID, supervised=True, checkpoint="model_semisup_hybrid.pt"),
}
"""The shipped models by bundle name."""
