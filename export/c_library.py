"""Compile the C source of a model with the system's compiler, and call it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import OutputError, ParityError
from lithovae.runtime.features import FeatureSet
from lithovae.runtime.missing import Bits

from .c_text import INT_FEATURES

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-O2", "-fPIC", "-shared")


def find_compiler() -> str:
    """Return the path of the system's C compiler.

    Raises
    ------
    OutputError
        If there is none.
    """
    found = next((path for name in COMPILERS if (path := shutil.which(name))), None)
    if found is None:
        raise OutputError(
            f"no C compiler on the PATH ({', '.join(COMPILERS)}): C source is written only after it has been "
            "compiled and compared with torch; install a compiler, or export on a machine that has one"
        )
    return found


class CLibrary:
    """A model's C source as a shared library in this process.

    Parameters
    ----------
    source : str
        The source.
    features : FeatureSet
        The features that it takes.
    latent_dim : int
        Length of an embedding.
    folder : Path
        An empty folder to compile in; it can be removed once the library is loaded.

    Raises
    ------
    OutputError
        If there is no compiler, or the compiled library cannot be loaded.
    ParityError
        If the source does not compile.
    """

    def __init__(self, source: str, features: FeatureSet, latent_dim: int, folder: Path) -> None:
        compiler = find_compiler()
        place, library = folder / "embed.c", folder / "embed.so"
        place.write_text(source, encoding="ascii")
        done = subprocess.run(
            [compiler, *FLAGS, "-o", str(library), str(place), "-lm"], capture_output=True, text=True, errors="replace"
        )
        if done.returncode:
            first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr)
            raise ParityError(f"{compiler} cannot compile the C source: {first}")
        try:
            self._library = ctypes.CDLL(str(library))
        except OSError as error:
            raise OutputError(f"cannot load the library that {compiler} made from the C source: {error}") from error
        self._library.lithovae_embed.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self._library.lithovae_embed.restype = ctypes.c_int if len(features) <= INT_FEATURES else ctypes.c_ulonglong
        self._features, self._latent_dim = features, latent_dim

    def embed(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed raw rows (n, n_features) one by one; shape (n, latent_dim)."""
        return self.run(rows)[0]

    def verify(self) -> int:
        """Return the number of golden rows that are out of tolerance."""
        return int(self._library.lithovae_verify())

    def run(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], Bits]:
        """Embed raw rows (n, n_features) one by one; return (n, latent_dim), and each row's missing features."""
        rows = np.ascontiguousarray(rows, np.float32)
        out = np.empty((len(rows), self._latent_dim), np.float32)
        missing = np.empty(len(rows), self._features.bits)
        for i in range(len(rows)):
            missing[i] = self._library.lithovae_embed(
                rows.ctypes.data + i * rows.strides[0], out.ctypes.data + i * out.strides[0]
            )
        return out, missing
