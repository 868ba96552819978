"""Shared by all commands: errors on one line, a progress bar if standard error is a terminal, entries of ``--map``."""

from __future__ import annotations

import functools
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, ParamSpec, TypeVar

import typer

from .errors import LithoError, unexpected
from .process.guard import guarded
from .process.heartbeat import advanced

P = ParamSpec("P")
T = TypeVar("T")

MAX_MESSAGE = 1000
"""Characters of an error message that are printed; of a longer one, the beginning and the end."""


def new_app(help: str) -> typer.Typer:
    """Create a Typer application with the settings that all commands share."""
    return typer.Typer(help=help, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def map_entries(map: list[str] | None) -> list[tuple[str, str]]:
    """Split the entries of ``--map`` into feature and path.

    Raises
    ------
    typer.BadParameter
        If one does not have the form ``FEATURE=PATH``.
    """
    entries = []
    for entry in map or []:
        feature, _, column = entry.partition("=")
        if not (feature and column):
            raise typer.BadParameter(f"{entry!r} does not have the form FEATURE=PATH", param_hint="--map")
        entries.append((feature, column))
    return entries


def run_guarded(app: Callable[[], object]) -> NoReturn:
    """Run a command-line application in a process of its own, report a crash of that process on one line, and exit."""
    prepare_streams()
    try:
        status = guarded(app, complain)
    except (LithoError, OSError) as error:  # the system may refuse another process
        complain(explained(error))
        status = 1
    except KeyboardInterrupt:  # a second Ctrl-C, after the first has ended the child
        _complain_interrupted()
        status = 130
    sys.exit(status)


def prepare_streams() -> None:
    """Make standard output and standard error able to take any text, wherever they lead.

    A character that their encoding lacks, such as a Greek letter in cp1252, is escaped. A stream that is closed
    (``2>&-``) leads to the null device: otherwise the next file that is opened would get its number, and what a C
    library prints would be written into that file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # also without a console on Windows
            _open_null(number)
            setattr(sys, name, open(os.devnull, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def has_stdout() -> bool:
    """Return whether standard output leads anywhere; `prepare_streams` has replaced one that was closed."""
    return sys.stdout is not None and getattr(sys.stdout, "name", None) != os.devnull


def _open_null(number: int) -> None:
    """Let a file descriptor lead to the null device, unless it is open."""
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)


def clear_errors(extra: str = "") -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a command: print expected errors on one line of standard error and exit with 1, without a traceback.

    Ctrl-C, SIGTERM (which schedulers send to end a job) and SIGHUP unwind the command, so that it leaves nothing
    half-written, and exit with 130, 143 and 129.

    Parameters
    ----------
    extra : str
        The optional extra with the packages that the command needs beyond those of the runtime.
    """

    def decorate(command: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(command)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            signal.signal(signal.SIGTERM, _terminate)
            if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
                signal.signal(signal.SIGHUP, _terminate)
            try:
                return command(*args, **kwargs)
            except (LithoError, MemoryError) as error:
                _fail(explained(error))
            except ModuleNotFoundError as error:
                if not extra:
                    raise
                _fail(f"this command needs {error.name}: pip install 'lithovae[{extra}]'")
            except BrokenPipeError:  # the reader of standard output, such as `head`, has exited
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(1) from None
            except OSError as error:
                _fail(explained(error))
            except KeyboardInterrupt:
                _complain_interrupted()
                raise typer.Exit(130) from None

        return wrapper

    return decorate


def _terminate(number: int, frame: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the cleanup
    raise SystemExit(128 + number)


def say(line: str, err: bool = False) -> None:
    """Print a line that may quote a file. Characters that are not printable are escaped, control characters too."""
    typer.echo(_printable(line), err=err)


def explained(error: Exception) -> str:
    """Return the message for an error: what is wrong if it was expected, else a request to report it."""
    if isinstance(error, LithoError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"out of memory, or over the run's memory limit: {error}".removesuffix(": ")
    if isinstance(error, OSError):
        return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    return unexpected(error)


def _complain_interrupted() -> None:
    """Print that the user has interrupted the run."""
    typer.echo("interrupted; nothing was left half-written", err=True)


def _fail(message: str) -> NoReturn:
    complain(message)
    raise typer.Exit(1)


def complain(message: str) -> None:
    """Print an error on one line of standard error, escaped as in `say`."""
    line = _printable(" ".join(message.split()))
    if len(line) > MAX_MESSAGE:  # names in a file may have any length
        line = f"{line[: MAX_MESSAGE // 2]} … {line[-MAX_MESSAGE // 2 :]}"
    typer.echo(f"error: {line}", err=True)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def progress(items: Iterable[T], label: str, total: int, size: Callable[[T], int] = lambda item: 1) -> Iterator[T]:
    """Yield items, with a progress bar on standard error if that is a terminal.

    Parameters
    ----------
    items : iterable
        The items to yield.
    label : str
        Label of the bar.
    total : int
        Sum of the sizes of all items.
    size : callable, optional
        Returns the size of an item; 1 by default.
    """
    if not sys.stderr.isatty():
        for item in items:
            advanced()
            yield item
        return
    from rich.console import Console  # a dependency of typer
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task: Any = bar.add_task(label, total=total)
        for item in items:
            advanced()
            yield item
            bar.advance(task, size(item))
