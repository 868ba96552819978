"""Write a checkpoint's encoder as C source: compile it, compare it with torch, then move it into place."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import numpy as np

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.errors import OutputError, ParityError
from lithovae.runtime.features import FeatureSet
from lithovae.runtime.missing import missing_bits, without_sentinels
from lithovae.runtime.outputs.whole_file import require_writable, whole_file

from . import parity
from .c_library import CLibrary, find_compiler
from .c_text import Golden, c_text


def write_c(checkpoint: Checkpoint, out: str | Path, extra_rows: parity.Arrays | None = None) -> list[parity.Parity]:
    """Export a checkpoint's encoder, with its scaler inside, as one C99 file.

    Parameters
    ----------
    checkpoint : Checkpoint
        Its recipe decides what happens to missing features: a model trained with masked inputs imputes them.
    out : path-like
        The file, ``.c``. An existing one is replaced once the new one has passed its checks.
    extra_rows : dict of str to ndarray (n, n_features) float32, optional
        More raw rows to check it on.

    Returns
    -------
    list of Parity
        The errors of ``encoder.mu`` on each set of rows; ``onnx_error`` is the error of the C function.

    Raises
    ------
    ParityError
        If it does not compile, or differs too much from torch; nothing is written.
    OutputError
        If ``out`` cannot be written, or there is no C compiler to check it with.
    """
    out = require_c_file(out)
    sets = parity.sets_of_rows(checkpoint)
    sets |= parity.with_neighbours(extra_rows or {})
    exact, single = _torch_embeddings(checkpoint, sets)
    text = c_text(checkpoint, _golden(checkpoint.features, sets, exact, single))
    with tempfile.TemporaryDirectory() as folder:
        library = CLibrary(text, checkpoint.features, checkpoint.model.fc_mu.out_features, Path(folder))
        found = [
            result
            for name, rows in sets.items()
            for result in parity.compare(
                checkpoint.features, name, "encoder.mu", exact[name], single[name], library.embed(rows)
            )
        ]
        wrong = library.verify()
    parity.require(found)
    if wrong:
        raise ParityError(f"{wrong} golden rows of the C source are out of tolerance")
    with whole_file(out) as file:
        file.write(text.encode("ascii"))
    return found


def require_c_file(out: str | Path) -> Path:
    """Check that C source can be verified, and written to a path; return the path, with links resolved.

    Raises
    ------
    OutputError
        If the name does not end in ``.c``, nothing can be written there, or there is no C compiler.
    """
    if Path(out).suffix != ".c":  # above all, never overwrite the checkpoint
        raise OutputError(f"{out}: the name of a C source file must end in .c", out)
    find_compiler()
    return require_writable(out)


def _torch_embeddings(checkpoint: Checkpoint, sets: parity.Arrays) -> tuple[parity.Arrays, parity.Arrays]:
    """Return torch's embeddings of each set of rows in float64, and in float32."""
    exact, single = (
        {name: parity.torch_encoder(model, checkpoint, rows)["mu"] for name, rows in sets.items()}
        for model in (copy.deepcopy(checkpoint.model).double(), checkpoint.model)
    )
    return exact, single


def _golden(features: FeatureSet, sets: parity.Arrays, exact: parity.Arrays, single: parity.Arrays) -> Golden:
    """Return some rows of each set, for the file; of the gaps each kind: see `parity.sets_of_rows`."""
    k, n_positive = len(features), int(features.is_log1p.sum())
    ordinary = 8 + 2 * k + 2 * n_positive
    gaps = [0, 8, 8 + k + min(1, k - 1), *([8 + 2 * k] if n_positive else []), *range(ordinary, ordinary + 3)]
    chosen = {"plausible": range(4), "uniform": range(2), "gaps": gaps, "sentinels": range(8)}
    raw = np.concatenate([sets[name][list(rows)] for name, rows in chosen.items()])
    tolerance = [
        np.full(len(rows), parity.LIMIT * np.nanmax(np.abs(single[name] - exact[name])))
        for name, rows in chosen.items()
    ]
    return Golden(
        raw=raw,
        missing=missing_bits(without_sentinels(raw), features),
        embedding=np.concatenate([exact[name][list(rows)] for name, rows in chosen.items()]),
        tolerance=np.concatenate(tolerance),
    )
