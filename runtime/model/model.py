"""The model: raw features in, embeddings, lithology probabilities and reconstructions out."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithovae.runtime.errors import BundleError, InputError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.missing import implausible_bits, missing_bits, without_sentinels
from lithovae.runtime.process.threads import granted_threads

from .bundle import Bundle
from .graphs import MICRO_BATCH, Graphs, Run, run_batches
from .inputs import as_rows
from .live import LiveModel

Float32s = NDArray[np.float32]


class LithoModel:
    """A bundle, ready to run. Safe to share between threads.

    Parameters
    ----------
    bundle : Bundle
        A bundle that has been read and checked; `load` does both.
    threads : int, optional
        Worker threads; by default as many as `granted_threads` tells.

    Attributes
    ----------
    graphs : Graphs
        The bundle's graphs, for a caller that has threads of its own.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, not {threads}")
        self.bundle = bundle
        self.graphs = Graphs(bundle)
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
        _ = model.graphs.embedder  # a bundle that cannot run should say so now, not at the first row
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
            NaN, masked values and common sentinel values (-999, -999.25, -9999) are missing; see `imputes` and
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
        return self._in_batches(self.graphs.mu, x, self.latent_dim)

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
        return self._in_batches(self.graphs.probabilities, x, len(self.classes))

    def live(self) -> LiveModel:
        """Make ready for rows that come one by one: the same numbers, to the bit, at the least cost per row."""
        return LiveModel(self.graphs)

    def reconstruct(self, x: ArrayLike) -> Float32s:
        """Encode and decode: the features (n, 6) in physical units, float32, as the model sees them.

        Raises
        ------
        InputError
            If ``x`` is not numbers of shape ``(n, 6)``.
        """
        return self._in_batches(self.graphs.reconstruction, x, len(FEATURE_NAMES))

    def missing(self, x: ArrayLike) -> NDArray[np.uint8]:
        """Tell which features of each row `embed` takes as missing: bit ``i`` for feature ``i``; shape (n,), uint8.

        Raises
        ------
        InputError
            If ``x`` is not numbers of shape ``(n, 6)``.
        """
        return missing_bits(without_sentinels(as_rows(x)))

    def implausible(self, x: ArrayLike) -> NDArray[np.uint8]:
        """Tell which features of each row lie beyond their plausible range, in another unit perhaps: bits as `missing`.

        Raises
        ------
        InputError
            If ``x`` is not numbers of shape ``(n, 6)``.
        """
        return implausible_bits(without_sentinels(as_rows(x)))

    def _in_batches(self, run: Run, x: ArrayLike, width: int) -> Float32s:
        rows = as_rows(x)
        out, starts = np.empty((len(rows), width), np.float32), range(0, len(rows), MICRO_BATCH)
        if len(starts) > 1 and self.threads > 1:
            n = max(1, min(16, len(starts) // (4 * self.threads)))  # each handing over costs
            several = [starts[i : i + n] for i in range(0, len(starts), n)]
            list(self._pool.map(lambda some: run_batches(run, rows, out, some), several))
        else:
            run_batches(run, rows, out, starts)
        return out

    @property
    def _pool(self) -> ThreadPoolExecutor:
        if self._pool_of != os.getpid():  # a fork does not copy threads: a child needs its own
            self._executor = ThreadPoolExecutor(self.threads, "lithovae")
            self._pool_of = os.getpid()
        return self._executor
