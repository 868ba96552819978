"""Draw a scan and its embeddings against depth.

``make .venv/dev/ready``, then ``.venv/dev/bin/python examples/plot_scan.py examples/scan.h5 picture.png``; any
environment with ``pip install 'lithovae[report]'`` will do. It reads the scan through the runtime, as a host program
would.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

if absent := [name for name in ("lithovae", "matplotlib") if not find_spec(name)]:
    command = shlex.join([".venv/dev/bin/python", *sys.argv])
    sys.exit(f"{sys.argv[0]} needs {' and '.join(absent)}: run `make .venv/dev/ready`, then `{command}`")

import matplotlib.pyplot as plt
import numpy as np

from lithovae.runtime import LithoModel, embed_scan
from lithovae.runtime.bins import DepthBins
from lithovae.runtime.errors import LithoError
from lithovae.runtime.scan.scan import open_scan


def main(scan_path: str, picture: str, bundle: str = "semisup_hybrid") -> None:
    """Draw density, susceptibility, gamma and colour, the embedding and the most likely lithologies against depth."""
    model = LithoModel.load(bundle)
    with tempfile.TemporaryDirectory() as folder:
        embed_scan(scan_path, Path(folder) / "emb.npz", model)
        with np.load(Path(folder) / "emb.npz") as arrays:
            depth, embeddings = arrays["depth"], arrays["embeddings"]
    bins = DepthBins(6)
    with open_scan(scan_path) as scan:
        for track in scan.tracks:
            for stretch in track.stretches():
                assert stretch.depth is not None
                bins.add(stretch.depth, stretch.features)
    features = bins.mean()
    probabilities = model.classify(features)
    top = np.argsort(probabilities.sum(axis=0))[::-1][:6]

    figure, axes = plt.subplots(1, 6, figsize=(11, 6), sharey=True, width_ratios=[1, 1, 1, 0.5, 1.6, 1.6])
    titles = ("bulk density\n(g/cm³)", "magnetic susc.\n(instr. units)", "natural gamma\n(cps)")
    for i, title in enumerate(titles):
        axes[i].plot(features[:, i], depth, ".", color="0.2", markersize=3)
        axes[i].set_title(title, fontsize=9)
    axes[1].set_xscale("symlog", linthresh=10)
    axes[1].set_xticks([-10, 0, 10, 100])
    half = bins.width / 2
    for z, colour in zip(depth, np.nan_to_num(features[:, 3:]) / 255, strict=True):
        axes[3].axhspan(z - half, z + half, color=colour.clip(0, 1))
    axes[3].set_xticks([])
    axes[3].set_title("colour", fontsize=9)
    for z, row in zip(depth, embeddings, strict=True):
        extent = (-0.5, model.latent_dim - 0.5, z + half, z - half)
        axes[4].imshow(row[None], extent=extent, aspect="auto", cmap="RdBu_r", vmin=-2.5, vmax=2.5)
    axes[4].set_xlim(-0.5, model.latent_dim - 0.5)
    axes[4].set_xticks(range(model.latent_dim))
    axes[4].set_title(f"embedding ({embeddings.shape[1]}-D)", fontsize=9)
    left = np.zeros(len(depth))
    for k in top:
        axes[5].barh(depth, probabilities[:, k], height=bins.width, left=left, label=model.classes[k])
        left += probabilities[:, k]
    axes[5].set_xlim(0, 1)
    axes[5].legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.04), ncols=2)
    axes[5].set_title("lithology (probability)", fontsize=9)
    axes[0].set_ylim(depth.max() + half, depth.min() - half)
    axes[0].set_ylabel("depth (m)")
    figure.tight_layout()
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(f"usage: python {sys.argv[0]} SCAN PICTURE [BUNDLE]")
    try:
        main(*sys.argv[1:])
    except LithoError as error:
        sys.exit(str(error))
