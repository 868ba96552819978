"""The guard: what it reports when a child dies, what it removes, and how it forwards signals."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lithovae.runtime import console as command
from lithovae.runtime.errors import LithoError, ScanError
from lithovae.runtime.outputs.whole_file import whole_file
from lithovae.runtime.process import guard, heartbeat, memory
from lithovae.runtime.process.guard import guarded, reading
from lithovae.runtime.process.heartbeat import advanced

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
PROGRAM = """
import os, signal, sys, time
from lithovae.runtime.process import guard
from lithovae.runtime.console import clear_errors, new_app, run_guarded
from lithovae.runtime.outputs.whole_file import whole_file

guard.GRACE_SECONDS = 1
app = new_app("A run.")

@app.command()
@clear_errors()
def run(deaf: bool = False) -> None:
    if deaf:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    with whole_file("result"):
        print(os.getpid(), flush=True)
        time.sleep(60)

run_guarded(app)
"""


def end(status: object) -> Callable[[], None]:
    def work() -> None:
        raise SystemExit(status)

    return work


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (None, 0), (2, 2), (130, 130), ("text", 1)])
def test_the_childs_status_is_passed_on(status: object, expected: int) -> None:
    assert guarded(end(status)) == expected


def test_a_program_that_returns_has_status_0() -> None:
    assert guarded(lambda: None) == 0


def test_without_fork_the_work_is_done_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    done: list[int] = []
    assert guarded(lambda: done.append(1)) == 0
    assert done == [1]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE])
def test_a_crash_is_reported_with_its_file_and_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    def work() -> None:
        with whole_file(tmp_path / "result") as file:
            file.write(b"half")
            reading(Path("first.h5"))
            reading(Path("second.h5"))
            os.kill(os.getpid(), number)

    with pytest.raises(ScanError, match=rf"second\.h5: the run crashed \({number.name}\) on this file") as caught:
        guarded(work)
    assert caught.value.path == Path("second.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_grows_under_its_final_name_is_reported_as_kept(tmp_path: Path) -> None:
    def work() -> None:
        guard.keeping(tmp_path / "growing.h5")
        reading(Path("scan.h5"))
        os.kill(os.getpid(), signal.SIGSEGV)

    with pytest.raises(ScanError, match=r"not what it claims to be; .*growing\.h5 keeps what was written before"):
        guarded(work)


def test_a_second_interrupt_when_the_child_has_ended_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(work: object, complain: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "guarded", interrupted)
    with pytest.raises(SystemExit) as end:
        command.run_guarded(lambda: None)
    assert end.value.code == 130
    assert capsys.readouterr().err == "interrupted; nothing was left half-written\n"


def test_a_limit_of_the_users_own_is_kept() -> None:
    def work() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (5, 20))
        advanced()
        assert resource.getrlimit(resource.RLIMIT_CPU) == (20, 20)

    assert guarded(work) == 0


def test_a_crash_before_any_scan_names_none() -> None:
    with pytest.raises(LithoError, match=r"^the run crashed \(SIGSEGV\); nothing") as caught:
        guarded(lambda: os.kill(os.getpid(), signal.SIGSEGV))
    assert caught.value.path is None


def test_a_run_killed_for_its_memory_is_reported_as_such() -> None:
    with pytest.raises(LithoError, match=r"was killed \(SIGKILL\), perhaps because the machine ran out of memory"):
        guarded(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_a_hang_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "CPU_SECONDS", 0)

    def work() -> None:
        reading(Path("scan.h5"))
        advanced()
        while True:
            pass

    with pytest.raises(ScanError, match=r"scan\.h5: the run was stopped: no progress in 0 s of CPU time"):
        guarded(work)


def test_a_step_forward_moves_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        for budget in (10, 1000):
            heartbeat.CPU_SECONDS = budget
            advanced()
            limit = resource.getrlimit(resource.RLIMIT_CPU)[0] - time.process_time()
            assert budget <= limit <= budget + 1

    assert guarded(work) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's RLIMIT_DATA")
def test_memory_is_limited_once_a_scan_is_read() -> None:
    def work() -> None:
        bytearray(memory.MEMORY)
        reading(Path("scan.h5"))
        bytearray(memory.MEMORY // 2)
        with pytest.raises(MemoryError):
            bytearray(2 * memory.MEMORY + memory.MEMORY_PER_PROCESSOR * (os.cpu_count() or 1))

    assert guarded(work) == 0


def test_outside_a_guarded_run_nothing_is_limited() -> None:
    before = [resource.getrlimit(kind) for kind in (resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_CORE)]
    reading(Path("scan.h5"))
    advanced()
    assert guarded(lambda: reading(Path("scan.h5"))) == 0
    after = [resource.getrlimit(kind) for kind in (resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_CORE)]
    assert after == before


def test_what_c_libraries_print_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        os.write(2, b"free(): invalid pointer\n")
        print("a line of ours", file=sys.stderr)
        os.abort()

    with pytest.raises(LithoError, match="SIGABRT"):
        guarded(work)
    assert capfd.readouterr().err == "a line of ours\n"


def test_an_unexpected_error_is_one_line_with_its_location(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise KeyError("two\nlines")

    assert guarded(work) == 1
    err = capfd.readouterr().err
    assert err.startswith("error: unexpected \"KeyError: 'two\\\\nlines'\" in ")
    assert f"{Path(__file__).name}, line " in err
    assert err.count("\n") == 1


def test_only_the_main_thread_exists_at_the_fork() -> None:
    code = """
import os, threading, sys
from lithovae.runtime import cli
def fork(real=os.fork):
    tasks = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
    assert tasks == 1, tasks
    assert not {"numpy", "h5py", "onnxruntime"} & set(sys.modules)
    return real()
os.fork = fork
sys.argv = ["lithovae-run", "--help"]
cli.main()
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "SCAN" in done.stdout


@pytest.fixture
def sleeping(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a guarded run that is writing its result, in its own process group, as from a terminal."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert process.stdout
        process.args = process.stdout.readline()  # the child's pid
        assert len(list(tmp_path.iterdir())) == 1
        return process

    return start


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("to", ["parent", "group", "deaf child"])
def test_a_signal_ends_both_and_leaves_nothing(
    sleeping: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: int, status: int, to: str
) -> None:
    process = sleeping(*(["--deaf"] if to == "deaf child" else []))
    (os.killpg if to == "group" else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == status
    expected = "interrupted; nothing was left half-written\n"
    assert err == (expected if number == signal.SIGINT or to == "deaf child" else "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["--deaf"]])
def test_a_child_does_not_outlive_its_parent(
    sleeping: Callable[..., subprocess.Popen[str]], tmp_path: Path, arguments: list[str]
) -> None:
    process = sleeping(*arguments)
    process.kill()
    process.communicate(timeout=30)  # until the child has also closed its end
    if not arguments:
        assert list(tmp_path.iterdir()) == []
