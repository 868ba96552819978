"""A run in a process of its own: what a damaged file does to libhdf5, no ``except`` can catch.

`guarded` forks before anything heavy is imported. The child does the work and tells its parent, through a pipe, which
scan it reads and which unfinished files it has made. The parent only waits: it passes signals on, and when the child
dies of one, it says so in one line and removes what the child left. A hang is the kernel's to find: at every step
forward the child moves its own limit of processor time (`lithovae.runtime.process.heartbeat`), so that libhdf5 going
round in circles meets it, and a slow disk does not. Where many scans are read (`several`), another child goes on with
those after the one that was fatal. Outside a guarded child, what tells the parent does nothing.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from lithovae.runtime.errors import LithoError, ScanError, unexpected

from . import heartbeat, memory

GRACE_SECONDS = 10
"""What a child may take to tidy up after a signal before it is killed."""
WATCH_SECONDS = 0.5
"""Seconds between two checks whether the parent is still there: only Linux tells a child of its parent's death."""

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_SCAN, _PARTIAL, _KEPT, _SEVERAL, _DONE = b"S", b"P", b"K", b"N", b"D"
_begun: set[str] = set()
_done: set[str] = set()
_pipe: int | None = None
_told: Path | None = None


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
    _begun.clear()
    _done.clear()
    while True:
        ended, passed, records = _in_child(work)
        if ended >= 0:
            return ended
        for path in records.get(_PARTIAL, []):
            Path(path).unlink(missing_ok=True)
        if sys.stderr and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K\x1b[?25h")  # a progress bar dies without wiping itself and showing the cursor
        left = f"{kept[-1]} has what came before" if (kept := records.get(_KEPT)) else "nothing was left half-written"
        if passed:  # it did not heed, or had no time to
            print(f"interrupted; {left}", file=sys.stderr)
            return 128 + passed[0]
        scans = records.get(_SCAN, [])
        death = _death(-ended, scans[-1] if scans else None, left)
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


def several() -> tuple[set[str], set[str]]:
    """Tell the parent that another child may go on after one that died of a scan.

    Returns
    -------
    tuple of set of str
        The scans that earlier children have begun, and those of them that they are `done` with.
    """
    _tell(_SEVERAL)
    return set(_begun), set(_done)


def reading(scan: Path) -> None:
    """Tell the parent which scan is being read, and bound the memory from here on."""
    global _told
    if scan != _told:  # a scan that is followed is opened again and again
        _tell(_SCAN, scan)
        _told = scan
    memory.bound_memory()


def done(scan: Path) -> None:
    """Tell the parent that a scan's result is there."""
    _tell(_DONE, scan)


def writing(partial: Path) -> None:
    """Tell the parent of an unfinished file, which it removes if this process dies. It need not be there yet."""
    _tell(_PARTIAL, partial.absolute())


def keeping(growing: Path) -> None:
    """Tell the parent of a file that grows under its own name: it stays, whatever becomes of this process."""
    _tell(_KEPT, growing)


def _tell(kind: bytes, path: Path = Path()) -> None:
    if _pipe is not None:
        os.write(_pipe, kind + os.fsencode(path) + b"\0")


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


def _death(number: int, scan: str | None, left: str) -> LithoError:
    name = signal.Signals(number).name
    if number == getattr(signal, "SIGXCPU", None):
        what = f"was stopped: no progress in {heartbeat.CPU_SECONDS} s of CPU time ({name})"
    elif number == signal.SIGKILL:
        what = f"was killed ({name}): did the machine run out of memory?"
    else:
        what = f"crashed ({name})"
    if scan is None:
        return LithoError(f"the run {what}; {left}")
    cause = "" if number in (signal.SIGKILL, signal.SIGTERM) else ": the file is damaged, or not what it says it is"
    return ScanError(f"{scan}: the run {what} on this file{cause}; {left}", scan)


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
        heartbeat.bind()
        status = _status(work)
        try:
            _flush()
        except OSError:  # the reader of what we said, `head` say, has left
            status = status or 1
    except KeyboardInterrupt:
        status = 130
    except BaseException as error:  # nothing may pass: this process is a copy of its parent, and must end here
        print(f"error: {unexpected(error)}", file=sys.stderr)
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
    """End when the parent is killed: by SIGTERM, to leave nothing half-written; by SIGKILL if that does not help."""
    import ctypes
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        pr_set_pdeathsig = 1  # <linux/prctl.h>
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


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
