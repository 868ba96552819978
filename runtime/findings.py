"""What was found out about a file on the way: notes; and its name in the errors that end the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ScanError


class Findings:
    """Notes on a file: what was left out, or assumed, and why.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> list[str]:
        """The notes, in order, each once."""
        return list(self._notes)

    def note(self, text: str) -> None:
        """Add a note."""
        self._notes[text] = None


@contextmanager
def findings_of(path: Path) -> Iterator[Findings]:
    """Collect findings on a file; a `ScanError` that leaves the block gets the file's name, if it has none yet.

    So the code that reads and understands a file says what is wrong in it, and names the file nowhere.

    Raises
    ------
    ScanError
        As raised in the block: ``path: message``.
    """
    with naming(path):
        yield Findings(path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the name of a file before the message of a `ScanError` that leaves the block, if it has none yet."""
    try:
        yield
    except ScanError as error:
        error.name(path)
        raise
