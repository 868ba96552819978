"""Unit and sensor faults in simulated scans: how many are found, how often a clean scan raises an alarm.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.faults``; about two minutes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import h5py
import numpy as np
import typer
from numpy.typing import NDArray

from lithovae.runtime import LithoModel
from lithovae.runtime.answers.embedding import Embedder
from lithovae.runtime.answers.faults import Checks
from lithovae.runtime.answers.quality import Quality
from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import LILY
from lithovae.runtime.log import FLAGS, Fault
from lithovae.runtime.process.progress import silent
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.scan import open_scan
from lithovae.training.logger import INSTRUMENTS, SENTINEL, Instrument, simulate_scan
from lithovae.training.simulate import simulate_table
from lithovae.training.table import TrainingTable

SHARED = Path(__file__).parents[2] / "shared"
FEWEST_BINS = 100
"""Holes with fewer rows are not used."""
STUCK_LENGTH = 5.0
"""Length of core (m) over which a sensor is stuck."""


class Checked(NamedTuple):
    """What was found in a scan: its faults, the share of rows with each flag, and what the reader left out, and why."""

    faults: list[Fault]
    flagged: NDArray[np.float64]
    left_out: list[str]


class Injected(NamedTuple):
    """A fault that was put into a scan: its kind, and the feature (or ``depth``) that it is in."""

    kind: tuple[str, ...]
    what: str


Inject = Callable[[h5py.File, np.random.Generator], Injected]


def check_scan(path: Path, model: LithoModel, quality: Quality) -> Checked:
    """Check a scan as a run does."""
    embedder, flags = Embedder(model), []
    with open_scan(path, {}, {}, model.bundle.features) as scan:
        rows = rows_of(scan, silent)
        described = scan.describe()
        checks = Checks(model.bundle, has_depth_unit=described.has_depth_unit, tracks=rows.tracks)
        for read in rows.blocks:
            done = embedder.embed(read())
            flags.append(checks.take(done.rows, quality.columns(done.rows, done.embeddings)))
    bits = np.concatenate(flags)[:, None] >> np.arange(len(FLAGS)) & 1
    left_out = [note for note in described.notes if "left out" in note]
    return Checked(checks.faults, bits.mean(axis=0), left_out)


def scale(group: str, factor: float, kind: str = "unit") -> Inject:
    """Return a fault: an instrument's values multiplied by a factor, without a unit."""
    instrument = next(each for each in INSTRUMENTS if each.group == group)

    def inject(scan: h5py.File, rng: np.random.Generator) -> Injected:
        for feature in instrument.features:
            dataset = scan[group][LILY.names[feature]]
            change(dataset, lambda values: values * factor)
            del dataset.attrs["units"]
        return Injected((kind,), LILY.names[instrument.features[0]])

    return inject


def scale_depth(
    metres: float, groups: tuple[str, ...] = ("GRA", "MS", "NGR", "RGB"), unit: str | None = None
) -> Inject:
    """Return a fault: depths in a unit of so many metres, which the scan states wrongly or not at all."""

    def inject(scan: h5py.File, rng: np.random.Generator) -> Injected:
        for group in groups:
            dataset = scan[group]["depth"]
            in_metres = dataset[:] * (0.01 if dataset.attrs["units"] == "cm" else 1)
            dataset[:] = in_metres / metres
            del dataset.attrs["units"]
            if unit:
                dataset.attrs["units"] = unit
        return Injected(("unit",), "depth")

    return inject


def stick(scan: h5py.File, rng: np.random.Generator) -> Injected:
    """Let one of the instruments repeat a reading."""
    instrument = drawn(rng)
    group = scan[instrument.group]
    depth = group["depth"][:] * (0.01 if instrument.in_centimetres else 1)
    start = rng.uniform(0, depth.max() - STUCK_LENGTH)
    rows = (depth >= start) & (depth <= start + STUCK_LENGTH)
    for feature in instrument.features:
        dataset = group[LILY.names[feature]]
        values = dataset[:]
        good = values[rows & np.isfinite(values) & (values != SENTINEL)]
        if len(good):
            values[rows] = good[0]
            dataset[:] = values
    return Injected(("stuck",), LILY.names[instrument.features[0]])


def offset(model: LithoModel, *, scaled: bool) -> Inject:
    """Return a fault: 3 standard deviations are added to, or taken from, the values of an instrument."""
    scaler = model.bundle.description["scaler"]
    raw_sd = (0.2457, 211.7, 18.73, 46.26, 45.56, 41.43)  # of the simulated training table

    def inject(scan: h5py.File, rng: np.random.Generator) -> Injected:
        instrument, sign = drawn(rng), rng.choice([-3, 3])
        for feature in instrument.features:
            dataset, transform = scan[instrument.group][LILY.names[feature]], LILY[feature].transform
            if scaled:
                change(dataset, shifted(transform, sign * scaler["scale"][feature]))
            else:
                change(dataset, shifted("none", sign * raw_sd[feature]))
        return Injected(("offset", "unit"), LILY.names[instrument.features[0]])

    return inject


