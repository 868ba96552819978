from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.training.recipe import MODELS

ENCODER_KEYS = [
    f"encoder.{layer}.{name}"
    for layer, names in {
        0: ["weight", "bias"],
        2: ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"],
        3: ["weight", "bias"],
        5: ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"],
    }.items()
    for name in names
]
HEAD_KEYS = ["fc_mu.weight", "fc_mu.bias", "fc_logvar.weight", "fc_logvar.bias"]
DECODER_KEYS = [key.replace("encoder", "decoder") for key in ENCODER_KEYS]
CLASSIFIER_KEYS = [f"classifier.{layer}.{name}" for layer in (0, 3) for name in ("weight", "bias")]


def test_parameter_counts() -> None:
    unsup = VAE(input_dim=6, latent_dim=10, hidden_dims=[64, 32])
    semisup = SemiSupervisedVAE(input_dim=6, latent_dim=10, hidden_dims=[64, 32], n_classes=139)
    assert sum(p.numel() for p in unsup.parameters()) == 6_426
    assert sum(p.numel() for p in semisup.parameters()) == 16_165


def test_state_dict_keys_are_those_of_checkpoints_in_the_wild() -> None:
    unsup = [*ENCODER_KEYS, *HEAD_KEYS, *DECODER_KEYS, "fc_out.weight", "fc_out.bias"]
    assert list(VAE().state_dict()) == unsup
    assert list(SemiSupervisedVAE().state_dict()) == [*unsup, *CLASSIFIER_KEYS]


def test_the_usual_snippet_works_verbatim_in_a_checkout(root: Path) -> None:
    snippet = """
import numpy as np, torch
from models.vae import DistributionAwareScaler
X_scaled = np.random.default_rng(0).normal(size=(7, 6))
from models.vae import VAE, SemiSupervisedVAE
model = VAE(input_dim=6, latent_dim=10, hidden_dims=[64, 32])
model.load_state_dict(torch.load('models/unsup.pt', map_location='cpu'))
model.eval()
emb = model.get_embeddings(torch.FloatTensor(X_scaled)).numpy()
print(emb.shape, np.isfinite(emb).all())
"""
    done = subprocess.run([sys.executable, "-c", snippet], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "(7, 10) True"


@pytest.mark.parametrize("name", MODELS)
def test_shipped_checkpoints_load_strictly(root: Path, name: str) -> None:
    plan = MODELS[name]
    model = SemiSupervisedVAE(n_classes=139) if plan.supervised else VAE()
    state = torch.load(root / "models" / plan.checkpoint, map_location="cpu", weights_only=True)
    model.load_state_dict(state, strict=True)
    assert type(state).__name__ == "OrderedDict"


def test_embedding_is_the_mean_and_needs_no_gradient() -> None:
    model = VAE().eval()
    x = torch.randn(5, 6)
    embedding = model.get_embeddings(x)
    assert not embedding.requires_grad
    torch.testing.assert_close(embedding, model.encode(x)[0].detach())


def test_forward_gives_what_the_loss_takes() -> None:
    x, labels = torch.randn(8, 6), torch.arange(8)
    recon, mu, logvar = VAE()(x)
    assert recon.shape == (8, 6)
    assert mu.shape == logvar.shape == (8, 10)
    recon, mu, logvar, logits = SemiSupervisedVAE(n_classes=9)(x)
    assert logits.shape == (8, 9)
    assert SemiSupervisedVAE.loss_function(recon, x, mu, logvar, logits, labels).ndim == 0


def test_losses_against_numpy() -> None:
    rng = np.random.default_rng(3)
    recon, x = rng.normal(size=(2, 4, 6))
    mu, logvar = rng.normal(size=(2, 4, 10))
    logits, labels = rng.normal(size=(4, 5)), np.array([0, 4, 2, 2])
    squared = ((recon - x) ** 2).sum()
    divergence = -0.5 * (1 + logvar - mu**2 - np.exp(logvar)).sum()
    log_probability = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    cross_entropy = -log_probability[np.arange(4), labels].sum()
    t = [torch.tensor(a) for a in (recon, x, mu, logvar, logits, labels)]
    assert float(VAE.loss_function(t[0], t[1], t[2], t[3])) == pytest.approx(squared + divergence)
    assert float(VAE.loss_function(t[0], t[1], t[2], t[3], beta=0.3)) == pytest.approx(squared + 0.3 * divergence)
    semisup = SemiSupervisedVAE.loss_function(t[0], t[1], t[2], t[3], t[4], t[5])
    assert float(semisup) == pytest.approx(squared + divergence + 0.1 * cross_entropy)


def test_sampling_has_the_stated_mean_and_spread() -> None:
    torch.manual_seed(0)
    mu, logvar = torch.full((200_000, 1), 2.0), torch.full((200_000, 1), np.log(0.25))
    z = VAE().reparameterize(mu, logvar)
    assert float(z.mean()) == pytest.approx(2.0, abs=0.01)
    assert float(z.std()) == pytest.approx(0.5, abs=0.01)
