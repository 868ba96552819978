"""Damage good scans at random and run ``lithovae-run`` on each: ``python -m tests.runtime.fuzz --files 2000``.

With ``--text``, the scans are tables in text.

Whatever the damage, a run must end with embeddings or with one clear error line. Files that violate this are kept and
listed.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.process import heartbeat
from lithovae.runtime.process.memory import MEMORY
from tests.runtime.checksums import repair_checksums
from tests.runtime.text_tables import GOOD
from tests.runtime.watched import Done, run

ROOT = Path(__file__).parents[2]
SIGNATURES = re.compile(rb"OHDR|OCHK|TREE|SNOD|HEAP|GCOL|FRHP|FHDB|FHIB|BTHD|BTLF|BTIN|FAHD|FADB|EAHD|EAIB|EADB")
"""Signatures of metadata blocks (HDF5 File Format Specification 3.0)."""
WORDS = (0, 1, 8, 255, 1 << 16, 1 << 20, 1 << 31, 1 << 32, 1 << 40, 1 << 62, 1 << 63, (1 << 64) - 1)
"""Wrong lengths and addresses that are likely to cause trouble."""
KINDS = ("truncate", "flip", "byte", "zero", "fill", "duplicate", "swap", "word", "metadata", "metadata word")
PIECES = (
    *(
        piece.encode()
        for piece in (",", ";", "\t", " ", "\n", "\r", "\r\n\r\n", '"', '""', "-", ".", "#", "=", ",,,,,,")
    ),
    *(piece.encode() for piece in ("1e999", "NaN", "n/a", "depth", "Depth (cm)", "-999.25", "\u0661", "1" * 400)),
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"x" * 5000),
)
"""What is put into tables in text."""
OUTCOMES = ("embedded", "refused", "crash caught", "hang caught", "VIOLATION")
MAX_MEMORY = MEMORY + (256 << 20)
MAX_SECONDS = 120.0
CPU_SECONDS = 2
"""Replaces the guard's limit: scans of this size need 0.05 s of CPU time."""


@dataclass(frozen=True)
class Damage:
    """One damage to a file.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    where, elsewhere : float
        Relative positions in the file, from 0 to 1.
    size : int
        Size of a block in bytes; or the number of a bit, a byte value or a word.
    """

    kind: str
    where: float
    elsewhere: float
    size: int


def damaged(content: bytes, damages: list[Damage], *, repair: bool) -> bytes:
    """Return a damaged copy; ``repair`` recomputes the checksums, so that they do not reveal the damage."""
    data = bytearray(content)
    for damage in damages:
        if data:
            _apply(data, damage)
    if repair and len(data) > 48:
        repair_checksums(data)
    return bytes(data)


def _apply(data: bytearray, damage: Damage) -> None:
    at, other = (min(int(share * len(data)), len(data) - 1) for share in (damage.where, damage.elsewhere))
    kind = damage.kind
    if kind.startswith("metadata"):
        blocks = [match.start() for match in SIGNATURES.finditer(data)]
        if blocks:
            at = min(blocks[int(damage.where * (len(blocks) - 1))] + 4 + int(damage.elsewhere * 200), len(data) - 1)
        kind = kind.removeprefix("metadata ").replace("metadata", "byte")
    size = min(damage.size, len(data) - at, len(data) - other)
    if kind == "truncate":
        del data[at:]
    elif kind == "flip":
        data[at] ^= 1 << (damage.size % 8)
    elif kind == "byte":
        data[at] = damage.size % 256
    elif kind == "zero":
        data[at : at + size] = bytes(size)
    elif kind == "fill":
        data[at : at + size] = b"\xff" * size
    elif kind == "duplicate":
        data[at : at + size] = data[other : other + size]
    elif kind == "swap" and abs(at - other) >= size:
        data[at : at + size], data[other : other + size] = data[other : other + size], data[at : at + size]
    elif kind == "word":
        data[at : at + 8] = WORDS[damage.size % len(WORDS)].to_bytes(8, "little")[: len(data) - at]


