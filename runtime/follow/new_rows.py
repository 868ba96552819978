"""The new rows of a file that grows: each is read once, whatever the file's writer does.

The file is never locked, so no writer is blocked. While a writer has the file open, it is read only in HDF5's
single-writer-multiple-readers (SWMR) mode. Otherwise it is read while nobody writes, and what was read while the file
changed is discarded.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Hashable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import FeatureSet
from lithovae.runtime.findings import naming
from lithovae.runtime.formats.open import require_regular
from lithovae.runtime.rows.blank_rows import without_blank_rows
from lithovae.runtime.scan.restart import Key
from lithovae.runtime.scan.scan import Scan, open_scan
from lithovae.runtime.scan.track import Stretch, Track
from lithovae.runtime.settings import Calibration

from .blank_tail import BlankTail, UnfollowableError

LOOK_ROWS = 1 << 17
"""Largest number of rows of each track that one check reads."""
DOUBT = 0.5
"""Seconds for which a changed layout must stay the same before it is accepted: while a row is half-written, columns
differ in length, and so seem to belong to different tables."""
RELOOK = 2.0
"""Seconds after which a file is read again although its size and modification time are the same: network file systems,
and writers that map a file into memory, may not change them."""
SETTLED = 0.02
"""Seconds for which a file must not have changed: the clocks of file systems have steps of some milliseconds."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_WRITING, _SWMR = 1, 4  # consistency flags of an HDF5 superblock, from its version 2 on

_HALF_WRITTEN = (RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError)
"""Exceptions that the reader raises if the parts of a file contradict each other."""

State = tuple[int, int, int, int]
Position = tuple[int, Hashable]


@dataclass(frozen=True)
class News:
    """The result of a check of the file.

    Attributes
    ----------
    scan : Scan
        The open scan.
    stretches : list of Stretch
        New rows.
    restart : str or None
        Why all rows are read again from the first; empty the first time. None if the rows continue the previous ones.
    """

    scan: Scan
    stretches: list[Stretch]
    restart: str | None


