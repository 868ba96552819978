"""Kills a follower, and the logger that it follows, at random moments, starts them again and compares the output.

``python -m tests.runtime.follow_kills --n 50`` kills each of them 50 times; a table says what became of the bins. Three
instruments: ``gra`` writes depth before value, ``ms`` a column after the other in one flush, ``camera`` fills storage
that was set aside in full.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from lithovae.runtime import LithoModel
from lithovae.runtime.commands.one_scan import embed_scan

LITHOVAE = str(Path(sys.executable).parent / "lithovae")
STEPS = {"gra": (0.03, ("density",)), "ms": (0.05, ("MS",)), "camera": (0.01, ("R", "G", "B"))}
SET_ASIDE = "camera"
PAUSE = 0.02
"""Seconds between two batches."""


def values_of(name: str, depth: np.ndarray) -> np.ndarray:
    """Return what an instrument measures at some depths."""
    scale = 90.0 if name in "RGB" else 1.0
    return np.asarray(scale * (1.5 + np.sin(depth * (7 + len(name) + ord(name[0]) % 5)) ** 2))


def log(path: Path, metres: float) -> None:
    """Write a scan of some metres, batch by batch, in SWMR mode; go on with the rows of an earlier run in a copy."""
    copy = path.with_name("copy.h5")
    with h5py.File(copy, "w", libver="latest") as file:
        for name, (step, columns) in STEPS.items():
            total = round(metres / step) + 50
            for column in ("depth", *columns):
                fixed = name == SET_ASIDE
                file.create_dataset(
                    f"{name}/{column}",
                    (total if fixed else 0,),
                    "f8",
                    maxshape=(total,) if fixed else (None,),
                    chunks=(64,),
                    fillvalue=np.nan if fixed else None,
                )
            file[f"{name}/depth"].attrs["units"] = "m"
        done = dict.fromkeys(STEPS, 0)
        if path.exists():
            with h5py.File(path, "r", swmr=True, locking=False) as old:
                for name, (_, columns) in STEPS.items():
                    found = [old[f"{name}/{column}"][:] for column in ("depth", *columns)]
                    n = min(int(np.count_nonzero(~np.isnan(values))) for values in found)
                    for column, values in zip(("depth", *columns), found, strict=True):
                        write(file[f"{name}/{column}"], 0, values[:n])
                    done[name] = n
        file.swmr_mode = True
        file.flush()
        os.replace(copy, path)
        at = min(done[name] * step for name, (step, _) in STEPS.items())
        while at < metres:
            at += 0.07
            for name, (step, columns) in STEPS.items():
                rows = np.arange(done[name], max(done[name], round(at / step)))
                write(file[f"{name}/depth"], done[name], rows * step + 0.003)
                if name == "gra":
                    file.flush()
                for column in columns:
                    write(file[f"{name}/{column}"], done[name], values_of(column, rows * step))
                done[name] += len(rows)
            file.flush()
            print(f"{at:.2f}", flush=True)
            time.sleep(PAUSE)


def write(dataset: h5py.Dataset, start: int, values: np.ndarray) -> None:
    """Write values from a row on."""
    if dataset.maxshape[0] is None:
        dataset.resize(start + len(values), axis=0)
    dataset[start : start + len(values)] = values


def run(folder: Path, suffix: str, n: int, seed: int) -> dict[str, int]:
    """Log and follow a scan, and kill each of the two n times; compare the output with a batch run.

    Returns
    -------
    dict of str to int
        Counts: bins of the batch run, bins written, twice, never, equal in every bit.
    """
    rng = np.random.default_rng(seed)
    scan, out, said = folder / "live.h5", folder / f"emb{suffix}", folder / "said.txt"
    metres = 2.0 + n * 0.7
    logger_command = [sys.executable, "-m", "tests.runtime.follow_kills", "--log", str(scan), "--metres", str(metres)]
    with said.open("a") as messages:

        def log_on() -> subprocess.Popen[bytes]:
            return subprocess.Popen(logger_command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])

        def follow(*options: str) -> subprocess.Popen[bytes]:
            command = [LITHOVAE, "follow", str(scan), "--out", str(out), *options]
            return subprocess.Popen(command, stderr=messages, stdout=messages)

        logger, follower = log_on(), follow()
        kills = rng.permutation(["logger"] * n + ["follower"] * n)
        for victim in kills:
            time.sleep(rng.uniform(0.2, 1.6))
            if victim == "logger":
                logger.kill()
                logger.wait()
                logger = log_on()
            else:
                child = rng.random() < 0.7 and children_of(follower.pid)
                os.kill(child or follower.pid, 9)  # the child that does the work, or its guard
                follower.wait()
                follower = follow()
        if logger.wait():
            raise SystemExit("the logger failed")
        time.sleep(1.0)
        follower.kill()
        follower.wait()
        end = follow("--idle-timeout", "4")
        if end.wait():
            raise SystemExit(said.read_text()[-2000:])
    return compare(scan, out)


def children_of(pid: int) -> int:
    """Return the first child of a process; 0 if it has none, or this cannot be found out."""
    try:
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    except (OSError, IndexError):
        return 0


def compare(scan: Path, out: Path) -> dict[str, int]:
    """Compare the bins that were written with those of a batch run of the part that was measured."""
    closed, batch_out = scan.with_name("closed.h5"), scan.with_name("batch.npz")
    with h5py.File(scan) as file, h5py.File(closed, "w") as measured:
        for name, (_, columns) in STEPS.items():
            n = int(np.count_nonzero(~np.isnan(file[f"{name}/depth"][:])))
            for column in ("depth", *columns):
                measured[f"{name}/{column}"] = file[f"{name}/{column}"][:n]
            measured[f"{name}/depth"].attrs["units"] = "m"
    embed_scan(closed, batch_out, LithoModel.load("semisup_hybrid", threads=1))
    with np.load(batch_out) as arrays:
        batch = {
            depth: (samples.tolist(), row.tobytes())
            for depth, samples, row in zip(arrays["depth"], arrays["samples"], arrays["embeddings"], strict=True)
        }
    if out.suffix == ".h5":
        with h5py.File(out) as file:
            rows = list(zip(file["depth"][:], file["samples"][:], file["embeddings"][:], strict=True))
    else:
        records = [json.loads(line) for line in out.read_text().splitlines()]
        rows = [(row["depth"], row["samples"], row["embedding"]) for row in records if "about" not in row]
    given = {depth: (list(samples), np.array(row, np.float32).tobytes()) for depth, samples, row in rows}
    return {
        "batch": len(batch),
        "written": len(rows),
        "twice": len(rows) - len(given),
        "never": len(set(batch) - set(given)),
        "equal": sum(given.get(depth) == content for depth, content in batch.items()),
    }


def main() -> None:
    """Print a row for each output format."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--metres", type=float, default=5.0)
    arguments = parser.parse_args()
    if arguments.log:
        log(arguments.log, arguments.metres)
        return
    print("| output | kills of each | bins of a batch run | written | twice | never | equal, every bit |")
    print("|---|---|---|---|---|---|---|")
    for suffix in (".jsonl", ".h5"):
        with tempfile.TemporaryDirectory() as folder:
            counts = run(Path(folder), suffix, arguments.n, arguments.seed)
        print(f"| {suffix} | {arguments.n} | {' | '.join(map(str, counts.values()))} |", flush=True)


if __name__ == "__main__":
    main()
