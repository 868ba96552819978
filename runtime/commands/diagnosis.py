"""What ``lithovae doctor`` looks at. Here nothing heavy is imported: what could crash or hang is tried by `probes`.

A check is a function that yields an `Item` for each line. It may fail in any way: `checked` makes a line of that.
"""

from __future__ import annotations

import importlib.metadata
import json
import locale
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lithovae.runtime.console import has_stdout
from lithovae.runtime.errors import LithoError, unexpected
from lithovae.runtime.process import memory
from lithovae.runtime.process.threads import SLURM, Grant

Status = Literal["ok", "note", "problem"]
"""``note``: works, but not as well as it could, or not everywhere. ``problem``: something will fail."""

PROBE_SECONDS = 60
"""Time that a probe may take: a network file system that does not answer must not keep the others waiting."""
FEW_BYTES, TOO_FEW_BYTES = 1 << 29, 1 << 28
"""Memory below which a run may be slow or fail, and below which it will fail; it takes about 160 MB."""

PACKAGE = "lithovae"
PURPOSES = {
    "fast": "reads gzipped scans faster",
    "filters": "reads Blosc, LZ4 and Zstandard",
    "tables": "reads LAS, Excel, OpenDocument and Parquet",
    "report": "draws reports as PNG and PDF",
    "xarray": "opens results as xarray datasets",
    "export": "exports checkpoints",
    "training": "trains models",
}
"""What the optional extras are for, in the order in which they are listed."""
VARIABLES = (
    "HDF5_PLUGIN_PATH", "HDF5_USE_FILE_LOCKING", "LC_ALL", "LC_CTYPE", "LANG", "NO_COLOR", "OMP_NUM_THREADS",
    "PYTHONIOENCODING", "PYTHONPATH", "PYTHONUTF8", "SLURM_CPUS_ON_NODE", SLURM, "SLURM_JOB_ID", "SLURM_MEM_PER_CPU",
    "SLURM_MEM_PER_NODE", "TERM", "TMPDIR",
)  # fmt: skip
"""Environment variables that change a run. No other is quoted."""


@dataclass(frozen=True)
class Item:
    """A line of the diagnosis.

    Attributes
    ----------
    area, name : str
        What was looked at.
    status : {"ok", "note", "problem"}
        Whether it is as it should be.
    found : str
        What was found.
    advice : str
        What to do; empty if there is nothing to do.
    value : object
        What was found, for programs: of a JSON type.
    """

    area: str
    name: str
    status: Status
    found: str
    advice: str = ""
    value: Any = None


def diagnose(folders: Iterable[str], bundles: Iterable[str], benchmark: bool) -> Iterator[Item]:
    """Look at everything that decides whether and how fast LithoVAE runs here, and yield a line for each.

    Parameters
    ----------
    folders : iterable of str
        Folders of scans and results.
    bundles : iterable of str
        Names and folders of bundles to verify, beside the shipped ones.
    benchmark : bool
        Whether to measure the speed, for at most ten seconds.
    """
    for area, check in CHECKS.items():
        yield from checked(area, check)
    yield from probed("HDF5", "hdf5")
    for folder in folders:
        yield from probed("folders", "folder", folder)
    yield from probed("folders", "temporary")
    yield from probed("models", "onnxruntime")
    yield from probed("models", "bundles")
    for bundle in bundles:
        yield from probed("models", "bundles", bundle)
    if benchmark:
        yield from probed("benchmark", "benchmark")


def checked(area: str, check: Callable[[], Iterator[Item]]) -> Iterator[Item]:
    """Yield what a check yields; a problem if it fails."""
    try:
        yield from check()
    except Exception as error:  # whatever is broken here is what the doctor is for
        yield failed(area, check.__name__, error)


def failed(area: str, name: str, error: Exception) -> Item:
    """Return the line for a check that has raised an error."""
    if isinstance(error, LithoError):
        return Item(area, name, "problem", str(error))
    if isinstance(error, ImportError):
        package = (error.name or "lithovae").partition(".")[0]
        found = f"{package} cannot be imported: {' '.join(str(error).split())}"
        return Item(area, name, "problem", found, f"pip install --force-reinstall {package}")
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return Item(area, name, "problem", f"{error.strerror or error}{where}")
    return Item(area, name, "problem", unexpected(error))


def probed(area: str, probe: str, *arguments: str) -> Iterator[Item]:
    """Run a probe in a Python of its own, and yield its lines; a problem if that crashes or does not end."""
    if not sys.executable:
        yield Item(area, probe, "problem", "not tried: this program does not know its Python", "run it as `lithovae`")
        return
    command = [sys.executable, "-P", "-m", "lithovae.runtime.commands.probes", probe, *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_SECONDS)
        said, errors, status = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as error:
        said, errors, status = error.stdout or b"", b"", None
    except OSError as error:
        yield Item(area, probe, "problem", f"not tried: another process cannot be started: {error.strerror or error}")
        return
    doing = arguments[0] if arguments else probe
    for line in said.decode("ascii", "replace").splitlines():
        try:
            entry = json.loads(line)
            if "doing" in entry:
                doing = entry["doing"]
                continue
            item = Item(**entry)
        except (ValueError, TypeError):  # printed by a library
            continue
        yield item
    if status is None:
        advice = "is it on a network file system that does not answer?" if area == "folders" else ""
        yield Item(area, doing, "problem", f"stopped: it took more than {PROBE_SECONDS} s", advice)
    elif status != 0:
        last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        found = f"crashed ({_end(status)}){': ' if last else ''}{''.join(last)}"
        yield Item(
            area, doing, "problem", found, "a library is damaged, or made for newer processors: install it again"
        )


