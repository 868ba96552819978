"""Every error that LithoVAE raises on purpose.

::

    LithoError
    ├── InputError       an array handed to the library has the wrong shape or type (also a ValueError)
    ├── ScanError        a core scan cannot be read, or cannot be understood without a guess
    ├── BundleError      a model bundle is absent, changed, incomplete or contradictory
    ├── CheckpointError  a checkpoint or its sidecar cannot be read, or is not one of ours
    ├── TableError       a training table lacks something
    ├── TrainingError    a training run came to nothing
    ├── ParityError      an exported graph strays from its torch original
    └── OutputError      a result cannot be written where it was asked for

A message says what is wrong, where, and what to do. The command-line tools print it on one line and exit with 1.
"""

from pathlib import Path


class LithoError(Exception):
    """Base class of all errors that LithoVAE raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, where, and what to do.
    path : path-like, optional
        The file or folder that the error speaks of; kept as ``path``.
    """

    def __init__(self, message: str, path: str | Path | None = None) -> None:
        super().__init__(message)
        self.path = None if path is None else Path(path)

    def name(self, path: Path) -> None:
        """Put the name of a file before the message, where the error names none yet."""
        if self.path is None:
            self.path = path
            self.args = (f"{path}: {self}",)


class InputError(LithoError, ValueError):
    """An array handed to the library has the wrong shape or type."""


class ScanError(LithoError):
    """A core scan cannot be read, or cannot be understood without a guess."""


class BundleError(LithoError):
    """A model bundle is absent, changed, incomplete or contradictory."""


class CheckpointError(LithoError):
    """A checkpoint or its sidecar cannot be read, or is not one of ours."""


class TableError(LithoError):
    """A training table lacks something."""


class TrainingError(LithoError):
    """A training run came to nothing."""


class ParityError(LithoError):
    """An exported graph strays from its torch original."""


class OutputError(LithoError):
    """A result cannot be written where it was asked for."""


DAMAGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SystemError,
    TypeError,
    ValueError,
)
"""What h5py and numpy raise when a damaged file is read, rightly or by surprise."""


def unexpected(error: BaseException) -> str:
    """Say in one line what nobody foresaw, and where it was raised."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}, line {place.tb_lineno}" if place else "nowhere"
    message = " ".join(f"{type(error).__name__}: {error}".split())
    return f"unexpected {message!a} in {where}: please report this"
