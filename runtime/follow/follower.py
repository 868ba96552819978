"""A growing scan through a model: each row is embedded once, as soon as it is finished."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from types import FrameType

from lithovae.runtime.answers.summary import Summary
from lithovae.runtime.commands.one_scan import about
from lithovae.runtime.errors import OutputError, ScanError
from lithovae.runtime.features import FEATURES
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.outputs.growing import Sink
from lithovae.runtime.process.heartbeat import advanced
from lithovae.runtime.rows.binning import Block
from lithovae.runtime.rows.policy import Missing, MissingPolicy
from lithovae.runtime.rows.rows import BinWidth, Rows, width_of

from .finished import Given, GrowingBins, GrowingRows, Growth
from .new_rows import DOUBT, SETTLED, News, Tail

POLL = 0.1
"""Seconds between two looks at a file; more where a look takes long, so that it never takes a fifth of a core."""
SLOWEST_POLL = 0.5
SAME_SIGNAL = 1.0
"""Seconds within which a second signal is the first one come by another way: a terminal's, and the guard's."""
TROUBLED = 3.0
"""Seconds for which a file may be unreadable without a word."""


class Follower:
    """Embeds what a growing file brings.

    Parameters
    ----------
    path : path-like
        The file; it need not be there yet.
    model : LithoModel
        The model.
    sink : Sink
        Takes the rows.
    mapping : mapping of str to str, optional
        Columns to take, by feature; see `lithovae.runtime.scan.scan.open_scan`.
    bin_width, missing : optional
        As in `lithovae.runtime.commands.one_scan.embed_scan`.
    track_timeout : float, optional
        Seconds after which a feature without new samples is not waited for any more; without it, as long as the run.
    say : callable, optional
        Takes what a user should know.
    clock : callable, optional
        Gives the time in seconds.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        model: LithoModel,
        sink: Sink,
        mapping: Mapping[str, str] | None = None,
        *,
        bin_width: BinWidth = "auto",
        missing: Missing = "auto",
        track_timeout: float | None = None,
        say: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.n_rows = Path(path), 0
        self._model, self._sink, self._say, self._clock = model, sink, say, clock
        self._policy = MissingPolicy(model, missing, self.path)
        self._bin_width = bin_width
        self._patience = float("inf") if track_timeout is None else track_timeout
        self._tail = Tail(self.path, mapping or {})
        self._given = Given()
        self._growth: Growth | None = None
        self._said: set[str] = set()
        self._trouble_since: float | None = None

    @property
    def is_behind(self) -> bool:
        """Whether there are rows left to read already."""
        return self._tail.behind

    @property
    def is_disturbed(self) -> bool:
        """Whether the file was being written at the latest look, so that nothing was read."""
        return self._tail.disturbed

    def poll(self) -> bool:
        """Look at the file once; embed what is finished. Tell whether the file has changed since the look before.

        Raises
        ------
        ScanError
            If the rows cannot be brought together: see `lithovae.runtime.rows.rows.rows_of`.
        OutputError
            If the result cannot be written.
        """
        advanced()
        with self._tail.look() as news:
            now = self._clock()
            if news is not None:
                self._take(news, now)
        if self._growth is not None:
            self._give(self._growth.finished(now))
            self._say_once(self._growth.held(now))
        self._note_trouble(now)
        return self._tail.changed

    def finish(self, complete: bool = True) -> None:
        """Embed what is left, though it may not be complete, and end.

        Parameters
        ----------
        complete : bool
            Whether the scan has come to its end: not where the run was interrupted.

        Raises
        ------
        ScanError
            If the file could never be read.
        """
        if self._growth is None:
            self._sink.close(complete=False)
            if complete:
                raise ScanError(self._tail.trouble or f"{self.path}: nothing could be read", self.path)
            return
        self._give(self._growth.rest(), complete=False)
        self._sink.close(complete and not self._tail.trouble)
        if self._tail.trouble:
            self._say(f"note   there may be rows that were not read: {self._tail.trouble}")
        if changed := self._growth.changed():
            self._say(f"note   {changed}: a batch run of the file as it is now would give these otherwise")
        if self._given.n_again:
            self._say(f"note   {self._given.n_again:,} rows came again when the file was read anew: given once")
        self._say(f"wrote  {self.n_rows:,} rows, by {self._model.bundle.name}")

    def abandon(self) -> None:
        """End in the middle; what has been given stays."""
        with suppress(OutputError):  # what made an end of it is told already
            self._sink.close(complete=False)

    def _take(self, news: News, now: float) -> None:
        if news.restart is not None:
            self._begin(news, now)
        assert self._growth is not None
        for stretch in news.stretches:
            self._growth.add(stretch, now)
        if self._growth.late:
            self._say_once(f"samples came for bins that are out already (at {self._growth.late[0]:.2f} m, for one)")
            self._growth.late.clear()

    def _begin(self, news: News, now: float) -> None:
        scan, again = news.scan, self._growth is not None
        width = width_of(scan, self._bin_width)
        if news.restart:
            self._say(f"note   {self.path} {news.restart}: read anew from its first row; no row is given twice")
        if width is None:
            self._growth = GrowingRows(scan, self._given, again)
        else:
            self._growth = GrowingBins(scan, width, self._given, now, self._patience)
        self._say(f"follow {self.path}: {f'bins of {width:g} m' if width else 'rows as they are'}")
        for i, feature in enumerate(FEATURES):
            sources = ", ".join(str(track.features[i]) for track in scan.tracks if i in track.features)
            self._say(f"       {feature.name:38} {sources or 'not in this scan'}")
        for note in scan.notes:
            self._say(f"note   {note}")
        summary = Summary(scan, Rows(0, iter(()), 0, {}, bin_width=width), self._policy)
        parts = list(dict.fromkeys([*scan.address, *(part for track in scan.tracks for part in track.parts)]))
        self._sink.begin(about(self._model, summary), self._model.latent_dim, parts, width is not None)

    def _give(self, blocks: Iterable[Block], complete: bool = True) -> None:
        for block in blocks:
            advanced()
            done = self._policy.apply(block)
            self._sink.write(done, complete)
            self.n_rows += len(done.block)

    def _say_once(self, line: str) -> None:
        kind = line.rpartition("wait for")[2] or line[:20]
        if line and kind not in self._said:
            self._said.add(kind)
            self._say(f"note   {line}")

    def _note_trouble(self, now: float) -> None:
        if not self._tail.trouble:
            self._trouble_since = None
        elif self._trouble_since is None:
            self._trouble_since = now
        elif now - self._trouble_since > TROUBLED and self._tail.trouble not in self._said:
            self._said.add(self._tail.trouble)
            self._say(f"wait   {self._tail.trouble}")


