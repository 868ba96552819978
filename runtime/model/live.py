"""Rows one at a time, as a logger measures them, at the least cost per row and without allocation."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithovae.runtime.errors import BundleError, InputError, LithoWarning
from lithovae.runtime.missing import implausible_bits, missing_bits, without_sentinels
from lithovae.runtime.other_units import UNIT_ROWS, ArrayUnits

from .graphs import WHOLE_ROWS, Graphs
from .inputs import as_row
from .session import failure

Float32s = NDArray[np.float32]


class LiveModel:
    """A model that takes one row at a time; `LithoModel.live` creates one.

    It has its own buffers, which are bound to the session once, so only one thread at a time may use it. Create one for
    each thread; they share the model's weights.

    A `LithoWarning` says so if the first ten rows, together, can only be in another unit than the model needs.

    Parameters
    ----------
    graphs : Graphs
        The graphs of the model's bundle.
    """

    def __init__(self, graphs: Graphs) -> None:
        self._graphs, bundle = graphs, graphs.bundle
        self._features = bundle.features
        self._pack = struct.Struct(f"={len(self._features)}f").pack_into
        # As many rows as `LithoModel` pads its batches to, so that the bits are the same; only the first is used.
        self._input = np.zeros((WHOLE_ROWS, len(self._features)), np.float32)
        self._mu = np.zeros((WHOLE_ROWS, bundle.latent_dim), np.float32)
        self._probabilities = np.zeros((WHOLE_ROWS, len(bundle.classes)), np.float32)
        self._embed = _bind(graphs.embedder, bundle.path / "embedder.onnx", features=self._input, mu=self._mu)
        self._classify: Any = None
        self._first_rows: list[Float32s] | None = []
        self._embedding: Float32s = self._mu[0]

    def __reduce__(self) -> tuple[type[LiveModel], tuple[Graphs]]:
        return type(self), (self._graphs,)

    def embed(self, row: ArrayLike, out: Float32s | None = None) -> Float32s:
        """Embed one row.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            Raw values of the model's features, in their units. NaN, None, masked values and common sentinel values are
            missing, as in `LithoModel.embed`. A pandas series is taken by name, and so is a named tuple with the name
            of a feature.
        out : ndarray of shape (latent_dim,), float32, optional
            Array to write the embedding to, so that nothing is allocated; it is returned. By default every call
            returns a new array.

        Returns
        -------
        ndarray of shape (latent_dim,), float32
            Bit for bit what `LithoModel.embed` returns for this row; NaN if it cannot be embedded.

        Raises
        ------
        InputError
            If ``row`` is not a number for each feature, or ``out`` has another shape or type.
        """
        self._take(row)
        if self._first_rows is not None:
            self._judge_units()
        self._embed()
        if out is None:
            return self._embedding.copy()
        return _copy_to(out, self._embedding)

    def classify(self, row: ArrayLike, out: Float32s | None = None) -> Float32s:
        """Return the probability of each lithology in the model's ``classes``.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            As in `embed`.
        out : ndarray of shape (n_classes,), float32, optional
            As in `embed`.

        Returns
        -------
        ndarray of shape (n_classes,), float32
            The probabilities; NaN if the row cannot be embedded.

        Raises
        ------
        BundleError
            If the model is unsupervised.
        InputError
            If ``row`` is not a number for each feature, or ``out`` has another shape or type.
        """
        if self._classify is None:
            if not (bundle := self._graphs.bundle).classes:
                raise BundleError(f"{bundle.name} is unsupervised: it has no classifier", bundle.path)
            path = bundle.path / f"{bundle.lithology_graph}.onnx"
            self._classify = _bind(self._graphs.lithologies, path, z=self._mu, probabilities=self._probabilities)
        self._take(row)
        if self._first_rows is not None:
            self._judge_units()
        self._embed()
        self._classify()
        return self._probabilities[0].copy() if out is None else _copy_to(out, self._probabilities[0])

    @property
    def missing(self) -> int:
        """Which features of the latest row are missing: bit ``i`` (value ``2**i``) for feature ``i``."""
        return int(missing_bits(without_sentinels(self._input[:1]), self._features)[0])

    @property
    def implausible(self) -> int:
        """Which features of the latest row are outside their plausible range, as bits like `missing`."""
        return int(implausible_bits(without_sentinels(self._input[:1]), self._features)[0])

    def _take(self, row: Any) -> None:
        try:
            if type(row) is list or type(row) is tuple:  # a named tuple may have another order
                self._pack(self._input.data, 0, *row)
                return
            if type(row) is np.ndarray and row.ndim == 1 and row.dtype.kind in "iuf":
                self._pack(self._input.data, 0, *row.tolist())
                return
        except (struct.error, OverflowError):  # a None, the wrong length, or no numbers
            pass
        self._input[0] = as_row(row, self._features)

    def _judge_units(self) -> None:
        """Keep the latest row; when there are enough, warn once of what can only be in another unit."""
        assert self._first_rows is not None
        self._first_rows.append(self._input[0].copy())
        if len(self._first_rows) == UNIT_ROWS:
            found = ArrayUnits(self._features).notes(np.array(self._first_rows))
            self._first_rows = None
            if found:
                warnings.warn(". ".join(found), LithoWarning, stacklevel=3)


def _bind(session: Any, path: Path, **arrays: Float32s) -> Any:
    """Bind a session's input, then its output, to an array each; return a function that runs the session.

    onnxruntime refuses an output of another shape than the array's.
    """

    def run() -> None:
        try:
            session.run_with_iobinding(binding)
        except Exception as error:  # onnxruntime's errors share no base class
            raise failure(path, error) from error

    binding = session.io_binding()
    (source, target) = arrays.items()
    for bind, (name, array) in ((binding.bind_input, source), (binding.bind_output, target)):
        bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    return run


def _copy_to(out: Float32s, values: Float32s) -> Float32s:
    if type(out) is not np.ndarray or out.shape != values.shape or out.dtype != np.float32:
        raise InputError(f"out must be an array of shape {values.shape}, float32")
    out[:] = values
    return out
