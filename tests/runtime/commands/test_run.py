from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from lithovae.runtime.commands.run import app
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.model.bundle import find_bundle

LITHOVAE_RUN = str(Path(sys.executable).parent / "lithovae-run")


@pytest.fixture
def run() -> CliRunner:
    return CliRunner()


def test_prints_what_it_read_and_wrote(run: CliRunner, root: Path, tmp_path: Path) -> None:
    done = run.invoke(app, [str(root / "examples" / "scan.h5"), "--out", str(tmp_path / "emb.npz")])
    assert done.exit_code == 0, done.output
    assert done.stderr == ""  # no progress bar in a pipe
    for line in (
        "NGR/NGR total counts (cps)\n",
        "RGB/R (0-255)",
        "RGB/depth (cm)",
        "142 bins of 0.2 m, from 4 tables",
        "semisup_hybrid, trained on: Simulated data",
        "embeddings (142, 10) float32",
    ):
        assert line in done.stdout


def test_what_the_scan_lacks_is_one_line(run: CliRunner, write_scan: Callable[..., Path], tmp_path: Path) -> None:
    scan = write_scan({"R": [1.0, 2.0, np.nan], "G": [1.0, np.nan, np.nan], "B": [300.0, 2.0, 3.0]})
    said = run.invoke(app, [str(scan), "--out", str(tmp_path / "emb.npz")]).stdout.splitlines()
    assert [line.removeprefix("note   ") for line in said if "missing" in line or "outside" in line] == [
        f"{', '.join(FEATURE_NAMES[:3])} are missing in all 3 rows: imputed",
        "R is missing in 1 of 3 rows: imputed",
        "G is missing in 2 of 3 rows: imputed",
        "B is outside 0 to 255 in 1 of 3 rows: is it in another unit?",
        "       which features, row by row: the bits of 'missing' and 'implausible' in the output",
    ]


def test_without_arguments_it_prints_its_usage(run: CliRunner) -> None:
    done = run.invoke(app, [])
    assert done.exit_code == 2
    assert "SCAN..." in done.output
    assert "--out" in done.output


def test_a_missing_feature_is_printed_with_its_effect(run: CliRunner, flat_scan: Path, tmp_path: Path) -> None:
    with h5py.File(flat_scan, "a") as file:
        del file[FEATURE_NAMES[2]]
    arguments = [str(flat_scan), "--out", str(tmp_path / "emb.npz"), "--model"]
    for model, effect in (("semisup_hybrid", "imputed"), ("semisup", "embedding is NaN")):
        said = run.invoke(app, [*arguments, model]).stdout
        assert f"{FEATURE_NAMES[2]:38} not in this scan" in said
        assert f"NGR total counts (cps) is missing in all 1,000 rows: {effect}" in said
    assert "1,000 of 1,000 rows have no embedding (NaN); the hybrid models impute" in said


def test_map_names_a_column(run: CliRunner, flat_scan: Path, tmp_path: Path) -> None:
    with h5py.File(flat_scan, "a") as file:
        file["odd name=7"] = file["R"][:] * 0
    arguments = [str(flat_scan), "--out", str(tmp_path / "emb.npz"), "--map", "R=odd name=7"]
    assert f"{'R':38} odd name=7 (no unit given)" in run.invoke(app, arguments).stdout
    assert run.invoke(app, [*arguments, "--map", "nonsense"]).exit_code == 2


def write(path: Path, **datasets: object) -> None:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values


def truncated(path: Path) -> None:
    write(path, R=np.ones(10_000))
    path.write_bytes(path.read_bytes()[:9_000])


def spoilt_bundle(path: Path) -> None:
    write(path, R=np.ones(3))
    bundle = Path(shutil.copytree(find_bundle("unsup"), path.parent / "bundle"))
    data = bytearray((bundle / "encoder.onnx").read_bytes())
    data[1000] ^= 255
    (bundle / "encoder.onnx").write_bytes(data)


BAD = {
    "no such file": lambda path: None,
    "is text, but not a table of numbers": lambda path: path.write_text("depth,density\n"),
    "is not an HDF5 file, nor a table in text": lambda path: path.write_bytes(b""),
    "is a folder": lambda path: path.mkdir(),
    "is truncated, damaged or still being written": truncated,
    "none of the features is among its columns (porosity)": lambda path: write(path, porosity=np.ones(3)),
    "holds text, not numbers": lambda path: write(path, R=[b"red", b"redder"]),
    "has no depth": lambda path: write(path, **{"a/MS": np.ones(2), "b/R": np.ones(3)}),
    "does not say what its columns are": lambda path: write(path, data=np.ones((4, 6))),
    "could be any of": lambda path: write(path, **{"a/R": np.ones(2), "b/R": np.ones(2)}),
    "not the file that the manifest pins": spoilt_bundle,
}


@pytest.mark.parametrize("message", BAD)
def test_wrong_input_is_one_clear_line_and_no_output(run: CliRunner, tmp_path: Path, message: str) -> None:
    scan, out = tmp_path / "scan.h5", tmp_path / "emb.npz"
    BAD[message](scan)
    model = str(tmp_path / "bundle") if (tmp_path / "bundle").exists() else "unsup"
    before = sorted(tmp_path.iterdir())
    done = run.invoke(app, [str(scan), "--out", str(out), "--model", model])
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert message.strip() in done.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture(scope="module")
def long_scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan that takes some seconds."""
    path = tmp_path_factory.mktemp("long") / "scan.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", (12_000_000, 6), "f4", chunks=(65_536, 6), compression="gzip")
        data.attrs["columns"] = list(FEATURE_NAMES)
        block = np.random.default_rng(0).uniform(1, 3, (65_536, 6)).round(1).astype("f4")
        for start in range(0, len(data), len(block)):
            data[start : start + len(block)] = block[: len(data) - start]
    return path


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_nothing(long_scan: Path, tmp_path: Path, number: int, status: int) -> None:
    out = tmp_path / "emb.npz"
    process = subprocess.Popen(
        [LITHOVAE_RUN, str(long_scan), "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background inherit it ignored
    )
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 1_000_000 for path in tmp_path.iterdir()):
        assert process.poll() is None, "the run ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_sees_progress(long_scan: Path, tmp_path: Path) -> None:
    main, terminal = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    arguments = [LITHOVAE_RUN, str(long_scan), "--out", str(tmp_path / "emb.npz")]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=terminal, env=environment) as process:
        os.close(terminal)
        seen = b""
        try:
            while chunk := os.read(main, 4096):
                seen += chunk
        except OSError:  # on Linux: the other end has closed
            pass
    assert process.returncode == 0
    assert b"embedding" in seen
    assert b"%" in seen


def test_memory_does_not_grow_with_the_scan(long_scan: Path, root: Path, tmp_path: Path) -> None:
    # A child's peak includes its state at the fork, a copy of its parent: so the parent must be small, not pytest.
    measure = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
    )

    def peak(scan: Path) -> int:
        command = [sys.executable, "-c", measure, LITHOVAE_RUN, str(scan), "--out", str(tmp_path / "emb.npz")]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    small, large = peak(root / "examples" / "scan.h5"), peak(long_scan)  # 288 MB of features, 480 MB of embeddings
    assert large < 250e6
    assert large < small + 60e6