def random_damages(rng: np.random.Generator) -> list[Damage]:
    """Draw 1, 2, 4 or 16 damages."""
    n = int(rng.choice([1, 2, 4, 16]))
    return [
        Damage(str(rng.choice(KINDS[n > 2 :])), rng.random(), rng.random(), int(2 ** rng.uniform(0, 10)))
        for _ in range(n)
    ]


def good_scans(folder: Path) -> dict[str, bytes]:
    """Make small valid scans that use most features of HDF5."""
    found = {"example": (ROOT / "examples" / "scan.h5").read_bytes()}
    rng = np.random.default_rng(0)
    rows = rng.uniform(1, 200, (300, 6)).astype("f4").round(1)
    storages: dict[str, dict[str, object]] = {
        "contiguous": {},
        "chunked": {"chunks": (64,), "maxshape": (None,), "compression": "gzip", "shuffle": True},
        "checked": {"chunks": (64,), "fletcher32": True, "compression": "lzf"},
    }
    for (storage, options), libver in itertools.product(storages.items(), ("earliest", "latest")):
        path = folder / "scan.h5"
        with h5py.File(path, "w", libver=(libver, "v110" if libver == "earliest" else "latest")) as file:
            for group, names in (("MST", FEATURE_NAMES[:3]), ("camera", FEATURE_NAMES[3:])):
                for name in names:
                    dataset = file.create_dataset(f"{group}/{name}", data=rows[:, FEATURE_NAMES.index(name)], **options)
                    dataset.attrs["units"] = {"R": "0-255", "G": "0-255", "B": "0-255"}.get(name, "")
                depth = file.create_dataset(f"{group}/depth", data=np.linspace(0, 30, 300), **options)
                depth.attrs["units"] = np.bytes_("m")
                text = "S1" if "fletcher32" in options else h5py.string_dtype()  # which takes no checksum
                file.create_dataset(f"{group}/hole", data=["A"] * 300, dtype=text, **options)
            file.attrs["site"] = "U1482"
        found[f"{storage}, {libver}"] = path.read_bytes()
    table = np.zeros(300, [("Depth CSF-A", "f8"), ("section", "S4"), ("R", ">f4"), ("G", "i2"), ("MS", "f8")])
    table["Depth CSF-A"] = np.arange(300) * 0.1  # a table of zeros counts as never written
    for libver in ("earliest", "latest"):
        with h5py.File(path, "w", libver=(libver, "v110" if libver == "earliest" else "latest")) as file:
            file.create_dataset("hole/table", data=table, chunks=(50,), compression="gzip")
            file["hole/table"].attrs["units"] = ["m", "", "0-255", "0-255", ""]
            file["hole/also"] = h5py.SoftLink("/hole/table")
            for i in range(12):
                file[f"other/{i}"] = i
                file["other"].attrs[f"note {i}"] = "x" * i
        found[f"table, {libver}"] = path.read_bytes()
        with h5py.File(path, "w", libver=(libver, "v110" if libver == "earliest" else "latest")) as file:
            matrix = file.create_dataset("data", data=rows, chunks=(32, 6), compression="gzip", fillvalue=-1)
            matrix.attrs["columns"] = list(FEATURE_NAMES)
            file["depth"] = np.arange(300) * 10
            file["depth"].attrs["units"] = "mm"
        found[f"matrix, {libver}"] = path.read_bytes()
    path.unlink()
    return found


def good_tables() -> dict[str, bytes]:
    """Return small valid tables in text, in many styles."""
    return GOOD


def damaged_table(i: int, *, seed: int, tables: dict[str, bytes]) -> tuple[str, bytes]:
    """Damage a table in text: as any file, or by pieces of text; return its name and its content."""
    rng = np.random.default_rng([seed, i])
    name = str(rng.choice(sorted(tables)))
    data = bytearray(tables[name])
    if rng.integers(3) == 0:
        data = bytearray(damaged(bytes(data), random_damages(rng), repair=False))
    for _ in range(int(rng.choice([0, 1, 2, 20]))):
        at = int(rng.integers(len(data) + 1))
        data[at : at + int(rng.choice([0, 0, 1, 7]))] = PIECES[rng.integers(len(PIECES))]
    return name, bytes(data)


