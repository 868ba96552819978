"""A growing result that an earlier run began: whether this run may continue it, and whether another still writes it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lithovae.runtime.errors import OutputError

SETTINGS = {
    "scan": "the scan",
    "map": "--map",
    "bin_width": "--bin",
    "missing": "--missing",
    "bundle": "--model",
    "checkpoint_sha256": "the model's checkpoint",
    "features": "the features",
}
"""What the provenance of two runs must have in common, and what a message calls it."""
OPTIONS = {
    "top": ("--classify and --top", 0),
    "all_probabilities": ("--top all", False),
    "quality": ("--quality", False),
}
"""Options that they must have in common, too, and the value in a file from before there were these."""
LOCK_SECONDS = 15.0
"""Seconds for which a run waits for another one that is about to end, for example after its guard was killed."""


def foreign(path: Path, why: str) -> OutputError:
    """Return the error for an existing file that this command did not write."""
    return OutputError(
        f"{path} already exists and was not written by lithovae follow ({why}): it will not be overwritten; choose "
        "another name",
        path,
    )


def require_same(path: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that the provenance of an existing file is that of this run.

    Raises
    ------
    OutputError
        If another scan, model or setting was used.
    """
    now = json.loads(json.dumps(now))  # tuples become lists, as in the file
    compared = [(name, earlier.get(key), now.get(key)) for key, name in SETTINGS.items()]
    compared.append(("--calibration", earlier.get("calibrations") or {}, now.get("calibrations") or {}))
    before, after = earlier.get("options") or {}, now.get("options") or {}
    compared += [(name, before.get(key, usual), after.get(key, usual)) for key, (name, usual) in OPTIONS.items()]
    if after.get("top") or after.get("quality"):  # these need more of a bundle than its checkpoint
        compared.append(("the model's bundle", earlier.get("bundle_sha256"), now.get("bundle_sha256")))
    for name, before, after in compared:
        if before != after:
            raise OutputError(
                f"{path} was written with another value for {name} ({_short(before)}; now {_short(after)}): it will "
                "not be continued or overwritten; choose another name",
                path,
            )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


class Lock:
    """Keeps other runs from writing a file, while readers may open it; released when the process ends.

    Parameters
    ----------
    path : Path
        The file; it must exist.

    Raises
    ------
    OutputError
        If another run writes it.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = None
        try:
            import fcntl
        except ImportError:  # Windows keeps a second writer from a file by itself
            return
        self._descriptor = os.open(path, os.O_RDWR)
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # readers of HDF5 take such locks, too
                return
            except BlockingIOError as error:
                if time.monotonic() > end:
                    self.release()
                    raise OutputError(
                        f"{path} is open in another program, perhaps another lithovae follow: end that first", path
                    ) from error
                time.sleep(0.1)
            except OSError:  # a file system without locks
                return

    def release(self) -> None:
        """Let other runs write the file."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None
