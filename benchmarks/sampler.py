"""A sampling profiler: where LithoVAE's threads are, from their stacks every few milliseconds."""

from __future__ import annotations

import linecache
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import lithovae.runtime

RUNTIME = Path(lithovae.runtime.__file__).parent
INTERVAL = 0.002
SHOWN = 8


def sampled(run: Callable[[], object]) -> dict[str, float]:
    """Run a function; return the lines of the runtime where its threads spent most time, as threads on average.

    A line includes everything that it calls outside the runtime: numpy, h5py, onnxruntime, waiting.
    """
    places: Counter[str] = Counter()
    done = threading.Event()
    looks = 0

    def look() -> None:
        nonlocal looks
        while not done.is_set():
            looks += 1
            for thread, frame in sys._current_frames().items():
                if thread != threading.get_ident() and (place := _place(frame)):
                    places[place] += 1
            time.sleep(INTERVAL)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        run()
    finally:
        done.set()
        watcher.join()
    return {place: n / max(1, looks) for place, n in places.most_common(SHOWN)}


def _place(frame: FrameType | None) -> str:
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(RUNTIME):
            line = linecache.getline(str(path), frame.f_lineno).strip()
            return f"{path.name} {frame.f_code.co_name}: {line[:70]}"
        frame = frame.f_back
    return ""
