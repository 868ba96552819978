"""Run the work in a child process, because a damaged file can crash or hang libhdf5 in ways that Python cannot catch.

`guarded` forks before anything heavy is imported. The child does the work and reports to its parent, through a pipe,
which scan it reads and which unfinished files it has created. The parent only waits: it forwards signals, and if a
signal kills the child, it reports this in one line and removes unfinished files. The kernel ends a hang: at every step
forward the child raises its own CPU time limit (`lithovae.runtime.process.heartbeat`), so that an endless loop in
libhdf5 reaches the limit, and a slow disk does not. If many scans are read (`several`), another child continues after a
scan that was fatal. Outside a guarded child, the functions that report to the parent do nothing.
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
"""Time in seconds that a child has to clean up after a signal before it is killed."""
WATCH_SECONDS = 0.5
"""Seconds between two checks whether the parent is still there: only Linux tells a child of its parent's death."""

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_SCAN, _PARTIAL, _KEPT, _SEVERAL, _DONE = b"S", b"P", b"K", b"N", b"D"
_begun: set[str] = set()
_done: set[str] = set()
_pipe: int | None = None
_reported_scan: Path | None = None


def guarded(work: Callable[[], object], complain: Callable[[str], object] = print) -> int:
    """Run a command-line program in a child process (in this process if there is no fork), and return its exit status.

    Parameters
    ----------
    work : callable
        Prints its own messages, and returns or raises SystemExit.
    complain : callable, optional
        Receives the message about a child that died, if another child continues its work.

    Raises
    ------
    LithoError
        If the child crashed, hung or was killed. Its unfinished files are removed.
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
            sys.stderr.write("\r\x1b[K\x1b[?25h")  # clear an unfinished progress bar, show the cursor
        left = (
            f"{kept[-1]} keeps what was written before"
            if (kept := records.get(_KEPT))
            else "nothing was left half-written"
        )
        if passed:  # the child ignored the signal, or had no time to handle it
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
    """Do the work in a child; return its exit status, the signals forwarded to it, and its reports by kind."""
    numbers = [
        number
        for name in _SIGNALS
        if signal.getsignal(number := getattr(signal, name)) not in (signal.SIG_IGN, None)  # nohup ignores SIGHUP
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
        with _forwarding_signals(child, numbers) as passed:
            reports = b"".join(iter(lambda: os.read(reader, 4096), b""))  # until the child's end is closed
            ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        os.close(reader)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    records: dict[bytes, list[str]] = {}
    for record in filter(None, reports.split(b"\0")):
        records.setdefault(record[:1], []).append(os.fsdecode(record[1:]))
    return ended, passed, records


def several() -> tuple[set[str], set[str]]:
    """Tell the parent that another child may continue if a scan kills this one.

    Returns
    -------
    tuple of set of str
        The scans that earlier children have begun, and those of them that are `done`.
    """
    _report(_SEVERAL)
    return set(_begun), set(_done)


def reading(scan: Path) -> None:
    """Tell the parent which scan is being read, and limit memory from now on."""
    global _reported_scan
    if scan != _reported_scan:  # a followed scan is opened repeatedly
        _report(_SCAN, scan)
        _reported_scan = scan
    memory.bound_memory()


def done(scan: Path) -> None:
    """Tell the parent that the result of a scan is complete."""
    _report(_DONE, scan)


def writing(partial: Path) -> None:
    """Tell the parent about an unfinished file, which it removes if this process dies. It need not exist yet."""
    _report(_PARTIAL, partial.absolute())


def keeping(growing: Path) -> None:
    """Tell the parent about a file that grows under its final name: it is kept even if this process dies."""
    _report(_KEPT, growing)


def _report(kind: bytes, path: Path = Path()) -> None:
    if _pipe is not None:
        os.write(_pipe, kind + os.fsencode(path) + b"\0")


@contextmanager
def _forwarding_signals(child: int, numbers: list[int]) -> Iterator[list[int]]:
    """Forward signals to the child, and kill it after `GRACE_SECONDS`. Yields the list of signals received."""
    passed: list[int] = []

    def forward(number: int, frame: object) -> None:
        passed.append(number)
        with suppress(ProcessLookupError):
            os.kill(child, number)
        signal.alarm(GRACE_SECONDS)

    before = {number: signal.signal(number, forward) for number in numbers}
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
        what = f"was killed ({name}), perhaps because the machine ran out of memory"
    else:
        what = f"crashed ({name})"
    if scan is None:
        return LithoError(f"the run {what}; {left}")
    cause = "" if number in (signal.SIGKILL, signal.SIGTERM) else ": the file is damaged, or not what it claims to be"
    return ScanError(f"{scan}: the run {what} on this file{cause}; {left}", scan)


def _be_child(work: Callable[[], object], writer: int, parent: int, numbers: list[int]) -> NoReturn:
    global _pipe
    status = 1
    try:
        _die_with(parent)
        _silence_c_libraries()
        _pipe = writer
        for number in numbers:
            signal.signal(number, _interrupt if number == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        heartbeat.bind()
        status = _status(work)
        try:
            _flush()
        except OSError:  # the reader of our output, such as `head`, has exited
            status = status or 1
    except KeyboardInterrupt:
        status = 130
    except BaseException as error:  # no exception may escape: this process is a copy of its parent and must end here
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
    # A terminal sends Ctrl-C to parent and child, and the parent forwards it: the second must not disturb cleaning up.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _die_with(parent: int) -> None:
    """End with SIGTERM if the parent is killed, so that no partial files are left, or with SIGKILL."""
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


def _silence_c_libraries() -> None:
    """Reserve standard error for Python, and discard what C libraries print there when they crash."""
    faulthandler.disable()
    if not sys.stderr:  # closed, as 2>&- does
        return
    ours = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    sys.stderr = os.fdopen(ours, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
