"""What the three command-line tools share: one clear line for an error, progress on a terminal, quiet in a pipe."""

from __future__ import annotations

import functools
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
"""Characters of an error message; of a longer one, the beginning and the end are shown."""


def new_app(help: str) -> typer.Typer:
    """Make a command-line application with the house's settings."""
    return typer.Typer(help=help, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def run_guarded(app: Callable[[], object]) -> NoReturn:
    """Run a command-line application in a process of its own, whose death is told in one clear line, and exit."""
    try:
        status = guarded(app, complain)
    except (LithoError, OSError) as error:  # the system may refuse another process
        complain(explained(error))
        status = 1
    except KeyboardInterrupt:  # a second one, when the first had ended the child already
        _complain_interrupted()
        status = 130
    sys.exit(status)


def clear_errors(extra: str = "") -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a command print expected errors as one line on standard error and exit with 1, without a traceback.

    Ctrl-C and SIGTERM (a scheduler's way to end a job) unwind the command, so that it leaves nothing half-written, and
    exit with 130 and 143.

    Parameters
    ----------
    extra : str
        The optional extra that brings the packages which the command needs beyond the runtime's.
    """

    def decorate(command: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(command)
        def cleared(*args: P.args, **kwargs: P.kwargs) -> T:
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
            except BrokenPipeError:  # the reader of our summary, `head` say, has left
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(1) from None
            except OSError as error:
                _fail(explained(error))
            except KeyboardInterrupt:
                _complain_interrupted()
                raise typer.Exit(130) from None

        return cleared

    return decorate


def _terminate(number: int, frame: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # a second one must not disturb the tidying up
    raise SystemExit(128 + number)


def say(line: str, err: bool = False) -> None:
    """Print a line that may quote a file: what a terminal could not print, or would obey, is escaped."""
    typer.echo(_printable(line), err=err)


def explained(error: Exception) -> str:
    """Say an error in words: what is wrong, where it is known; that it was not foreseen, where it is not."""
    if isinstance(error, LithoError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"out of memory, or over the run's memory limit: {error}".removesuffix(": ")
    if isinstance(error, OSError):
        return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    return unexpected(error)


def _complain_interrupted() -> None:
    """Say that the user has ended the run."""
    typer.echo("interrupted; nothing was left half-written", err=True)


def _fail(message: str) -> NoReturn:
    complain(message)
    raise typer.Exit(1)


def complain(message: str) -> None:
    """Print an error on one line of standard error, escaped as `say` does."""
    line = _printable(" ".join(message.split()))
    if len(line) > MAX_MESSAGE:  # names in a file may be as long as it likes
        line = f"{line[: MAX_MESSAGE // 2]} … {line[-MAX_MESSAGE // 2 :]}"
    typer.echo(f"error: {line}", err=True)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def progress(items: Iterable[T], label: str, total: int, size: Callable[[T], int] = lambda item: 1) -> Iterator[T]:
    """Pass items on, with a bar on standard error if that is a terminal.

    Parameters
    ----------
    items : iterable
        What is passed on.
    label : str
        What the bar says.
    total : int
        Sum of the items' sizes.
    size : callable, optional
        Size of an item.
    """
    if not sys.stderr.isatty():
        for item in items:
            advanced()
            yield item
        return
    from rich.console import Console  # typer brings rich
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task: Any = bar.add_task(label, total=total)
        for item in items:
            advanced()
            yield item
            bar.advance(task, size(item))
