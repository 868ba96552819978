"""Run all of `lithovae-run`, including its guard, in a process forked from this one, which saves the import time."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import h5py  # noqa: F401 (so that a forked process need not import it)
from typer.testing import CliRunner

from lithovae.runtime.commands import one_scan  # noqa: F401 (likewise)
from lithovae.runtime.commands.run import app
from lithovae.runtime.console import run_guarded
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.report import run_log  # noqa: F401 (likewise)

CliRunner().invoke(app, ["no such file", "--out", "none.npz"])  # typer imports modules when it is first used


@dataclass(frozen=True)
class Done:
    """How a run ended.

    Attributes
    ----------
    status : int or None
        Exit status; None for a run that was killed after the timeout, or that died of a signal.
    out, err : str
        What it printed.
    seconds : float
        Duration.
    memory : int
        Peak memory in bytes beyond that of this process.
    """

    status: int | None
    out: str
    err: str
    seconds: float
    memory: int


def run(*arguments: str | Path, model: LithoModel, timeout: float = 90) -> Done:
    """Run ``lithovae-run`` with arguments and a model that is already loaded."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        child = os.fork()
        if child == 0:
            _be_child([*map(str, arguments)], model, out.fileno(), err.fileno())
        status, ended, used = None, 0, resource.getrusage(resource.RUSAGE_SELF)
        while not ended:
            ended, code, used = os.wait4(child, os.WNOHANG)
            if time.monotonic() > start + timeout:
                os.killpg(child, signal.SIGKILL)
            elif not ended:
                time.sleep(0.002)
        seconds = time.monotonic() - start
        if os.WIFEXITED(code):
            status = os.WEXITSTATUS(code)
        initial = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return Done(status, _text(out), _text(err), seconds, (used.ru_maxrss - initial) * 1024)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="backslashreplace")


def _be_child(arguments: list[str], model: LithoModel, out: int, err: int) -> NoReturn:
    status = 70
    gc.freeze()  # a garbage collection would copy all memory shared with the parent
    try:
        os.setpgid(0, 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        LithoModel.load = classmethod(lambda cls, name, threads=None: model)  # type: ignore[method-assign, assignment]
        run_guarded(lambda: app(arguments))
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