class NewRows:
    """The new rows of a growing file.

    Parameters
    ----------
    path : Path
        The file; it need not exist yet.
    mapping : mapping of str to str
        Path of the column to use, by feature.
    calibrations : mapping of str to Calibration, optional
        Declared conversions, by feature.
    features : FeatureSet
        The features to look for.

    Attributes
    ----------
    trouble : str
        Why the latest check could not read the file; empty if it could.
    behind : bool
        Whether the latest check left rows for the next one.
    changed : bool
        Whether the file changed between the previous check and the latest.
    disturbed : bool
        Whether the latest check found the file being written, so that it should be checked again soon.
    """

    def __init__(
        self,
        path: Path,
        mapping: Mapping[str, str],
        calibrations: Mapping[str, Calibration] | None,
        features: FeatureSet,
    ) -> None:
        self.path, self.mapping, self.trouble = path, mapping, ""
        self._calibrations, self._features = calibrations, features
        self.behind = self.disturbed = self.changed = False
        self._was_locked = False
        self._found: State | None = None  # at the latest check
        self._seen: State | None = None  # when all of the file had been read
        self._identity: tuple[int, int] | None = None
        self._layout: Hashable = None
        self._other_layout: Hashable = None  # seen since then
        self._other_since = 0.0
        self._tails: list[BlankTail] = []
        self._last_look = -RELOOK
        self._positions: list[Position] = []  # number of rows read of each track, and the last row
        self._lost: list[frozenset[Key]] = []  # sections of these rows that were not in the table of sections

    @contextmanager
    def look(self, last: bool = False) -> Iterator[News | None]:
        """Check for new rows; None if there are none, or if the file cannot be read at the moment (see `trouble`).

        Parameters
        ----------
        last : bool
            Whether this is the last check: rows that are filled in part are taken, too.

        Raises
        ------
        UnfollowableError
            If the file is written in a way that cannot be followed.
        """
        self.trouble, self.disturbed, self.changed = "", False, False
        with ExitStack() as stack:
            try:
                with naming(self.path):
                    news = self._look(stack, last)
            except UnfollowableError:
                raise
            except FileNotFoundError:
                news, self.trouble = None, f"{self.path} does not exist yet"
            except (ScanError, OSError) as error:
                news, self.trouble = None, str(error)
            except _HALF_WRITTEN as error:
                self.disturbed = True
                news, self.trouble = None, f"{self.path} is half-written or damaged: {error}"
            yield news

    @property
    def holds(self) -> bool:
        """Whether there are rows that were blank, or filled in part, at the latest check."""
        return any(tail.holds for tail in self._tails)

    def _look(self, stack: ExitStack, last: bool) -> News | None:
        state, now = _state(self.path), time.monotonic()
        self._found, self.changed = state, state != self._found
        if state == self._seen and not last and now - self._last_look < RELOOK:
            return None
        if not stat.S_ISREG(os.stat(self.path).st_mode):  # a pipe would keep whoever opens it waiting
            require_regular(self.path)
        flags = _flags(self.path)
        swmr = flags & _SWMR != 0
        if not swmr and not self._is_still(flags, state, self._was_locked):
            return None
        growing = open_scan(
            self.path,
            self.mapping,
            self._calibrations,
            self._features,
            is_growing=True,
            swmr=swmr,
            locking=False,
        )
        scan = stack.enter_context(growing)
        layout = _layout_of(scan)
        if layout != self._layout:
            if layout != self._other_layout:
                self._other_layout, self._other_since, self.disturbed = layout, now, True
                return None
            if now - self._other_since < DOUBT:
                self.disturbed = True
                return None
        news, positions, tails = self._read_on(scan, state, layout, last)
        if not swmr and not (_state(self.path) == state and self._is_still(_flags(self.path), state, True)):
            self.disturbed = True
            return None
        if state == self._seen and any(stretch.length for stretch in news.stretches):
            self.changed = True  # without a change of size or time
        self._layout, self._identity, self._positions, self._tails = layout, state[:2], positions, tails
        self._last_look = now
        self._other_layout = None
        known = self._lost if news.restart is None else [frozenset[Key]() for _ in scan.tracks]
        self._lost = [
            lost.union(*(stretch.lost.sections for stretch in news.stretches if stretch.track is track))
            for lost, track in zip(known, scan.tracks, strict=True)
        ]
        self.behind = any(
            n < track.length and not tail.holds
            for (n, _), track, tail in zip(positions, scan.tracks, tails, strict=True)
        )
        # A SWMR writer may append within the same tick of the file system's clock; that row would be overlooked.
        self._seen = None if self.behind or _is_fresh(state) else state
        return news

    def _is_still(self, flags: int, state: State, ask: bool) -> bool:
        """Return whether nobody is writing to a file that is not in SWMR mode.

        Linux takes milliseconds to list all locks. The list is read only if ``ask`` is true: after reading, and before
        reading if there was a lock the last time.
        """
        self._was_locked = ask and _is_write_locked(self.path, state)
        if flags & _WRITING or self._was_locked:
            self.disturbed = True
            self.trouble = (
                f"{self.path} is open for writing, but not in SWMR mode: it is read once it is closed (if its writer "
                "was killed, h5clear -s marks it as closed)"
            )
            return False
        self.disturbed = _is_fresh(state)
        return not self.disturbed

    def _read_on(
        self, scan: Scan, state: State, layout: Hashable, last: bool
    ) -> tuple[News, list[Position], list[BlankTail]]:
        """Read the new rows, or all rows if the file is not a continuation of the one read before.

        A file that has replaced another is a continuation of it if it has the same last rows.
        """
        restart, replaced = "", self._identity is not None and state[:2] != self._identity
        if self._layout is not None:
            restart = "has other columns than before"
            if layout == self._layout and any(
                track.section_depths and track.section_depths.knows(lost)
                for lost, track in zip(self._lost, scan.tracks, strict=True)
            ):
                restart = "has new sections in its table, of samples read before"
            elif layout == self._layout:
                try:
                    news, positions = _read(scan, self._positions, self._tails, None, check_all=replaced, last=last)
                    return news, positions, self._tails
                except _RewrittenError as error:
                    restart = "was replaced by another file" if replaced else str(error)
        if self._layout is not None or len(self._tails) != len(scan.tracks):
            self._tails = [BlankTail() for _ in scan.tracks]
        news, positions = _read(scan, [(0, None)] * len(scan.tracks), self._tails, restart, last=last)
        return news, positions, self._tails


