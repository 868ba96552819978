"""The model: computes embeddings, lithology probabilities and reconstructions from raw features."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithovae.runtime.errors import BundleError, InputError, LithoWarning
from lithovae.runtime.missing import Bits, implausible_bits, missing_bits, without_sentinels
from lithovae.runtime.other_units import ArrayUnits
from lithovae.runtime.process.threads import granted_threads

from .bundle import Bundle
from .graphs import CLASSIFIED, MICRO_BATCH, Graphs, Run, run_batches
from .inputs import as_rows
from .likeliest import Likeliest

if TYPE_CHECKING:
    from .live import LiveModel

Float32s = NDArray[np.float32]

TOP_ROWS = 16 * MICRO_BATCH
"""Rows whose lithologies are one task of a thread."""


class LithoModel:
    """A bundle that is ready to run. Threads may share it.

    Parameters
    ----------
    bundle : Bundle
        A bundle that has been read and checked; `load` does both.
    threads : int, optional
        Number of worker threads; by default `lithovae.runtime.process.threads.granted_threads`.

    Attributes
    ----------
    graphs : Graphs
        The bundle's graphs, for callers with threads of their own.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, not {threads}")
        self.bundle = bundle
        self._units = ArrayUnits(bundle.features)
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
        _ = model.graphs.embedder  # a bundle that cannot run must fail now, not at the first row
        return model

    def __repr__(self) -> str:
        return f"LithoModel({self.bundle.name!r}, threads={self.threads})"

    def __reduce__(self) -> tuple[type[LithoModel], tuple[Bundle, int]]:
        return type(self), (self.bundle, self.threads)  # sessions and threads are not pickled; a worker creates its own

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns of ``x``, in order."""
        return self.bundle.features.names

    @property
    def classes(self) -> tuple[str, ...]:
        """Lithologies in the order of `classify`'s columns; empty for an unsupervised model."""
        return self.bundle.classes

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of the lithologies; empty if the bundle knows none."""
        return self.bundle.groups

    @property
    def latent_dim(self) -> int:
        """Length of an embedding."""
        return self.bundle.latent_dim

    @property
    def imputes(self) -> bool:
        """Whether missing features are imputed (by the mean in scaled space); if not, the row's outputs are NaN."""
        return self.bundle.missing == "impute"

    def embed(self, x: ArrayLike) -> Float32s:
        """Embed raw features.

        Parameters
        ----------
        x : array-like of shape (n, n_features)
            Raw values of `features`, in their units; for a shipped model bulk density (g/cm3), magnetic susceptibility
            (instrument units), natural gamma (cps), R, G, B (0-255).
            NaN, None, ``pandas.NA``, masked values and common sentinel values (-999, -999.25, -9999) are missing; see
            `imputes` and `missing`. The columns of a data frame are taken by name: by the features' names or by any
            alias that a scan may use (``density``, ``MS``, ``NGR``, ``red``). Other columns are ignored.

        Returns
        -------
        ndarray of shape (n, latent_dim), float32
            NaN for a row that cannot be embedded: with a feature missing if the model does not impute, with all
            missing if it does.

        Raises
        ------
        InputError
            If ``x`` is not numbers of shape ``(n, n_features)``, or is a data frame in which a feature has no column,
            several columns, or one in another unit.

        Warns
        -----
        LithoWarning
            If all values of a feature can only be in another unit (densities of 1,700, susceptibilities below 0.001,
            colours from 0 to 1).
        """
        return self._in_batches(self.graphs.mu, x, self.latent_dim)

    def classify(self, x: ArrayLike) -> Float32s:
        """Return the probability of each lithology in `classes`.

        Parameters
        ----------
        x : array-like of shape (n, n_features)
            As in `embed`.

        Returns
        -------
        ndarray of shape (n, len(classes)), float32
            The probabilities; NaN for a row that cannot be embedded.

        Raises
        ------
        BundleError
            If the model is unsupervised.
        InputError
            If ``x`` is not numbers of shape ``(n, n_features)``.
        """
        self.require_classifier()
        _ = self.graphs.classifier  # opened here, not by several threads at once
        return self._in_batches(self.graphs.probabilities, x, len(self.classes), CLASSIFIED)

    def top(self, x: ArrayLike, k: int = 3) -> Likeliest:
        """Return the k likeliest lithologies of each row.

        Parameters
        ----------
        x : array-like of shape (n, n_features)
            As in `embed`.
        k : int
            How many lithologies.

        Returns
        -------
        Likeliest
            ``classes`` (n, k), ``probabilities`` (n, k), ``entropy`` (n,); and ``group`` (n,), a position in `groups`,
            with ``group_probability`` (n,), if the model knows groups. A row that cannot be embedded has the largest
            number of the type as its class, and NaN for numbers.

        Raises
        ------
        BundleError
            If the model is unsupervised.
        InputError
            If ``x`` is not numbers of shape ``(n, n_features)``, or ``k`` is not from 1 to the number of lithologies.
        """
        self.require_classifier(k)
        _ = self.graphs.lithologies
        embeddings = self._in_batches(self.graphs.mu, x, self.latent_dim)
        several = [embeddings[i : i + TOP_ROWS] for i in range(0, max(1, len(embeddings)), TOP_ROWS)]
        return Likeliest.join(list(self._pool.map(lambda some: self.graphs.top(some, k), several)))

    def require_classifier(self, k: int = 1) -> None:
        """Check that the model can name the k likeliest lithologies.

        Raises
        ------
        BundleError
            If the model is unsupervised.
        InputError
            If ``k`` is not from 1 to the number of lithologies.
        """
        n = len(self.classes)
        if not n:
            raise BundleError(f"{self.bundle.name} is unsupervised: it has no classifier", self.bundle.path)
        if not 1 <= k <= n:
            raise InputError(f"{self.bundle.name} knows {n} lithologies: ask for the 1 to {n} likeliest, not {k}")

    def live(self) -> LiveModel:
        """Return a model for single rows: bit for bit the same results, at the least cost per row."""
        from .live import LiveModel  # not every run needs it

        return LiveModel(self.graphs)

    def reconstruct(self, x: ArrayLike) -> Float32s:
        """Encode and decode raw features.

        Parameters
        ----------
        x : array-like of shape (n, n_features)
            As in `embed`.

        Returns
        -------
        ndarray of shape (n, n_features), float32
            The features as the model reconstructs them, in the same units; NaN for a row that cannot be embedded.

        Raises
        ------
        InputError
            If ``x`` is not numbers of shape ``(n, n_features)``.
        """
        _ = self.graphs.decoder
        return self._in_batches(self.graphs.reconstruction, x, len(self.bundle.features))

    def missing(self, x: ArrayLike) -> Bits:
        """Return which features of each row `embed` treats as missing.

        Parameters
        ----------
        x : array-like of shape (n, n_features)
            As in `embed`.

        Returns
        -------
        ndarray of shape (n,), uint8 for up to 8 features, else wider
            Bit ``i`` (value ``2**i``) is set where feature ``i`` is missing.

        Raises
        ------
        InputError
            If ``x`` is not numbers of shape ``(n, n_features)``.
        """
        return missing_bits(without_sentinels(as_rows(x, self.bundle.features)), self.bundle.features)

    def implausible(self, x: ArrayLike) -> Bits:
        """Return which features of each row are outside their plausible range, perhaps because of another unit.

        Parameters
        ----------
        x : array-like of shape (n, n_features)
            As in `embed`.

        Returns
        -------
        ndarray of shape (n,), uint8 for up to 8 features, else wider
            Bits as in `missing`.

        Raises
        ------
        InputError
            If ``x`` is not numbers of shape ``(n, n_features)``.
        """
        return implausible_bits(without_sentinels(as_rows(x, self.bundle.features)), self.bundle.features)

    def _in_batches(self, run: Run, x: ArrayLike, width: int, n_batch: int = MICRO_BATCH) -> Float32s:
        rows = as_rows(x, self.bundle.features)
        if found := self._units.notes(rows):
            warnings.warn(". ".join(found), LithoWarning, stacklevel=3)
        out, starts = np.empty((len(rows), width), np.float32), range(0, len(rows), n_batch)
        if len(starts) > 1 and self.threads > 1:
            n = max(1, min(16, len(starts) // (4 * self.threads)))  # each task has an overhead
            several = [starts[i : i + n] for i in range(0, len(starts), n)]
            list(self._pool.map(lambda some: run_batches(run, rows, out, some), several))
        else:
            run_batches(run, rows, out, starts)
        return out

    @property
    def _pool(self) -> ThreadPoolExecutor:
        if self._pool_of != os.getpid():  # fork does not copy threads: a child process needs its own
            self._executor = ThreadPoolExecutor(self.threads, "lithovae")
            self._pool_of = os.getpid()
        return self._executor
