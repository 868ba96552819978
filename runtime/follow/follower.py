"""Embeds a growing scan: each row once, as soon as it is finished."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from types import FrameType

import numpy as np

from lithovae.runtime.answers.answers import Answers
from lithovae.runtime.answers.embedding import Embedder
from lithovae.runtime.answers.provenance import about
from lithovae.runtime.errors import OutputError, ScanError
from lithovae.runtime.findings import naming
from lithovae.runtime.missing import bit_counts
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.other_units import UNIT_ROWS
from lithovae.runtime.outputs.writer import GrowingWriter
from lithovae.runtime.process.heartbeat import advanced
from lithovae.runtime.report.run_log import feature_lines, implausible_lines
from lithovae.runtime.result import Columns, ResultSchema
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.rows import width_of
from lithovae.runtime.rows.units import UnitCheck
from lithovae.runtime.scan.address import ADDRESS, HOLE_PARTS
from lithovae.runtime.settings import Settings

from .earlier_rows import EarlierRows
from .finished_rows import FinishedRows, GrowingBins, GrowingRows, Written
from .new_rows import DOUBT, SETTLED, NewRows, News

POLL = 0.1
"""Seconds between two checks of a file; longer if a check is slow, so that checks use at most a fifth of a core."""
SLOWEST_POLL = 0.5
"""Longest time between two checks, in seconds."""
SAME_SIGNAL = 1.0
"""Seconds within which a second signal counts as the first one, received from both the terminal and the guard."""
FAULTS_EVERY = 10.0
"""Seconds between two looks for faults of sensors: one takes a tenth of a second."""
TROUBLED = 3.0
"""Seconds for which a file may be unreadable without a message."""
_NUMBER = re.compile(r"(?<![\w/])\d[\d,.]*(?![\w/])")


class Follower:
    """Embeds the new rows of a growing file.

    Parameters
    ----------
    path : path-like
        The file; it need not exist yet.
    model : LithoModel
        The model.
    writer : GrowingWriter
        Writes the rows.
    settings : Settings, optional
        As in `lithovae.runtime.commands.one_scan.embed_scan`.
    track_timeout : float, optional
        Seconds without new samples after which a feature no longer holds bins back; by default, never.
    say : callable, optional
        Called with each line for the user.
    clock : callable, optional
        Returns the time in seconds.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        model: LithoModel,
        writer: GrowingWriter,
        settings: Settings | None = None,
        *,
        track_timeout: float | None = None,
        say: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.n_rows = Path(path), 0
        self._settings = settings or Settings()
        self._answers = Answers(model, self._settings)
        self._embedder = Embedder(model, self._settings.missing, self._answers.columns)
        self._writer, self._say, self._clock = writer, say, clock
        self._patience = float("inf") if track_timeout is None else track_timeout
        self._new_rows = NewRows(self.path, self._settings.mapping, self._settings.calibrations, model.bundle.features)
        self._written = Written()
        self._earlier: EarlierRows | None = None
        self._held: list[Columns] = []
        self._n_taken, self._n_implausible = 0, np.zeros(len(model.bundle.features), np.int64)
        self._rows: FinishedRows | None = None
        self._printed: set[str] = set()
        self._faults: set[tuple[str, str]] = set()  # what was said: the kind, and of which feature
        self._faults_at, self._has_new = self._clock(), False
        self._trouble_since: float | None = None
        self._units = UnitCheck(model.bundle.features, has_depth_unit=True)

    @property
    def is_behind(self) -> bool:
        """Whether the file has more rows that can be read now."""
        return self._new_rows.behind

    @property
    def is_disturbed(self) -> bool:
        """Whether nothing was read at the latest check, because the file was being written."""
        return self._new_rows.disturbed

    def poll(self) -> bool:
        """Check the file once and embed the rows that are finished.

        Returns
        -------
        bool
            Whether the file has changed since the previous check.

        Raises
        ------
        ScanError
            As `lithovae.runtime.rows.rows.rows_of`.
        OutputError
            If the result cannot be written.
        """
        advanced()
        with self._new_rows.look() as news:
            now = self._clock()
            if news is not None:
                self._take(news, now)
        if self._rows is not None:
            self._write(self._rows.finished(now))
            self._say_once(self._rows.waiting(now))
            self._note_units()
            if self._has_new and now - self._faults_at >= FAULTS_EVERY:
                self._note_faults(now)
        self._note_trouble(now)
        return self._new_rows.changed

    def finish(self, complete: bool = True) -> None:
        """Embed the remaining rows, finished or not, and close the output.

        Parameters
        ----------
        complete : bool
            Whether the scan was followed to its end; false if the run was interrupted.

        Raises
        ------
        ScanError
            If the file could never be read.
        """
        if self._rows is None:
            self._writer.close(complete=False)
            if complete:
                raise ScanError(self._new_rows.trouble or f"{self.path}: no row could be read", self.path)
            return
        if self._new_rows.holds:
            with self._new_rows.look(last=True) as news:
                if news is not None:
                    self._take(news, self._clock())
        self._write(self._rows.remaining(), complete=False)
        self._writer.close(complete and not self._new_rows.trouble)
        self._note_faults(self._clock())
        self._note_units(at_end=True)
        for note in self._answers.notes:
            self._say_once(note)
        if self._new_rows.trouble:
            self._say(f"note   there may be rows that were not read: {self._new_rows.trouble}")
        if changed := self._rows.changed():
            self._say(f"note   {changed}; a batch run would now differ")
        if self._earlier and self._earlier.n_changed:
            n = self._earlier.n_changed
            self._say(f"note   {n:,} rows of the earlier run have other values now; a batch run would now differ")
        if self._written.n_again:
            n = self._written.n_again
            self._say(f"note   {n:,} rows seen again after a re-read; each was written once")
        self._say(f"wrote  {self.n_rows:,} rows, by {self._embedder.model.bundle.name}")

    def abandon(self) -> None:
        """Close the output after an error; what has been written is kept."""
        with suppress(OutputError):  # the first error is the one to report
            self._writer.close(complete=False)

    def _take(self, news: News, now: float) -> None:
        if news.restart is not None:
            self._begin(news, now)
        assert self._rows is not None
        for stretch in news.stretches:
            self._rows.add(stretch, now)
        if self._rows.late:
            self._say_once(f"late samples for bins already written (first at {self._rows.late[0]:.2f} m)")
            self._rows.late.clear()

    def _begin(self, news: News, now: float) -> None:
        scan, again = news.scan, self._rows is not None
        width, described = width_of(scan, self._settings.bin_width), scan.describe()
        if news.restart:
            self._say_once(f"{self.path} {news.restart}: read again from its first row; no row is written twice")
        if not again:
            self._units = UnitCheck(scan.feature_set, described.has_depth_unit)
        if width is None:
            self._rows = GrowingRows(scan, self._written, again)
        else:
            self._rows = GrowingBins(scan, width, self._written, now, self._patience)
        self._say(f"follow {self.path}: {f'bins of {width:g} m' if width else 'rows unchanged'}")
        for line in feature_lines(described):
            self._say(f"       {line}")
        for note in scan.notes:
            self._say_once(note)
        model, policy = self._embedder.model, self._embedder.policy
        if not again:
            for note in [model.bundle.warning if self._settings.top else "", *self._answers.notes]:
                self._say_once(note)
        parts = dict.fromkeys([*scan.address, *(part for track in scan.tracks for part in track.parts)])
        schema = ResultSchema.of(
            model.bundle.features,
            model.latent_dim,
            dict.fromkeys(parts, np.dtype(np.str_)),
            has_depth=True,
            is_binned=width is not None,
            grows=True,
            lithologies=self._answers.lithologies,
            has_quality=self._settings.quality,
        )
        notes = [policy.note] if policy.note else []
        stated = about(
            described, model.bundle, bin_width=width, missing=policy.name, notes=notes, settings=self._settings
        )
        if self._earlier is None:
            self._earlier = EarlierRows(self._writer.earlier(), list(ADDRESS) if width is None else HOLE_PARTS)
            self._written.file = self._earlier.file
        self._writer.begin({**stated, "map": dict(self._settings.mapping)}, schema)
        if self._earlier.n and not again:
            self._say(f"resume after {self._earlier.n:,} complete rows of an earlier run; none is written twice")

    def _write(self, blocks: Iterable[Block], complete: bool = True) -> None:
        with naming(self.path):
            for block in blocks:
                advanced()
                done = self._embedder.embed(block)
                n = len(done.embeddings)
                self._n_taken += n
                self._has_new |= n > 0
                self._units.add(done.rows.block)
                self._n_implausible += bit_counts(done.rows.implausible, len(self._n_implausible))
                assert self._earlier is not None
                rows = {
                    **done.columns,
                    **self._answers.take(done.rows, done.columns),
                    "complete": np.full(n, complete, np.uint8),
                    "file": np.full(n, self._written.file, np.uint32),
                }
                if self._written.file:
                    self._say_once(f"{self.path} holds another core now: its rows have file = {self._written.file}")
                is_new = self._earlier.are_new(rows)
                if not is_new.all():
                    rows = {name: values[is_new] for name, values in rows.items()}
                if is_new.any():
                    self._held.append(rows)
                if self._earlier.is_confirmed:
                    self._release()
        self._note_units()
        if self._held and not (self.is_behind and complete):
            raise OutputError(
                f"{self.path}: most rows of the earlier run are not in it, or have other values: the output was "
                "written from another scan; choose another name for --out",
                self.path,
            )

    def _release(self) -> None:
        """Hand rows to the writer; before, it must be known that those of the earlier run are of this scan."""
        for rows in self._held:
            self._writer.write(rows)
            self.n_rows += len(rows["complete"])
        self._held.clear()

    def _say_once(self, line: str) -> None:
        if line and self._is_first(line):
            self._say(f"note   {line}")

    def _is_first(self, line: str) -> bool:
        """Return whether no such line was printed, whatever numbers it holds."""
        kind = _NUMBER.sub("#", line)
        is_first = kind not in self._printed
        self._printed.add(kind)
        return is_first

    def _note_units(self, *, at_end: bool = False) -> None:
        """Say which features seem to be in another unit: in all of the first rows or, at the end, in some."""
        counts, n = self._n_implausible, self._n_taken
        if at_end or n >= UNIT_ROWS:  # before the end, which may be days away
            shown = counts if at_end else np.where(counts == n, counts, 0)
            for line in [*self._units.notes, *implausible_lines(self._embedder.model.bundle.features, shown, n)]:
                if self._is_first(line.replace(f"all {n:,} rows", f"{n:,} of {n:,} rows")):
                    self._say(f"note   {line}")

    def _note_faults(self, now: float) -> None:
        """Say which faults the rows so far show, each once."""
        self._faults_at, self._has_new = now, False
        for fault in self._answers.faults:
            is_said = (fault.kind, fault.what) in self._faults and fault.what != "depth"  # a depth may have several
            self._faults.add((fault.kind, fault.what))
            if self._is_first(fault.text) and not is_said:
                self._say(f"fault  {fault.text}")

    def _note_trouble(self, now: float) -> None:
        if not self._new_rows.trouble:
            self._trouble_since = None
        elif self._trouble_since is None:
            self._trouble_since = now
        elif now - self._trouble_since > TROUBLED and self._is_first(self._new_rows.trouble):
            self._say(f"wait   {self._new_rows.trouble}")


def follow_until_idle(follower: Follower, idle_timeout: float | None = None) -> None:
    """Follow a file until it has not grown for ``idle_timeout`` seconds, or until Ctrl-C, SIGTERM or SIGHUP.

    In either case the remaining rows are then written, marked as not complete.

    Parameters
    ----------
    follower : Follower
        The follower.
    idle_timeout : float, optional
        Seconds without growth after which to end; by default, never.

    Raises
    ------
    KeyboardInterrupt, SystemExit
        After Ctrl-C, and after SIGTERM or SIGHUP, when all rows have been written.
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
    """Collect signals, so that they do not interrupt a write; a second signal ends the process at once."""
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
