"""Notes about a file, collected while it is read; and its path, added to the errors that are raised meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ScanError

MAX_NOTE = 1000
"""Characters of a note."""


class Findings:
    """Notes about a file: what was left out or assumed, and why.

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
        if len(text) > MAX_NOTE:  # it may quote what a file states, as long as that is
            text = f"{text[: MAX_NOTE // 2]} … {text[-MAX_NOTE // 4 :]}"
        self._notes[text] = None


@contextmanager
def findings_of(path: Path) -> Iterator[Findings]:
    """Collect findings about a file, and add its path to a `ScanError` that leaves the block without one.

    The code that reads a file can then state what is wrong in it without knowing its path.

    Raises
    ------
    ScanError
        As raised in the block: ``path: message``.
    """
    with naming(path):
        yield Findings(path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Prefix the message of a `ScanError` that leaves the block with the path of a file, unless it already has one."""
    try:
        yield
    except ScanError as error:
        error.name(path)
        raise