def outcome(scan: Path, out: Path, model: LithoModel) -> tuple[str, Done]:
    """Run on a file, and return the outcome (one of `OUTCOMES`) and the run."""
    done = run(scan, "--out", out / "emb.npz", model=model, timeout=MAX_SECONDS)
    left = sorted(path.name for path in out.iterdir())
    bounded = done.memory < MAX_MEMORY and done.seconds < MAX_SECONDS
    if (done.status, done.err, left) == (0, "", ["emb.npz"]) and bounded:
        (out / "emb.npz").unlink()
        return "embedded", done
    line = done.err[:-1]
    one_line = done.err.endswith("\n") and line.startswith("error: ") and line.isprintable()
    if done.status != 1 or not one_line or left or not bounded or "unexpected" in line or str(scan) not in line:
        return "VIOLATION", done
    if "crashed (SIG" in line:
        return "crash caught", done
    return "hang caught" if "no progress in" in line else "refused", done


def one(
    i: int, *, seed: int, scans: dict[str, bytes], model: LithoModel, keep: Path, text: bool
) -> tuple[str, str, float, int]:
    """Damage a scan and run on it; return the outcome, the message, the seconds and the memory in bytes."""
    if text:
        name, content = damaged_table(i, seed=seed, tables=scans)
    else:
        rng = np.random.default_rng([seed, i])
        name = str(rng.choice(sorted(scans)))
        content = damaged(scans[name], random_damages(rng), repair=bool(rng.integers(2)))
    with tempfile.TemporaryDirectory() as folder:
        scan, out = Path(folder) / "scan.h5", Path(folder) / "out"
        out.mkdir()
        scan.write_bytes(content)
        found, done = outcome(scan, out, model)
        if found in OUTCOMES[2:]:
            keep.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(scan, keep / f"{found.replace(' ', '-')}-{seed}-{i}.h5")
    message = done.err.strip().replace(str(scan), "scan.h5") or done.out[-300:]
    return found, f"{seed}-{i} ({name}): {message if found != 'VIOLATION' else done}", done.seconds, done.memory


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--text", action="store_true", help="damage tables in text")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--keep", type=Path, default=ROOT / "build" / "fuzz", help="folder for files with crashes, hangs or violations"
    )
    options = parser.parse_args(arguments)
    heartbeat.CPU_SECONDS = CPU_SECONDS
    with tempfile.TemporaryDirectory() as folder:
        scans = good_tables() if options.text else good_scans(Path(folder))
    model = LithoModel.load("unsup_hybrid", threads=1)
    work = partial(one, seed=options.seed, scans=scans, model=model, keep=options.keep, text=options.text)
    start = time.monotonic()
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        counts = _watch(pool.imap_unordered(work, range(options.files)), options.files, start)
    return int(counts["VIOLATION"] > 0)


def _watch(ends: Iterator[tuple[str, str, float, int]], total: int, start: float) -> Counter[str]:
    counts: Counter[str] = Counter()
    longest, largest = 0.0, 0
    for n, (found, message, seconds, memory) in enumerate(ends, 1):
        counts[found] += 1
        longest, largest = max(longest, seconds), max(largest, memory)
        if found in OUTCOMES[2:]:
            print(f"{found}: {message}", flush=True)
        if n == total or (n % 10 == 0 and sys.stderr.isatty()):
            print(f"\r{n:,} of {total:,} files", end="\n" if n == total else "", file=sys.stderr, flush=True)
    print(f"{total:,} files in {time.monotonic() - start:.0f} s")
    for name in OUTCOMES:
        print(f"{name:14}{counts[name]:7,}")
    print(f"longest run {longest:.1f} s, most memory {largest / 1e6:.0f} MB")
    return counts


if __name__ == "__main__":
    sys.exit(main())
