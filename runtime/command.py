"""What the three command-line tools share: one clear line for an error, progress on a terminal, quiet in a pipe."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, ParamSpec, TypeVar

import typer

from .errors import LithoError

P = ParamSpec("P")
T = TypeVar("T")

EXTRA_OF = {
    "torch": "training",
    "pandas": "training",
    "scipy": "training",
    "sklearn": "training",
    "onnx": "export",
    "matplotlib": "report",
}
"""The extra that brings a package which the runtime alone does not need."""


def new_app(help: str) -> typer.Typer:
    """Make a command-line application with the house's settings."""
    return typer.Typer(help=help, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def clear_errors(command: Callable[P, T]) -> Callable[P, T]:
    """Make a command print expected errors as one line on standard error and exit with 1, without a traceback.

    Ctrl-C and SIGTERM (a scheduler's way to end a job) unwind the command, so that it leaves nothing half-written, and
    exit with 130 and 143.
    """

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        def terminate(number: int, frame: object) -> NoReturn:
            raise SystemExit(128 + number)

        signal.signal(signal.SIGTERM, terminate)
        try:
            return command(*args, **kwargs)
        except LithoError as error:
            _fail(str(error))
        except ModuleNotFoundError as error:
            extra = EXTRA_OF.get((error.name or "").partition(".")[0])
            if extra is None:
                raise
            _fail(f"this command needs {error.name}: pip install 'lithovae[{extra}]'")
        except BrokenPipeError:  # the reader of our summary, `head` say, has left
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except OSError as error:
            _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        except KeyboardInterrupt:
            typer.echo("interrupted; nothing was left half-written", err=True)
            raise typer.Exit(130) from None

    return guarded


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    raise typer.Exit(1)


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
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task: Any = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task, size(item))