def _end(status: int) -> str:
    """Return how a process has ended: its signal, or its exit status."""
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"exit status {status}" if 0 <= status < 256 else f"exit status {status & 0xFFFFFFFF:#x}"


def versions() -> Iterator[Item]:
    """Look at LithoVAE, Python, the system, and the packages that LithoVAE needs or can use."""
    here = Path(__file__).parent.parent
    try:
        version = importlib.metadata.version(PACKAGE)
        yield Item("versions", PACKAGE, "ok", f"{version}, in {here}", value=version)
    except importlib.metadata.PackageNotFoundError:
        yield Item(
            "versions", PACKAGE, "problem", f"not installed, but found in {here}", "pip install it from the clone"
        )
    build = f"{platform.python_implementation()}, {sys.maxsize.bit_length() + 1} bit"
    python = f"{platform.python_version()} ({build}), {sys.executable or 'of unknown path'}"
    yield Item("versions", "Python", "ok", python, value=platform.python_version())
    yield Item("versions", "system", "ok", platform.platform(), value=platform.system())
    machine = f"{platform.machine()}, {os.cpu_count()} processors"
    yield Item("versions", "machine", "ok", machine, value=platform.machine())
    needs = requirements()
    for name, wanted in needs.get("", {}).items():
        found = installed(name)
        if found is None:
            others = [other for other in _variants(name) if installed(other)]
            has = f"not installed, but {', '.join(others)} is" if others else "not installed"
            status: Status = "note" if others else "problem"
            yield Item("versions", name, status, has, "" if others else f"pip install '{name}{wanted}'")
        elif not is_within(found, wanted):
            yield Item("versions", name, "problem", f"{found}, not {wanted}", f"pip install '{name}{wanted}'", found)
        else:
            yield Item("versions", name, "ok", found, value=found)
    for extra, purpose in PURPOSES.items():
        if members := needs.get(extra):
            yield _extra(extra, purpose, members)


