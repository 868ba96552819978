"""A benchmark run: its size, folder and workers, shared by all cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .peers import LABELS, UnavailableError
from .worker import Worker

OURS = "lithovae"


@dataclass
class Bench:
    """State shared by the cases.

    Attributes
    ----------
    folder : Path
        Scans and results of this run; on the disk that is measured.
    threads : int
        Threads of each peer.
    short : bool
        Whether this is the short form: smaller scans, fewer rounds.
    say : callable
        Reports progress.
    """

    folder: Path
    threads: int
    short: bool
    say: Callable[[str], None]
    _workers: dict[str, Worker] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Time (s) after which a case starts no further round."""
        return 8 if self.short else 150

    def worker(self, name: str) -> Worker:
        """Return a peer's process; the first call starts it, and it finds its fastest batch size.

        Raises
        ------
        UnavailableError
            If the peer cannot run here.
        """
        if name in self.failed:
            raise UnavailableError(self.failed[name])
        if name not in self._workers:
            self.say(f"starting {LABELS.get(name, name)}")
            try:
                self._workers[name] = Worker(name, self.threads, self.folder, 6 if self.short else 40)
            except UnavailableError as reason:
                self.failed[name] = str(reason)
                raise
        return self._workers[name]

    def ask(self, name: str, what: str, /, **arguments: Any) -> Callable[[], Any]:
        """Return a function that sends a peer a command."""
        return lambda: self.worker(name).ask(what, **arguments)

    def ask_all(self, what: str, /, **arguments: Any) -> dict[str, Callable[[], Any]]:
        """Return such a function for every peer."""
        return {name: self.ask(name, what, **arguments) for name in LABELS}

    def choices(self) -> dict[str, Any]:
        """Return the settings that each peer's trials found fastest."""
        return {name: worker.ask("choice") for name, worker in self._workers.items()}

    def close(self) -> None:
        """Stop all workers."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
