"""A run in a process of its own: what a damaged file does to libhdf5, no ``except`` can catch.

`guarded` forks before anything heavy is imported. The child does the work and tells its parent, through a pipe, which
scan it reads and which unfinished files it has made. The parent only waits: it passes signals on, and when the child
dies of one, it says so in one line and removes what the child left. A hang is the kernel's to find: at every step
forward the child moves its own limit of processor time (`advanced`), so that libhdf5 going round in circles meets it,
and a slow disk does not. Where many scans are read (`Scans`), another child goes on with those after the one that was
fatal. Outside a guarded child, `reading`, `writing` and `advanced` do nothing.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from .errors import LithoError, ScanError

CPU_SECONDS = 30
"""Processor time that a run may take between two steps forward. The slowest honest one, inflating a storage chunk of
128 MiB several times over on a slow core, takes a few seconds."""
MEMORY = 1 << 30
"""Bytes that a run may take beyond what the program holds when it starts to read; an honest scan takes a tenth."""
MEMORY_PER_PROCESSOR = 16 << 20
"""What is added for each processor: the stacks of its threads count as memory taken."""
GRACE_SECONDS = 10
"""What a child may take to tidy up after a signal before it is killed."""

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_SCAN, _PARTIAL, _SEVERAL, _DONE = b"S", b"P", b"N", b"D"
_begun: set[str] = set()
_done: set[str] = set()
_pipe: int | None = None
_told: Path | None = None
_bounded = False


def guarded(work: Callable[[], object], complain: Callable[[str], object] = print) -> int:
    """Run a command-line program in a child, and give the status to exit with; unguarded where there is no fork.

    Parameters
    ----------
    work : callable
        Prints its own messages, and returns or raises SystemExit.
    complain : callable, optional
        Takes what is said of a child whose work another goes on with.

    Raises
    ------
    LithoError
        If the child crashed, hung or was killed. Of what it wrote, nothing is left unfinished.
    """
    if not hasattr(os, "fork"):
        return _status(work)
    while True:
        ended, passed, records = _in_child(work)
        if ended >= 0:
            return ended
        for path in records.get(_PARTIAL, []):
            Path(path).unlink(missing_ok=True)
        if sys.stderr and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K\x1b[?25h")  # a progress bar dies without wiping itself and showing the cursor
        if passed:  # it did not heed, or had no time to
            print("interrupted; nothing was left half-written", file=sys.stderr)
            return 128 + passed[0]
        scans = records.get(_SCAN, [])
        death = _death(-ended, scans[-1] if scans else None)
        if _SEVERAL not in records or not set(scans) - _begun:
            raise death
        _begun.update(scans)
        _done.update(records.get(_DONE, []))
        complain(str(death))


def _in_child(work: Callable[[], object]) -> tuple[int, list[int], dict[bytes, list[str]]]:
    """Do the work in a child; give its exit status, the signals passed on to it, and what it told, by kind."""
    numbers = [
        number
        for name in _SIGNALS
        if signal.getsignal(number := getattr(signal, name)) not in (signal.SIG_IGN, None)  # as nohup leaves SIGHUP
    ]
    _flush()
    reader, writer = os.pipe()
    parent = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        child = os.fork()
        if child == 0:
            os.close(reader)
            _be_child(work, writer, parent, numbers)
        os.close(writer)
        with _passing_on(child, numbers) as passed:
            told = b"".join(iter(lambda: os.read(reader, 4096), b""))  # until the child's end is closed
            ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        os.close(reader)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    records: dict[bytes, list[str]] = {}
    for record in filter(None, told.split(b"\0")):
        records.setdefault(record[:1], []).append(os.fsdecode(record[1:]))
    return ended, passed, records


class Scans:
    """Many scans, of which one that kills the process does not keep the others from being read.

    Parameters
    ----------
    scans : iterable of Path
        The scans.

    Attributes
    ----------
    failed : list of Path
        Those that were begun, here or in an earlier child, and are not `done`.
    """

    def __init__(self, scans: Iterable[Path]) -> None:
        scans = list(scans)
        self._todo = [scan for scan in scans if str(scan) not in _begun]
        self.failed = [scan for scan in scans if str(scan) in _begun - _done]
        _tell(_SEVERAL, Path())

    def __iter__(self) -> Iterator[Path]:
        for scan in self._todo:
            self.failed.append(scan)
            yield scan

    def done(self) -> None:
        """Mark the latest as done."""
        _tell(_DONE, self.failed.pop())


def reading(scan: Path) -> None:
    """Tell the parent which scan is being read, and bound the memory from here on."""
    global _bounded, _told
    if scan != _told:  # a scan that is followed is opened again and again
        _tell(_SCAN, scan)
        _told = scan
    if _pipe is not None and not _bounded:
        _bounded = True
        _bound_memory()


def writing(partial: str | Path) -> None:
    """Tell the parent of an unfinished file, which it removes if this process dies."""
    _tell(_PARTIAL, Path(partial).absolute())


def advanced() -> None:
    """Mark a step forward: the next may again take `CPU_SECONDS` of processor time."""
    if _pipe is None:
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    limit = int(time.process_time()) + 1 + CPU_SECONDS
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def _tell(kind: bytes, path: Path) -> None:
    if _pipe is not None:
        os.write(_pipe, kind + os.fsencode(path) + b"\0")


def _bound_memory() -> None:
    """Bound what counts as data (heap, private mappings, stacks). Only Linux says how much of it there is by now."""
    import resource

    try:
        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    except OSError:
        return
    limit = held + MEMORY + MEMORY_PER_PROCESSOR * (os.cpu_count() or 1)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


@contextmanager
def _passing_on(child: int, numbers: list[int]) -> Iterator[list[int]]:
    """Pass signals on to the child; after a while, kill it. Gives the list of those that came."""
    passed: list[int] = []

    def pass_on(number: int, frame: object) -> None:
        passed.append(number)
        with suppress(ProcessLookupError):
            os.kill(child, number)
        signal.alarm(GRACE_SECONDS)

    before = {number: signal.signal(number, pass_on) for number in numbers}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, lambda number, frame: os.kill(child, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    try:
        yield passed
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _death(number: int, scan: str | None) -> LithoError:
    name = signal.Signals(number).name
    if number == getattr(signal, "SIGXCPU", None):
        what = f"took over {CPU_SECONDS} s of computing without getting any further ({name})"
    elif number == signal.SIGKILL:
        what = f"was killed ({name}): did the machine run out of memory?"
    else:
        what = f"crashed ({name})"
    if scan is None:
        return LithoError(f"the run {what}; nothing was left half-written")
    cause = "" if number in (signal.SIGKILL, signal.SIGTERM) else ": the file is damaged, or not what it says it is"
    return ScanError(f"{scan}: the run {what} on this file{cause}; nothing was left half-written", scan)


def _be_child(work: Callable[[], object], writer: int, parent: int, numbers: list[int]) -> NoReturn:
    global _pipe
    status = 1
    try:
        _die_with(parent)
        _keep_to_one_line()
        _pipe = writer
        for number in numbers:
            signal.signal(number, _interrupt if number == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        advanced()
        status = _status(work)
        try:
            _flush()
        except OSError:  # the reader of what we said, `head` say, has left
            status = status or 1
    except KeyboardInterrupt:
        status = 130
    except BaseException as error:  # nothing may pass: this process is a copy of its parent, and must end here
        _say_unexpected(error)
    finally:
        os._exit(status)


def _status(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream:
            stream.flush()


def _interrupt(number: int, frame: object) -> NoReturn:
    # A terminal sends Ctrl-C to parent and child, and the parent passes it on: the second must not disturb tidying up.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _die_with(parent: int) -> None:
    """End when the parent is killed: by SIGTERM, to leave nothing half-written."""
    import ctypes
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        pr_set_pdeathsig = 1  # <linux/prctl.h>
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def _keep_to_one_line() -> None:
    """Leave standard error to Python: what C libraries print there as they die is not for users."""
    faulthandler.disable()
    if not sys.stderr:  # closed, as 2>&- does
        return
    ours = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(ours, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")


def _say_unexpected(error: BaseException) -> None:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}, line {place.tb_lineno}" if place else "nowhere"
    message = " ".join(f"{type(error).__name__}: {error}".split())
    print(f"error: unexpected {message!a} in {where}: please report this", file=sys.stderr)
