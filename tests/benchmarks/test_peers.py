"""Every peer of the benchmark computes the same outputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from benchmarks.cases.agreement import TOLERANCE, reference
from benchmarks.peers import LABELS, Peer, UnavailableError, by_hand, eager, make_peer
from benchmarks.peers.compiled import Compiled
from benchmarks.peers.streamed import binned
from benchmarks.scans import GZIP, plausible_rows, write_instruments, write_table

BATCHED = {"batch": 2048, "workers": 2, "intra_op_threads": 1}
CHOICES: dict[str, dict[str, Any]] = {
    "eager": BATCHED,
    "compiled": {"batch": 2048, "workers": 1, "intra_op_threads": 2},
    "by_hand": BATCHED,
    "openvino": {"graph": "plain export", "batch": 1024, "threads": 2},
}
"""Settings of the peers, so that no trials are run here."""


@pytest.fixture(params=LABELS)
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Each peer that can run here."""
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from the peers' packages
        try:
            yield make_peer(request.param, 2, {"embed": CHOICES.get(request.param)})
        except UnavailableError as reason:
            pytest.skip(str(reason))
        finally:
            torch.set_num_threads(threads)


def test_peers_agree_in_memory_live_and_from_file(peer: Peer, tmp_path: Path) -> None:
    rows = plausible_rows(5000, np.random.default_rng(2))  # not a multiple of a batch
    expected = reference(rows)[0]
    row = rows[:1].copy()
    live = peer.live(row)
    live()
    row[:] = rows[1:2]  # the next row
    assert np.abs(peer.embed(rows) - expected).max() <= TOLERANCE
    assert np.abs(np.asarray(live(), np.float32).reshape(-1) - expected[1]).max() <= TOLERANCE

    scan = write_table(tmp_path / "scan.h5", 5000, "f8", **GZIP)
    peer.embed_scan(scan, tmp_path / "out.npz")
    with h5py.File(scan) as file, np.load(tmp_path / "out.npz") as out:
        assert np.abs(out["embeddings"] - reference(file["data"][:].astype(np.float32))[0]).max() <= TOLERANCE
        np.testing.assert_array_equal(out["depth"], file["depth"])


def test_peers_agree_on_bins(peer: Peer, tmp_path: Path) -> None:
    _not_compiled(peer)
    scan = write_instruments(tmp_path / "scan.h5", 20_000)
    with h5py.File(scan) as file:
        depth, features = binned(file)
    peer.embed_scan(scan, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_allclose(out["depth"], depth)
        assert np.abs(out["embeddings"] - reference(features)[0]).max() <= TOLERANCE


def test_peers_agree_on_classes(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    _not_compiled(peer)
    monkeypatch.setattr(eager.Eager, "batches", (1024,))
    monkeypatch.setattr(by_hand, "BATCHES", (1024,))
    rows = plausible_rows(1500, np.random.default_rng(2))
    assert np.abs(peer.classify(rows) - reference(rows)[1]).max() <= TOLERANCE


def _not_compiled(peer: Peer) -> None:
    if isinstance(peer, Compiled):
        pytest.skip("compiling again would take too long; every benchmark run compares it with the reference")
