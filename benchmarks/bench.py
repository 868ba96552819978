"""A run of the benchmark: its size, its folder and its workers, which the cases share."""

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
    """What the cases share.

    Attributes
    ----------
    folder : Path
        Where scans and results of this run lie; on the disk that is measured.
    threads : int
        Threads of every peer.
    short : bool
        Whether this is the short form: smaller scans, fewer rounds.
    say : callable
        Tells how far it is.
    """

    folder: Path
    threads: int
    short: bool
    say: Callable[[str], None]
    _workers: dict[str, Worker] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """What a case may take before it begins no further round."""
        return 8 if self.short else 150

    def worker(self, name: str) -> Worker:
        """Give a peer's process; the first time, it is started and finds its best batch.

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
        """Give a function that has a peer do something."""
        return lambda: self.worker(name).ask(what, **arguments)

    def ask_all(self, what: str, /, **arguments: Any) -> dict[str, Callable[[], Any]]:
        """Give such a function for every peer."""
        return {name: self.ask(name, what, **arguments) for name in LABELS}

    def choices(self) -> dict[str, Any]:
        """Tell what each peer's trials found."""
        return {name: worker.ask("choice") for name, worker in self._workers.items()}

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
