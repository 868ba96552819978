"""Scaler and model as torch modules in float32: raw features in, embeddings or class probabilities out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lithovae.models.checkpoint import Checkpoint


class Scaled(nn.Module):
    """The scaler in front of the model, in plain torch."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.model, self.temperature = checkpoint.model, checkpoint.temperature
        self.mean = nn.Buffer(torch.tensor(checkpoint.scaler.mean_, dtype=torch.float32))
        self.scale = nn.Buffer(torch.tensor(checkpoint.scaler.scale_, dtype=torch.float32))
        self.eval()

    def scaled(self, x: Tensor) -> Tensor:
        """Scale raw features (n, 6)."""
        signed, colour = x[:, 1:3], x[:, 3:]
        transformed = [x[:, :1], torch.sign(signed) * torch.log1p(signed.abs()), torch.log1p(colour)]
        return (torch.cat(transformed, 1) - self.mean) / self.scale


class Embedder(Scaled):
    """Raw features (n, 6) to the latent mean (n, 10)."""

    def forward(self, x: Tensor) -> Tensor:
        """Scale and encode; the log-variance is not computed."""
        return self.model.fc_mu(self.model.encoder(self.scaled(x)))  # type: ignore[no-any-return]


class Encoder(Scaled):
    """Raw features (n, 6) to latent mean and log-variance, (n, 10) each."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and encode."""
        return self.model.encode(self.scaled(x))


class Classifier(Scaled):
    """Raw features (n, 6) to class probabilities (n, 139)."""

    def forward(self, x: Tensor) -> Tensor:
        """Scale, encode and classify."""
        latent = self.model.fc_mu(self.model.encoder(self.scaled(x)))
        return torch.softmax(self.model.classify(latent) / self.temperature, dim=1)  # type: ignore[operator]
