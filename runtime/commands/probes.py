"""Checks of ``lithovae doctor`` that load libraries, or touch folders and bundles: each in a process of its own.

``python -m lithovae.runtime.commands.probes NAME [ARGUMENT]`` prints JSON lines: what it is about to do, and an `Item`
for each line of the diagnosis. If it crashes, its parent has what was printed before.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from .diagnosis import Item, Status, failed

BENCHMARK_MODEL = "semisup_hybrid"
BENCHMARK_ROWS = 1 << 16
BENCHMARK_SECONDS = 1.2
"""Time for each of five figures."""
FEW_FREE_BYTES = 1 << 30

Step = tuple[str, Callable[[], Iterator[Item]]]


def hdf5() -> Iterator[Step]:
    """Try HDF5: its version, its filters, its locks."""
    yield "h5py", _hdf5_version
    yield "filters", _filters
    yield "locking", _locking_variable


def _hdf5_version() -> Iterator[Item]:
    from lithovae.runtime.formats.hdf5.file import HDF5_VERSION

    yield Item("HDF5", "HDF5", "ok", HDF5_VERSION, value=HDF5_VERSION)


def _filters() -> Iterator[Item]:
    from lithovae.runtime.formats.hdf5.filters import available_filters

    found = available_filters()
    lacking = [name for name, is_there in found.items() if not is_there]
    has = ", ".join(name for name, is_there in found.items() if is_there)
    without = f"; not {', '.join(lacking)}" if lacking else ""
    if found["Blosc"] and found["Zstandard"]:
        yield Item("HDF5", "filters", "ok", f"{has}{without}", value=found)
    else:
        advice = "if scans are compressed with others: pip install 'lithovae[filters]'"
        yield Item("HDF5", "filters", "ok", f"{has}{without}", advice, found)
    plugins = os.environ.get("HDF5_PLUGIN_PATH", "")
    for folder in filter(None, plugins.split(os.pathsep)):
        if not Path(folder).is_dir():
            yield Item("HDF5", "plugins", "note", f"HDF5_PLUGIN_PATH names no folder: {folder}", "correct or unset it")


def _locking_variable() -> Iterator[Item]:
    from lithovae.runtime.formats.hdf5.locking import CHOICES, VARIABLE, variable

    value = variable()
    if value is None:
        yield Item("HDF5", "locking", "ok", f"{VARIABLE} is not set: as each program asks for")
    elif value in CHOICES:
        yield Item("HDF5", "locking", "ok", f"{VARIABLE}={value}, whatever a program asks for", value=value)
    else:
        advice = f"set it to one of {', '.join(CHOICES)}"
        yield Item("HDF5", "locking", "note", f"{VARIABLE}={value!r} is ignored by HDF5", advice, value)


def folder(path: str) -> Iterator[Step]:
    """Try a folder of scans and results: reading, writing, room, locks."""
    yield path, partial(_folder, Path(path))


def _folder(given: Path) -> Iterator[Item]:
    path = given.resolve(strict=True)
    name = str(path)
    if not path.is_dir():
        yield Item("folders", name, "problem", "is not a folder", "name the folder that the files are in")
        return
    try:
        os.listdir(path)
    except OSError as error:
        yield Item("folders", name, "problem", f"cannot be read: {error.strerror}", "ask for the right to read it")
        return
    if (why_not := _why_not_writable(path)) is not None:
        advice = "scans can be read here; write results to another folder"
        yield Item("folders", name, "note", f"not writable: {why_not}", advice, {"writable": False})
        return
    free = shutil.disk_usage(path).free
    unreadable, unlockable = _locks(path)
    value = {"writable": True, "free": free, "locks": not unlockable}
    found = f"writable, {free / 1e9:,.1f} GB free"
    status: Status = "ok"
    advice = ""
    if unreadable:
        status, found = "problem", f"{found}; HDF5 cannot open a file here: {unreadable}"
        advice = "set HDF5_USE_FILE_LOCKING=FALSE, if no program writes the files while you read them"
    elif unlockable:
        status, found = "note", f"{found}; no file locks: {unlockable}"
        advice = "do not run on a file while a program writes it"
    else:
        found += ", HDF5 opens and locks files"
    if free < FEW_FREE_BYTES and not advice:
        status, advice = "note", "a result takes about 60 bytes for each row"
    yield Item("folders", name, status, found, advice, value)


def _locks(path: Path) -> tuple[str, str]:
    from lithovae.runtime.formats.hdf5.locking import try_folder

    return try_folder(path)


def _why_not_writable(path: Path) -> str | None:
    """Return why a result cannot be written in a folder, by writing one; None if it can."""
    from lithovae.runtime.errors import OutputError
    from lithovae.runtime.outputs.whole_file import whole_file

    trial = path / f".lithovae-doctor-{os.getpid()}"
    try:
        with whole_file(trial) as file:
            file.write(b"a trial of lithovae doctor")
    except OutputError as error:
        return str(error)
    finally:
        trial.unlink(missing_ok=True)
    return None


def temporary() -> Iterator[Step]:
    """Try the folder for temporary files."""
    yield "temporary files", _temporary


def _temporary() -> Iterator[Item]:
    advice = "set TMPDIR to a folder that you may write: compressed tables are unpacked there"
    try:
        path = tempfile.gettempdir()
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
    except OSError as error:
        yield Item("folders", "temporary files", "problem", f"no writable folder: {error.strerror or error}", advice)
        return
    free = shutil.disk_usage(path).free
    few = free < FEW_FREE_BYTES
    found = f"{path}, writable, {free / 1e9:,.1f} GB free"
    yield Item("folders", "temporary files", "note" if few else "ok", found, advice if few else "", {"free": free})


def onnxruntime() -> Iterator[Step]:
    """Try ONNX Runtime: that it can be loaded, and that its telemetry is off."""
    yield "onnxruntime", _onnxruntime


def _onnxruntime() -> Iterator[Item]:
    from lithovae.runtime.model.session import ORT_VERSION, telemetry_is_off

    yield Item("models", "ONNX Runtime", "ok", f"{ORT_VERSION} can be loaded", value=ORT_VERSION)
    if not telemetry_is_off():
        yield Item("models", "telemetry", "problem", "on", "set ORT_DISABLE_TELEMETRY=1 before the program starts")
    else:
        yield Item("models", "telemetry", "ok", "off (ORT_DISABLE_TELEMETRY=1)", value=True)


def bundles(*names: str) -> Iterator[Step]:
    """Try bundles, the shipped ones if none is named: their files against the manifest, and their golden rows."""
    from lithovae.runtime.model.bundle import SHIPPED

    for name in names or SHIPPED:
        yield name, partial(_bundle, name)


def _bundle(name: str) -> Iterator[Item]:
    from lithovae.runtime.model.bundle import Bundle
    from lithovae.runtime.model.verify import require, verify

    read = Bundle.read(name)
    checks = verify(read)
    require(read, checks)
    classes = f", {len(read.classes)} lithologies" if read.classes else ""
    worst = max(check.error / check.tolerance for check in checks)
    found = f"{read.latent_dim}-D{classes}; golden rows reproduced, to {worst:.0%} of what is allowed; {read.path}"
    value = {"path": str(read.path), "schema": read.description["schema"], "share_of_tolerance": worst}
    yield Item("models", name, "ok", found, value=value)


def benchmark() -> Iterator[Step]:
    """Measure rows per second and the latency of a row."""
    yield "benchmark", _benchmark


def _benchmark() -> Iterator[Item]:
    import numpy as np

    from lithovae.runtime.model.model import LithoModel

    model = LithoModel.load(BENCHMARK_MODEL)
    several = model.threads
    rows = np.repeat(model.bundle.fill[None, :], BENCHMARK_ROWS, axis=0)
    rows *= np.random.default_rng(0).normal(1, 0.05, rows.shape).astype(np.float32)
    single = LithoModel(model.bundle, threads=1)
    for name, alone, together in (
        ("embedding", single.embed, model.embed),
        ("classification", single.classify, model.classify),
    ):
        speeds = {1: len(rows) / _seconds(partial(alone, rows))}
        if several > 1:
            speeds[several] = len(rows) / _seconds(partial(together, rows))
        found = ", ".join(f"{v / 1e6:.2f} M rows/s on {n} thread{'s' * (n > 1)}" for n, v in speeds.items())
        no_gain = several > 1 and speeds[several] < 1.2 * speeds[1]
        advice = f"{several} threads gain little: other programs use the cores, or fewer are there than granted"
        value = {str(n): round(v) for n, v in speeds.items()}
        yield Item("benchmark", name, "note" if no_gain else "ok", found, advice if no_gain else "", value)
    live, row = model.live(), rows[0]
    latency = _seconds(lambda: live.embed(row)) * 1e6
    yield Item("benchmark", "live, one row", "ok", f"{latency:.1f} µs (median)", value=round(latency, 1))


def _seconds(work: Callable[[], object]) -> float:
    """Return the median time in seconds that some work takes."""
    work()
    times: list[float] = []
    end = time.perf_counter() + BENCHMARK_SECONDS
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


PROBES: dict[str, tuple[str, Callable[..., Iterator[Step]]]] = {
    "hdf5": ("HDF5", hdf5),
    "folder": ("folders", folder),
    "temporary": ("folders", temporary),
    "onnxruntime": ("models", onnxruntime),
    "bundles": ("models", bundles),
    "benchmark": ("benchmark", benchmark),
}
"""The probes, by name, with their area."""


def main(probe: str, *arguments: str) -> None:
    """Run a probe, and print its lines."""
    area, steps = PROBES[probe]
    try:
        for name, step in steps(*arguments):
            _send({"doing": name})
            _take(area, name, step)
    except Exception as error:
        _send(asdict(failed(area, probe, error)))


def _take(area: str, name: str, step: Callable[[], Iterator[Item]]) -> None:
    try:
        for item in step():
            _send(asdict(item))
    except Exception as error:  # the next step may work
        _send(asdict(failed(area, name, error)))


def _send(entry: object) -> None:
    print(json.dumps(entry), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
