"""The errors that LithoVAE raises on purpose.

::

    LithoError
    ├── InputError       an array handed to the library has the wrong shape or type (also a ValueError)
    ├── ScanError        a core scan cannot be read, or is ambiguous
    ├── BundleError      a model bundle is absent, changed, incomplete or contradictory
    ├── CheckpointError  a checkpoint or its sidecar cannot be read, or has another format
    ├── TableError       a training table lacks something
    ├── TrainingError    a training run has failed
    ├── ParityError      an exported graph differs too much from the torch model
    └── OutputError      a result cannot be written to the requested path, or cannot be read again

``LithoWarning`` (a UserWarning) is not an error: a result is given, but its input is probably not what the model needs.

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
        The file or folder that the error is about; kept as ``path``.
    """

    def __init__(self, message: str, path: str | Path | None = None) -> None:
        super().__init__(message)
        self.path = None if path is None else Path(path)

    def name(self, path: Path) -> None:
        """Prefix the message with the path of a file, unless the error already has one."""
        if self.path is None:
            self.path = path
            self.args = (f"{path}: {self}",)


class InputError(LithoError, ValueError):
    """An array handed to the library has the wrong shape or type."""


class ScanError(LithoError):
    """A core scan cannot be read, or is ambiguous."""


class BundleError(LithoError):
    """A model bundle is absent, changed, incomplete or contradictory."""


class CheckpointError(LithoError):
    """A checkpoint or its sidecar cannot be read, or has another format."""


class TableError(LithoError):
    """A training table lacks something."""


class TrainingError(LithoError):
    """A training run has failed."""


class ParityError(LithoError):
    """An exported graph differs too much from the torch model."""


class OutputError(LithoError):
    """A result cannot be written to the requested path, or cannot be read again."""


class LithoWarning(UserWarning):
    """A result is given, but its input is probably not what the model needs."""


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
"""Exceptions that h5py and numpy may raise when a damaged file is read, documented or not."""


def reason_of(error: Exception) -> str:
    """Return what another library's error says, in one line; its type if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def unexpected(error: BaseException) -> str:
    """Return a one-line message for an error that was not expected: its type, its text, and where it was raised."""
    entry = error.__traceback__
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    where = f"{entry.tb_frame.f_code.co_filename}, line {entry.tb_lineno}" if entry else "an unknown place"
    message = " ".join(f"{type(error).__name__}: {error}".split())
    return f"unexpected {message!a} in {where}: please report this"