def _variants(name: str) -> tuple[str, ...]:
    """Return other distributions of a package."""
    return {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")}.get(name, ())


def _extra(extra: str, purpose: str, members: dict[str, str]) -> Item:
    """Return the line for an optional extra: the versions of its packages, or how to install them."""
    found = {name: installed(name) for name in members}
    has = ", ".join(f"{name} {version or 'not installed'}" for name, version in found.items())
    wrong = [name for name, version in found.items() if version and not is_within(version, members[name])]
    install = f"pip install '{PACKAGE}[{extra}]'"
    if not any(found.values()):
        return Item("versions", f"[{extra}]", "ok", f"not installed; it {purpose}: {install}", value=found)
    if wrong:
        wanted = ", ".join(f"{name}{members[name]}" for name in wrong)
        return Item("versions", f"[{extra}]", "note", f"{has}; needs {wanted}", install, found)
    return Item("versions", f"[{extra}]", "ok", has, value=found)


def requirements() -> dict[str, dict[str, str]]:
    """Return what the package needs: by extra ("" for what it always needs), the version range of each package."""
    found: dict[str, dict[str, str]] = {}
    try:
        stated = importlib.metadata.requires(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        stated = ["numpy", "h5py", "onnxruntime", "typer"]
    for text in stated:
        needed, _, marker = text.partition(";")
        extra = re.search(r"extra\s*==\s*[\"']([\w-]+)", marker)
        if name := re.match(r"[\w.-]+", needed):
            rest = re.sub(r"\[.*?\]|[\s()]", "", needed[name.end() :])
            found.setdefault(extra[1] if extra else "", {})[name[0]] = rest
    return found


def installed(name: str) -> str | None:
    """Return the version of a package; None if it is not installed. It is not imported."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def is_within(version: str, wanted: str) -> bool:
    """Return whether a version is in a range such as ``>=0.12,<0.29``, by the numbers that both begin with."""
    found = _numbers(version)
    for bound in filter(None, wanted.split(",")):
        limit = _numbers(bound.lstrip("<>=!~"))
        if bound.startswith(">=") and found < limit:
            return False
        if bound.startswith("<") and not bound.startswith("<=") and found >= limit:
            return False
    return True


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.partition("+")[0])][:3]


def threads() -> Iterator[Item]:
    """Look at what decides the number of threads, and how many a run will use."""
    grant = Grant.of_this_process()
    has_mask = hasattr(os, "sched_getaffinity")
    what = f"{grant.cores} of {os.cpu_count()} processors ({'affinity mask' if has_mask else 'no affinity mask here'})"
    yield Item("threads", "cores", "ok", what, value=grant.cores)
    quota = "none" if grant.quota is None else f"{grant.quota:g} processors' time"
    yield Item("threads", "CPU quota", "ok", f"{quota} (cgroup)", value=grant.quota)
    if grant.slurm is not None:
        yield Item("threads", "Slurm", "ok", f"{SLURM}={grant.slurm}", value=grant.slurm)
    elif "SLURM_JOB_ID" in os.environ:
        advice = "ask for the processors of a task: --cpus-per-task"
        yield Item("threads", "Slurm", "note", f"a job without {SLURM}: the affinity mask decides", advice)
    else:
        yield Item("threads", "Slurm", "ok", "not in a job")
    will = f"`lithovae run` will use {grant.threads}: {grant.source}"
    most = min(grant.cores, grant.cores if grant.quota is None else grant.quota)
    if grant.threads > most and grant.slurm:
        advice = f"srun --cpus-per-task, or --threads {max(1, int(most))}"
        yield Item("threads", "granted", "note", f"{will}, of which only {most:g} can run", advice, grant.threads)
    else:
        yield Item("threads", "granted", "ok", will, value=grant.threads)
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        busy = load > 2 * (os.cpu_count() or 1)
        advice = "other programs are using the processors: figures and runs will be slow" if busy else ""
        yield Item("threads", "load", "note" if busy else "ok", f"{load:.1f} (last minute)", advice, load)


def limits() -> Iterator[Item]:
    """Look at the memory of the machine and of this process, and at the guard around a run."""
    bounds = memory.memory_bounds()
    meant = {"machine": "memory", "free": "free memory", "cgroup": "memory limit of the cgroup"}
    for name, size in bounds.items():
        status: Status = "problem" if size < TOO_FEW_BYTES else "note" if size < FEW_BYTES else "ok"
        advice = "" if status == "ok" else "a run takes about 160 MB, and more for large storage chunks"
        yield Item("limits", meant.get(name, name), status, f"{size / 1e6:,.0f} MB", advice, size)
    if not hasattr(os, "fork"):
        found = "none: this system has no fork; runs work in their own process, without limits"
        yield Item("limits", "guard", "ok", found, value=False)
    else:
        allowed = f"{memory.allowance() / 1e6:,.0f} MB" if sys.platform == "linux" else "any memory"
        yield Item("limits", "guard", "ok", f"runs are child processes, and may take {allowed}", value=True)
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, unit in (("RLIMIT_CPU", "s of CPU time"), ("RLIMIT_FSIZE", "bytes in a file")):
        soft = resource.getrlimit(getattr(resource, name))[0]
        if soft != resource.RLIM_INFINITY:
            advice = "the system ends what takes more (ulimit, or the scheduler)"
            yield Item("limits", name, "note", f"{soft:,} {unit}", advice, soft)


def surroundings() -> Iterator[Item]:
    """Look at encodings, the terminal, the PATH and the variables that change a run."""
    area = "surroundings"
    escapes = "other letters are shown escaped; for all letters set PYTHONUTF8=1"
    for name, encoding in (
        ("standard output", (sys.stdout and sys.stdout.encoding) or ""),
        ("file names", sys.getfilesystemencoding()),
        ("locale", locale.getencoding()),
    ):
        is_utf8 = encoding.casefold().replace("-", "") == "utf8"
        matters = name != "locale" and not is_utf8  # no file is read or written by the locale
        status: Status = "note" if matters else "ok"
        yield Item(area, name, status, encoding or "closed", escapes if matters else "", encoding)
    if not has_stdout():
        yield Item(area, "terminal", "note", "standard output is closed")
    else:
        is_terminal = sys.stdout.isatty()
        size = f", {shutil.get_terminal_size().columns} columns" if is_terminal else ""
        yield Item(area, "terminal", "ok", f"{'yes' if is_terminal else 'no'}{size}", value=is_terminal)
    yield from _entry_point(area)
    given = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    yield Item(area, "variables", "ok", " ".join(f"{k}={v}" for k, v in given.items()) or "none set", value=given)
    if given.get("PYTHONPATH"):
        advice = "modules there take the place of installed ones: unset it if something is strange"
        yield Item(area, "PYTHONPATH", "note", given["PYTHONPATH"], advice)


def _entry_point(area: str) -> Iterator[Item]:
    """Look whether the shell finds the command of this environment."""
    own = sysconfig.get_path("scripts")
    ours = {Path(own).resolve(), Path(sys.argv[0]).parent.resolve()}  # `pip install --user` has a folder of its own
    found = shutil.which(PACKAGE)
    if found is None:
        yield Item(area, "command", "note", f"lithovae is not on the PATH; it is in {own}", f"add {own} to the PATH")
    elif Path(found).parent.resolve() not in ours:
        advice = f"this is {own}: activate the environment that you mean"
        yield Item(area, "command", "note", f"the shell starts another: {found}", advice, found)
    else:
        yield Item(area, "command", "ok", found, value=found)


CHECKS: dict[str, Callable[[], Iterator[Item]]] = {
    "versions": versions,
    "threads": threads,
    "limits": limits,
    "surroundings": surroundings,
}
"""The checks that run in this process, by area."""