class _RewrittenError(Exception):
    """Rows that have been read are no longer in the file."""


def _read(
    scan: Scan,
    positions: list[Position],
    tails: list[BlankTail],
    restart: str | None,
    *,
    check_all: bool = False,
    last: bool = False,
) -> tuple[News, list[Position]]:
    stretches, reached = [], []
    has_grown = any(track.length > start for track, (start, _) in zip(scan.tracks, positions, strict=True))
    for track, (start, known), tail in zip(scan.tracks, positions, tails, strict=True):
        stop = min(track.length, start + LOOK_ROWS)
        if stop < start:
            raise _RewrittenError("has fewer rows than before")
        if stop > start or (start and (check_all or not has_grown)):
            stretch = track.read((max(start - 1, 0), stop))
            if start:
                if _row(stretch, 0) != known:
                    raise _RewrittenError("has changed rows that were read before")
                stretch = _part(stretch, slice(1, None))
            if stretch.length:
                stretch = _part(stretch, slice(tail.n_filled(stretch, start, time.monotonic(), last=last)))
                stop = start + stretch.length
            if stretch.length:
                known = _row(stretch, stretch.length - 1)
                stretches.append(without_blank_rows(stretch)[0])
        reached.append((stop, known))
    return News(scan, stretches, restart), reached


def _row(stretch: Stretch, i: int) -> Hashable:
    """Return the exact contents of a row, for comparison."""
    numbers = [*stretch.features.values(), *([] if stretch.depth is None else [stretch.depth])]
    return tuple(values[i].tobytes() for values in numbers), tuple(str(texts[i]) for texts in stretch.address.values())


def _part(stretch: Stretch, rows: slice) -> Stretch:
    return replace(
        stretch,
        length=len(range(*rows.indices(stretch.length))),
        features={i: values[rows] for i, values in stretch.features.items()},
        depth=None if stretch.depth is None else stretch.depth[rows],
        address={part: texts[rows] for part, texts in stretch.address.items()},
    )


def _layout_of(scan: Scan) -> Hashable:
    """Return the layout of a scan, regardless of the number of rows, for comparison."""
    return tuple(map(_layout_of_track, scan.tracks)), tuple(sorted(scan.address.items()))


def _layout_of_track(track: Track) -> Hashable:
    return tuple((i, str(source)) for i, source in sorted(track.features.items())), str(track.depth), track.parts


def _state(path: Path) -> State:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _is_fresh(state: State) -> bool:
    """Return whether a file was written so recently that more may follow in the same tick of its clock."""
    return 0 <= time.time() - state[3] / 1e9 < SETTLED


def _flags(path: Path) -> int:
    """Read the consistency flags of an HDF5 file, which show whether a writer has it open; 0 if it has none."""
    with open(path, "rb") as file:
        head = file.read(12)
    return head[11] if len(head) == 12 and head[:8] == _SIGNATURE and head[8] >= 2 else 0


def _is_write_locked(path: Path, state: State) -> bool:
    """Return whether a process holds HDF5's lock for writing, according to Linux's list of locks; else False."""
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return False
    locks = (line.split() for line in lines if "->" not in line)  # an arrow marks a process that waits for a lock
    places = [fields[5].rpartition(":") for fields in locks if fields[3] == "WRITE"]
    devices = [device for device, _, inode in places if inode == str(state[1])]
    return bool(devices) and _device(path, state) in devices


def _device(path: Path, state: State) -> str:
    """Return the device of a file as the list of locks has it: on btrfs and overlayfs, `os.stat` gives another one."""
    with open(path, "rb") as file:
        about = Path(f"/proc/self/fdinfo/{file.fileno()}").read_text().split()
    mount = about[about.index("mnt_id:") + 1] if "mnt_id:" in about else ""
    mounts = (line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines())
    device = next((fields[2] for fields in mounts if fields[0] == mount), "")
    major, _, minor = (device or f"{state[0] >> 8 & 0xFFF}:{state[0] & 0xFF}").partition(":")
    return f"{int(major):02x}:{int(minor):02x}"
