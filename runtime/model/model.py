"""The model: raw features in, embeddings, lithology probabilities and reconstructions out."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithovae.runtime.errors import BundleError, InputError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.missing import implausible_bits, missing_bits, without_sentinels

from .bundle import Bundle
from .session import open_session

if TYPE_CHECKING:
    from .live import LiveModel

Float32s = NDArray[np.float32]

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
MICRO_BATCH = 4096
"""Rows that one session run takes: their intermediate results fit a core's cache."""
WHOLE_ROWS = 8
"""A session run takes a multiple of so many rows. What is left over of fewer, onnxruntime computes in another way,
which differs in the last bits; filled up, what a row gives depends on that row alone."""


class LithoModel:
    """A bundle, ready to run. Safe to share between threads.

    Parameters
    ----------
    bundle : Bundle
        A bundle that has been read and checked; `load` does both.
    threads : int, optional
        Worker threads; by default as many as `granted_threads` tells.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, not {threads}")
        self.bundle = bundle
        self.threads = threads or granted_threads()
        self._executor: ThreadPoolExecutor
        self._pool_of: int | None = None

    @classmethod
    def load(cls, bundle: str | PathLike[str], *, threads: int | None = None) -> LithoModel:
        """Load a shipped bundle by name (``unsup``, ``semisup``, ``unsup_hybrid``, ``semisup_hybrid``) or by path.

        Raises
        ------
        BundleError
            If the bundle is absent, changed, incomplete or contradictory.
        """
        model = cls(Bundle.read(bundle), threads)
        _ = model._embedder  # a bundle that cannot run should say so now, not at the first row
        return model

    def __repr__(self) -> str:
        return f"LithoModel({self.bundle.name!r}, threads={self.threads})"

    def __reduce__(self) -> tuple[type[LithoModel], tuple[Bundle, int]]:
        return type(self), (self.bundle, self.threads)  # sessions and threads stay behind; a worker makes its own

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns of ``x``, in order."""
        return FEATURE_NAMES

    @property
    def classes(self) -> tuple[str, ...]:
        """Lithologies in the order of `classify`'s columns; empty for an unsupervised model."""
        return self.bundle.classes

    @property
    def latent_dim(self) -> int:
        """Length of an embedding."""
        return self.bundle.latent_dim

    @property
    def imputes(self) -> bool:
        """Whether a missing feature is imputed (by its mean in scaled space); if not, its row's outputs are NaN."""
        return self.bundle.missing == "impute"

    def embed(self, x: ArrayLike) -> Float32s:
        """Embed raw features.

        Parameters
        ----------
        x : array-like of shape (n, 6)
            Bulk density (g/cm3), magnetic susceptibility (instrument units), natural gamma (cps), R, G, B (0-255).
            NaN, masked values and the sentinels of the trade (-999, -999.25, -9999) are missing; see `imputes` and
            `missing`. Columns of a data frame that has the features' names are taken by name.

        Returns
        -------
        ndarray of shape (n, latent_dim), float32
            NaN for a row that cannot be embedded: one feature missing where the model does not impute, all six missing
            where it does.

        Raises
        ------
        InputError
            If ``x`` is not numbers of shape ``(n, 6)``.
        """
        return self._in_batches(self._mu, _rows(x), self.latent_dim)

    def embed_alone(self, rows: Float32s) -> Float32s:
        """Embed contiguous rows (n, 6) in the calling thread alone: for a caller that has threads of its own."""
        return self._in_batches(self._mu, rows, self.latent_dim, alone=True)

    def classify(self, x: ArrayLike) -> Float32s:
        """Give the probability of each lithology in `classes`; shape (n, len(classes)), float32. ``x`` as in `embed`.

        Raises
        ------
        BundleError
            If the model is unsupervised.
        InputError
            If ``x`` is not numbers of shape ``(n, 6)``.
        """
        if not self.classes:
            raise BundleError(f"{self.bundle.name} is unsupervised: it has no classifier", self.bundle.path)
        classifier = self._classifier
        return self._in_batches(
            lambda block: classifier.run(["probabilities"], {"z": self._mu(block)})[0], _rows(x), len(self.classes)
        )

    def live(self) -> LiveModel:
        """Make ready for rows that come one by one: the same numbers, to the bit, at the least cost per row."""
        from .live import LiveModel

        return LiveModel(self)

    def reconstruct(self, x: ArrayLike) -> Float32s:
        """Encode and decode: the features (n, 6) in physical units, float32, as the model sees them.

        Raises
        ------
        InputError
            If ``x`` is not numbers of shape ``(n, 6)``.
        """
        decoder = self._decoder
        return self._in_batches(
            lambda block: decoder.run(["features"], {"z": self._mu(block)})[0], _rows(x), len(FEATURE_NAMES)
        )

    def missing(self, x: ArrayLike) -> NDArray[np.uint8]:
        """Tell which features of each row `embed` takes as missing: bit ``i`` for feature ``i``; shape (n,), uint8.

        Raises
        ------
        InputError
            If ``x`` is not numbers of shape ``(n, 6)``.
        """
        return missing_bits(without_sentinels(_rows(x)))

    def implausible(self, x: ArrayLike) -> NDArray[np.uint8]:
        """Tell which features of each row lie beyond their plausible range, in another unit perhaps: bits as `missing`.

        Raises
        ------
        InputError
            If ``x`` is not numbers of shape ``(n, 6)``.
        """
        return implausible_bits(without_sentinels(_rows(x)))

    def _mu(self, block: Float32s) -> Any:
        return self._embedder.run(["mu"], {"features": block})[0]

    def _in_batches(self, run: Callable[[Float32s], Any], rows: Float32s, width: int, alone: bool = False) -> Float32s:
        out = np.empty((len(rows), width), np.float32)

        def several(starts: range) -> None:
            for start in starts:
                block = rows[start : start + MICRO_BATCH]
                out[start : start + MICRO_BATCH] = run(_whole(block))[: len(block)]

        starts = range(0, len(rows), MICRO_BATCH)
        if len(starts) > 1 and self.threads > 1 and not alone:
            n = max(1, min(16, len(starts) // (4 * self.threads)))  # each handing over costs
            list(self._pool.map(several, [starts[i : i + n] for i in range(0, len(starts), n)]))
        else:
            several(starts)
        return out

    @property
    def _pool(self) -> ThreadPoolExecutor:
        if self._pool_of != os.getpid():  # a fork does not copy threads: a child needs its own
            self._executor = ThreadPoolExecutor(self.threads, "lithovae")
            self._pool_of = os.getpid()
        return self._executor

    def session(self, graph: str) -> Any:
        """Give the onnxruntime session of a graph, ``embedder``, ``decoder`` or ``classifier``, made once."""
        return getattr(self, f"_{graph}")

    @cached_property
    def _embedder(self) -> Any:
        return open_session(self.bundle, "embedder")

    @cached_property
    def _decoder(self) -> Any:
        return open_session(self.bundle, "decoder")

    @cached_property
    def _classifier(self) -> Any:
        return open_session(self.bundle, "classifier")


def granted_threads() -> int:
    """Tell how many threads this process may use: ``SLURM_CPUS_PER_TASK``, else its cores and its share of them.

    The cores are those of the affinity mask; the share is a container's quota (``cpu.max`` of Linux's cgroups).

    Returns
    -------
    int
        At least 1.
    """
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if slurm.isdigit() and int(slurm) > 0:
        return int(slurm)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_MAX.read_text().split()  # in a container its own; "max" where there is none
        return max(1, min(cores, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return cores


def _whole(block: Float32s) -> Float32s:
    """Fill a block up to a multiple of `WHOLE_ROWS`."""
    lacking = -len(block) % WHOLE_ROWS
    return np.concatenate([block, np.zeros((lacking, block.shape[1]), np.float32)]) if lacking else block


def _rows(x: ArrayLike) -> Float32s:
    """Give features as contiguous float32 rows (n, 6); what a masked array masks is NaN."""
    names = [str(name) for name in getattr(x, "columns", [])]
    if any(name in FEATURE_NAMES for name in names):  # a data frame: by name, not by place
        lacking = [name for name in FEATURE_NAMES if name not in names]
        if lacking:
            raise InputError(f"the data frame lacks the columns {lacking}; it has {names}")
        x = x[list(FEATURE_NAMES)]  # type: ignore[call-overload, index]
    try:
        values = x if isinstance(x, np.ma.MaskedArray) else np.asarray(x)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"features must be numbers of shape (n, {len(FEATURE_NAMES)}): {error}") from error
    if values.ndim != 2 or values.shape[1] != len(FEATURE_NAMES):
        raise InputError(
            f"features must have shape (n, {len(FEATURE_NAMES)}), not {values.shape}; "
            f"the columns are {', '.join(FEATURE_NAMES)}"
        )
    if values.dtype.kind not in "iufO":
        raise InputError(f"features must be numbers of shape (n, {len(FEATURE_NAMES)}), not {values.dtype}")
    try:
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and so missing
            unmasked = np.ma.filled(values.astype(np.float64), np.nan) if np.ma.isMA(values) else values
            return np.ascontiguousarray(unmasked, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"features must be numbers of shape (n, {len(FEATURE_NAMES)}): {error}") from error