def shifted(transform: str, by: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return a function that adds to transformed values."""

    def shift(values: NDArray[np.float64]) -> NDArray[np.float64]:
        if transform == "none":
            return values + by
        logs = np.sign(values) * np.log1p(np.abs(values)) + by
        return np.asarray(np.sign(logs) * np.expm1(np.abs(logs)))

    return shift


def drawn(rng: np.random.Generator) -> Instrument:
    """Return one of the instruments."""
    return INSTRUMENTS[rng.integers(len(INSTRUMENTS))]


def change(dataset: h5py.Dataset, how: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
    """Change the readings of a dataset, but not the lost ones."""
    values = dataset[:].astype(np.float64)
    good = np.isfinite(values) & (values != SENTINEL)
    values[good] = how(values[good])
    dataset[:] = values


def faults_of(model: LithoModel) -> dict[str, Inject]:
    """Return the faults, by their names in the table; those of the second part are there to show the limits."""
    return {
        "density in kg/m³": scale("GRA", 1000),
        "depth in cm, no unit": scale_depth(0.01),
        "depth in ft, no unit": scale_depth(0.3048),
        "colour from 0 to 1": scale("RGB", 1 / 255),
        "susceptibility in SI": scale("MS", 1e-5),
        "gamma in gAPI (× 4)": scale("NGR", 4),
        "a stuck sensor (5 m)": stick,
        "an offset of 3 sd": offset(model, scaled=True),
        "depth of colour alone in cm, no unit": scale_depth(0.01, ("RGB",)),
        "depth of density alone in ft, no unit": scale_depth(0.3048, ("GRA",)),
        "depth in cm, stated as m": scale_depth(0.01, unit="m"),
        "depth in ft, stated as m": scale_depth(0.3048, unit="m"),
        "gamma in gAPI (× 2)": scale("NGR", 2),
        "gamma in gAPI (× 3)": scale("NGR", 3),
        "gamma in gAPI (× 6)": scale("NGR", 6),
        "susceptibility in 1e-6 SI (× 10)": scale("MS", 10),
        "susceptibility in 1e-5 SI (× 1)": scale("MS", 1),
        "an offset of 3 sd of the unscaled values": offset(model, scaled=False),
    }


def is_found(injected: Injected, checked: Checked) -> bool:
    """Return whether a fault is among those that were found, or left its channel out with a note."""
    is_fault = any(fault.kind in injected.kind and injected.what in fault.what.split(", ") for fault in checked.faults)
    return is_fault or any(f"looks like {injected.what}, but" in note for note in checked.left_out)


def holes_of(table: TrainingTable) -> Iterator[str]:
    """Yield the holes of a table that have enough rows in their first 30 m, over and over."""
    upper = table.take(table.depth <= 30.0)
    names, counts = np.unique(upper.hole, return_counts=True)
    usable = names[counts >= FEWEST_BINS]
    while True:
        yield from usable.tolist()


def main(
    faulty: Annotated[int, typer.Option(help="Scans with each fault.", min=1)] = 20,
    clean: Annotated[int, typer.Option(help="Scans without a fault.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the simulated table; the models were trained on 42.")] = 11,
) -> None:
    """Print how many of some faults are found, the false alarms, and what is found in the shared scans."""
    model = LithoModel.load("semisup_hybrid", threads=1)
    quality, table = Quality(model), simulate_table(seed)
    if quality.note:
        raise SystemExit(quality.note)
    holes, rng = holes_of(table), np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.h5"

        def simulated(number: int) -> Path:
            simulate_scan(path, table, seed=number, hole=next(holes))
            return path

        typer.echo(f"simulated table of seed {seed}, 30 m of a hole in each scan, {model.bundle.name}\n")
        typer.echo(f"| fault | found of {faulty} |\n|---|---|")
        for name, inject in faults_of(model).items():
            n_found = 0
            for number in range(faulty):
                with h5py.File(simulated(number), "a") as scan:
                    injected = inject(scan, rng)
                n_found += is_found(injected, check_scan(path, model, quality))
            typer.echo(f"| {name} | {n_found} |")
        checked = [check_scan(simulated(1000 + number), model, quality) for number in range(clean)]
    alarms = [each for each in checked if each.faults]
    typer.echo(f"\nfalse alarms in {clean} clean scans: {len(alarms)}")
    for each in alarms:
        typer.echo(f"  {each.faults[0].text}")
    shares = np.mean([each.flagged for each in checked], axis=0)
    typer.echo("share of their rows that is flagged: " + ", ".join(map("{} {:.2%}".format, FLAGS, shares)))
    report_shared(model, quality)


def report_shared(model: LithoModel, quality: Quality) -> None:
    """Print what is found in the shared scans and tables."""
    if not SHARED.is_dir():
        typer.echo(f"\n{SHARED} does not exist: no real scan was checked")
        return
    for path in sorted([*(SHARED / "scans").glob("*.h5"), *(SHARED / "tables").iterdir()]):
        try:
            found = check_scan(path, model, quality)
        except ScanError:
            continue  # a table that is no scan
        flagged = ", ".join(f"{n} {share:.1%}" for n, share in zip(FLAGS, found.flagged, strict=True) if share)
        typer.echo(f"\n{path.name}: {flagged or 'no flags'}")
        for fault in found.faults:
            typer.echo(f"  {fault.kind}: {fault.text}")


if __name__ == "__main__":
    typer.run(main)
