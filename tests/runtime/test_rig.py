"""The runtime as installed on a rig: a wheel, the runtime's dependencies only, no network."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest

UNWANTED = ("torch", "onnx", "sklearn", "scipy", "pandas", "matplotlib", "pytest")
RIG = Path(__file__).parents[2] / ".venv" / "run" / "bin"
pytestmark = pytest.mark.skipif(not (RIG / "python").exists(), reason="no .venv/run: `make demo` creates it")


def rig(*arguments: str | Path, home: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the rig's Python outside the checkout, with an empty home folder."""
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    command = [str(RIG / "python"), *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def away(tmp_path: Path) -> Path:
    (tmp_path / "away").mkdir()
    return tmp_path / "away"


def test_only_the_runtimes_dependencies_are_installed(home: Path, away: Path) -> None:
    for package in UNWANTED:
        assert rig("-c", f"import {package}", home=home, cwd=away).returncode != 0, package


def test_models_and_runtime_import_without_torch_and_shadow_nothing(home: Path, away: Path) -> None:
    program = """
import sys, lithovae.models, lithovae.models.scaler, lithovae.runtime, lithovae.runtime.commands.one_scan
print(lithovae.runtime.__file__)
for name in ("models", "runtime", "export", "training"):
    try:
        __import__(name)
    except ImportError:
        continue
    print("shadows", name)
"""
    done = rig("-c", program, home=home, cwd=away)
    assert done.returncode == 0, done.stderr
    assert "site-packages" in done.stdout
    assert "shadows" not in done.stdout


def test_runtime_imports_none_of_the_other_packages_code(home: Path, away: Path) -> None:
    program = """
import sys
from lithovae.runtime import LithoModel
import lithovae.runtime.commands.one_scan
LithoModel.load("semisup").classify([[1.7, 20, 30, 60, 60, 50]])
print(sorted(name for name in sys.modules if name.startswith("lithovae.") and not name.startswith("lithovae.runtime")))
"""
    done = rig("-c", program, home=home, cwd=away)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"), reason="needs Linux's seccomp"
)
def test_a_run_opens_no_socket_and_writes_nothing_at_home(root: Path, home: Path, away: Path) -> None:
    guard = root / "tests" / "no_sockets.py"
    (away / "opens.py").write_text("import socket; socket.socket(); print('opened')")
    assert rig(guard, away / "opens.py", home=home, cwd=away).returncode != 0  # the guard works
    done = rig(guard, RIG / "lithovae-run", root / "examples" / "scan.h5", "--out", "emb.npz", home=home, cwd=away)
    assert done.returncode == 0, done.stderr
    assert list(home.iterdir()) == []
    assert sorted(path.name for path in away.iterdir()) == ["emb.npz", "opens.py"]
    with np.load(away / "emb.npz", allow_pickle=False) as arrays:
        assert np.isfinite(arrays["embeddings"]).all()


def test_help_waits_for_no_heavy_import(home: Path, away: Path) -> None:
    program = """
import sys
from lithovae.runtime.commands.run import app
try:
    app(["--help"])
except SystemExit:
    pass
print(sorted({"numpy", "h5py", "onnxruntime"} & set(sys.modules)))
"""
    done = rig("-c", program, home=home, cwd=away)
    assert "--model" in done.stdout
    assert done.stdout.endswith("[]\n"), done.stderr


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["lithovae-train", "simulate", "--out", "t.csv"], "training"),
        (["lithovae-train", "fit", "t.csv", "--out", "m.pt"], "training,export"),
        (["lithovae-export", "m.pt", "--out", "bundle"], "export"),
    ],
)
def test_commands_that_need_more_name_the_extra(home: Path, away: Path, command: list[str], extra: str) -> None:
    done = rig(RIG / command[0], *command[1:], home=home, cwd=away)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"pip install 'lithovae[{extra}]'" in done.stderr


def test_a_program_that_used_threads_can_exit(home: Path, away: Path) -> None:
    program = "from lithovae.runtime import LithoModel\nLithoModel.load('unsup', threads=4).embed([[1.0] * 6] * 20000)"
    done = rig("-c", program, home=home, cwd=away)
    assert (done.returncode, done.stderr) == (0, "")


def test_installed_size_is_that_of_a_runtime() -> None:
    assert sum(entry.stat().st_size for entry in (RIG.parent).rglob("*") if entry.is_file()) < 300e6
    assert os.access(RIG / "lithovae-run", os.X_OK)