def follow(follower: Follower, idle_timeout: float | None = None) -> None:
    """Follow a file until it has not grown for ``idle_timeout`` seconds, or until Ctrl-C, SIGTERM or SIGHUP.

    Either way the rows that are left are given, marked as perhaps not complete.

    Raises
    ------
    KeyboardInterrupt, SystemExit
        After Ctrl-C, and after SIGTERM or SIGHUP, when all is written.
    LithoError
        As `Follower.poll` and `Follower.finish`.
    """
    with _stop_signals() as caught:
        try:
            _poll_until_idle(follower, float("inf") if idle_timeout is None else idle_timeout, caught)
            follower.finish(complete=not caught)
        except BaseException:
            follower.abandon()
            raise
    if caught:
        raise KeyboardInterrupt if caught[0] == signal.SIGINT else SystemExit(128 + caught[0])


def _poll_until_idle(follower: Follower, idle_timeout: float, caught: list[int]) -> None:
    grew = time.monotonic()
    while not caught:
        start = time.monotonic()
        if follower.poll() or follower.is_behind:
            grew = start
        took = time.monotonic() - start
        if start - grew >= idle_timeout + (2 * DOUBT if follower.is_disturbed else 0):
            return
        if not follower.is_behind:
            time.sleep(min(max(SETTLED if follower.is_disturbed else POLL, 4 * took), SLOWEST_POLL))


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect signals instead of being cut off by them in the middle of a row; a second one does cut off."""
    caught: list[int] = []
    first = 0.0
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}

    def catch(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if caught and time.monotonic() - first > SAME_SIGNAL:
            raise SystemExit(128 + number)
        caught.append(number)
        first = time.monotonic()

    for number in before:
        signal.signal(number, catch)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
