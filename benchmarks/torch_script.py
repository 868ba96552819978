"""The peer that a laboratory has today: whole file in memory, scikit-learn's scaler, torch eager, one numpy.savez.

``python -m benchmarks.torch_script SCAN.h5 OUT.npz CHECKPOINT.pt``
"""

import sys

import h5py
import numpy as np
import torch
from sklearn.preprocessing import StandardScaler

from lithovae.models.checkpoint import Checkpoint

if __name__ == "__main__":
    scan, out, path = sys.argv[1:]
    with h5py.File(scan) as file:
        x = file["data"][:].astype(np.float64)
        depth = file["depth"][:]
    checkpoint = Checkpoint.load(path)
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = checkpoint.scaler.mean_, checkpoint.scaler.scale_
    x[:, 1:3] = np.sign(x[:, 1:3]) * np.log1p(np.abs(x[:, 1:3]))
    x[:, 3:] = np.log1p(x[:, 3:])
    embeddings = checkpoint.model.get_embeddings(torch.FloatTensor(scaler.transform(x))).numpy()
    np.savez(out, embeddings=embeddings, depth=depth)
