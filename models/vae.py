"""The two architectures: names, shapes and state-dict keys are fixed, because checkpoints of this format exist."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from .scaler import DistributionAwareScaler

__all__ = ["VAE", "DistributionAwareScaler", "SemiSupervisedVAE"]


class VAE(nn.Module):
    """Variational autoencoder of scaled core-logging features.

    Parameters
    ----------
    input_dim : int
        Number of features.
    latent_dim : int
        Length of an embedding.
    hidden_dims : sequence of int
        Widths of the encoder's hidden layers; the decoder mirrors them.
    """

    def __init__(self, input_dim: int = 6, latent_dim: int = 10, hidden_dims: Sequence[int] = (64, 32)) -> None:
        super().__init__()
        self.encoder = _hidden_layers([input_dim, *hidden_dims])
        self.fc_mu = nn.Linear(hidden_dims[-1], latent_dim)
        self.fc_logvar = nn.Linear(hidden_dims[-1], latent_dim)
        self.decoder = _hidden_layers([latent_dim, *reversed(hidden_dims)])
        self.fc_out = nn.Linear(hidden_dims[0], input_dim)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and log-variance, each (n, latent_dim), of scaled features (n, input_dim)."""
        hidden = self.encoder(x)
        return self.fc_mu(hidden), self.fc_logvar(hidden)

    def reparameterize(self, mu: Tensor, logvar: Tensor) -> Tensor:
        """Draw a latent vector from N(mu, exp(logvar))."""
        return mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)

    def decode(self, z: Tensor) -> Tensor:
        """Return the scaled features (n, input_dim) of latent vectors (n, latent_dim)."""
        return self.fc_out(self.decoder(z))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return ``(reconstruction, mu, logvar)``."""
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar

    def get_embeddings(self, x: Tensor) -> Tensor:
        """Return the embedding (n, latent_dim) of scaled features: the mean, without gradient."""
        with torch.no_grad():
            return self.encode(x)[0]

    @staticmethod
    def loss_function(recon: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
        """Return the summed squared error plus ``beta`` times the summed Kullback-Leibler divergence to N(0, 1).

        ``KL = -0.5 * sum(1 + logvar - mu^2 - exp(logvar))`` (Kingma & Welling 2014, appendix B).
        """
        divergence = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return mse_loss(recon, x, reduction="sum") + beta * divergence


class SemiSupervisedVAE(VAE):
    """A `VAE` with a lithology head on its latent vector.

    Parameters
    ----------
    input_dim, latent_dim, hidden_dims
        As for `VAE`.
    n_classes : int
        Number of lithologies.
    classifier_dim : int
        Width of the head's hidden layer.
    """

    def __init__(
        self,
        input_dim: int = 6,
        latent_dim: int = 10,
        hidden_dims: Sequence[int] = (64, 32),
        n_classes: int = 139,
        classifier_dim: int = 64,
    ) -> None:
        super().__init__(input_dim, latent_dim, hidden_dims)
        self.classifier = nn.Sequential(
            nn.Linear(latent_dim, classifier_dim), nn.ReLU(), nn.Dropout(0.3), nn.Linear(classifier_dim, n_classes)
        )

    def classify(self, z: Tensor) -> Tensor:
        """Return the logits (n, n_classes) of latent vectors (n, latent_dim)."""
        return self.classifier(z)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return ``(reconstruction, mu, logvar, logits)``; the head reads the sampled latent vector."""
        mu, logvar = self.encode(x)
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar, self.classify(z)

    @staticmethod
    def loss_function(  # type: ignore[override]
        recon: Tensor,
        x: Tensor,
        mu: Tensor,
        logvar: Tensor,
        logits: Tensor,
        labels: Tensor,
        beta: float = 1.0,
        alpha: float = 0.1,
    ) -> Tensor:
        """Return `VAE.loss_function` plus ``alpha`` times the summed cross-entropy of ``labels`` (n,) int64."""
        head = cross_entropy(logits, labels, reduction="sum")
        return VAE.loss_function(recon, x, mu, logvar, beta) + alpha * head


def _hidden_layers(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.BatchNorm1d(n_out)]
    return nn.Sequential(*layers)
