"""The Node host compared with the Python runtime on the same rows; files that it refuses."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from lithovae.runtime import LithoModel
from lithovae.runtime.bins import DepthBins
from lithovae.runtime.features import FEATURE_NAMES, LILY
from lithovae.runtime.other_units import ArrayUnits
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.units import UnitCheck
from lithovae.runtime.scan.scan import open_scan

from .material import (
    FAULTY_MODELS,
    FAULTY_TABLES,
    IN_OTHER_UNITS,
    Edit,
    Rows,
    description_of,
    require_same,
    require_same_notes,
    run_node,
    write_csv,
    write_in_other_units,
)


@pytest.mark.parametrize("name", ["semisup_hybrid", "unsup"])
def test_node_embeds_as_python_does(hosts: Path, bundles: Path, rows: Rows, tmp_path: Path, name: str) -> None:
    done = run_node(hosts, bundles / name, write_csv(tmp_path / "rows.csv", rows))
    assert done.returncode == 0, done.stderr
    require_same(done.stdout, bundles / name, rows)
    assert done.stderr.startswith("Simulated data")
    assert 'Bulk density (GRA) [g/cm3]: "Bulk density (GRA)" (no unit stated), missing in' in done.stderr
    assert re.search(r"warning: Bulk density \(GRA\) is outside 0.3 to 4 g/cm3 in [\d,]+ rows\.", done.stderr)


def test_node_notes_other_units_as_python_does(hosts: Path, bundle: Path, tmp_path: Path) -> None:
    model = LithoModel.load(bundle)
    for case, (columns, note) in IN_OTHER_UNITS.items():
        table = write_in_other_units(tmp_path / f"{case.replace('/', ' per ')}.csv", columns)
        done = run_node(hosts, bundle, table)
        assert done.returncode == 0, done.stderr
        warnings = [line[9:-1] for line in done.stderr.splitlines() if line.startswith("warning: ")]
        said = [text for text in warnings if " is outside " not in text and not text.startswith("With a wrong unit")]
        require_same_notes(said, table, model, note)


EDGES = (-500, -0.002, -5e-4, -1e-8, 0, 2e-7, 5e-4, 0.002, 0.5, 1, 1.5, 255, 256, 299, 300, 999, 1000, 4000, 4001, 3e12)


def test_the_rules_for_units_are_those_of_python(hosts: Path, bundle: Path) -> None:
    program = """
import { readFileSync } from 'node:fs';
import { missingMask } from './litho.mjs';
import { depthNotes, featureNotes } from './other_units.mjs';
import { summarise } from './table.mjs';
const { description, tables, depths } = JSON.parse(readFileSync(0));
const notes = tables.map((list) => {
  const rows = Float32Array.from(list.flat(), (value) => value ?? NaN);
  return featureNotes(summarise({ rows, columns: [] }, missingMask(rows, description), description), list.length);
});
const onDepths = depths.map(({ unit, values }) => depthNotes({ unit, values: Float64Array.from(values) }));
console.log(JSON.stringify([notes, onDepths]));
"""
    pairs = [(low, high) for low in EDGES for high in EDGES if low <= high]
    tables = [[[low if j == i else None for j in range(6)]] for i in range(4) for low in EDGES]
    tables += [[[x if j == i else None for j in range(6)] for x in pair] for i in range(4) for pair in pairs]
    ends, steps = (99, 101, 9950.5, 12_500, 12_501), (0.4, 0.5, 5)
    depths = [
        {"unit": unit, "values": np.linspace(end - 20 * step, end, 21).tolist()}
        for unit in (None, "m", "metres", "m CSF-A")
        for end in ends
        for step in steps
    ]
    given = {"description": description_of(onnx.load(bundle / "embedder.onnx")), "tables": tables, "depths": depths}
    command = ["node", "--input-type=module", "--eval", program]
    done = subprocess.run(command, cwd=hosts, capture_output=True, text=True, check=True, input=json.dumps(given))
    notes, on_depths = json.loads(done.stdout)
    assert notes == [ArrayUnits(LILY).notes(np.array(rows, np.float32)) for rows in tables]
    assert {note.split(": no ")[0].split(": all ")[0] for found in notes for note in found} == {*FEATURE_NAMES[:4]}
    expected = []
    for depth in depths:
        check, values = UnitCheck(LILY, has_depth_unit=depth["unit"] is not None), np.array(depth["values"])
        check.add(Block(np.full((len(values), 6), np.nan, np.float32), values, {}))
        expected.append(check.notes)
    assert on_depths == expected
    assert 0 < sum(map(bool, expected)) < len(expected)


@pytest.mark.parametrize("schema", [2, 3])
def test_node_reads_earlier_schemas(
    hosts: Path, bundles: Path, edited: Callable[[Edit], Path], rows: Rows, tmp_path: Path, schema: int
) -> None:
    formulas = {"none": "none", "signed_log": "sign(x)*log1p(|x|)", "log1p": "log1p(x)"}

    def as_written_then(description: dict[str, Any]) -> None:
        description["schema"] = schema
        for feature in description["features"]:
            del feature["instrument"]
            feature["transform"] = formulas[feature["transform"]]
        if schema == 2:
            del description["fill"]

    table = write_csv(tmp_path / "rows.csv", rows[2300:2700])
    earlier, now = run_node(hosts, edited(as_written_then), table), run_node(hosts, bundles / "semisup_hybrid", table)
    assert earlier.returncode == 0, earlier.stderr
    n = len(earlier.stdout.splitlines()[0].split(","))  # without lithologies: only the embedder was edited
    quoted = csv.reader(now.stdout.splitlines())
    assert list(csv.reader(earlier.stdout.splitlines())) == [row[:n] for row in quoted]


def test_node_refuses_in_one_line(
    hosts: Path, bundle: Path, edited: Callable[[Edit], Path], root: Path, tmp_path: Path
) -> None:
    table, faulty = root / "examples" / "hosts" / "core.csv", tmp_path / "rows.csv"
    text, not_a_number = FAULTY_TABLES["not a number"]
    faulty.write_text(text)
    change, off = FAULTY_MODELS["changed golden"]
    for folder, rows, message in (
        (bundle, faulty, not_a_number),
        (edited(change), table, off),
        (bundle, tmp_path / "absent.csv", "absent.csv"),
        (tmp_path, table, f"{tmp_path / 'embedder.onnx'} cannot be read"),
    ):
        done = run_node(hosts, folder, rows)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
        assert message in done.stderr


def test_metadata_is_read_as_onnx_reads_it(hosts: Path, bundle: Path) -> None:
    program = """
import { readFileSync } from 'node:fs';
import { readDescription } from './metadata.mjs';
console.log(JSON.stringify(process.argv.slice(1).map((path) => readDescription(readFileSync(path), path))));
"""
    graphs = sorted(bundle.glob("*.onnx"))
    command = ["node", "--input-type=module", "--eval", program, *map(str, graphs)]
    done = subprocess.run(command, cwd=hosts, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [description_of(onnx.load(path)) for path in graphs]


def test_units_and_names_are_compared_without_their_spelling(hosts: Path, bundle: Path, tmp_path: Path) -> None:
    header = [
        "depth (m)",
        "BULK DENSITY (GRA) [g/cm³]",
        "magnetic susceptibility",
        "NGR_total_counts (CPS)",
        "r",
        "g",
        "b",
    ]
    rows = np.array([[3.5, 1.69, 4, 17.8, 105, 104, 88]])
    done = run_node(hosts, bundle, write_csv(tmp_path / "rows.csv", rows, header))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("row,depth (m),z0")
    assert done.stdout.splitlines()[1].startswith("1,3.5,")
    require_same(done.stdout, bundle, rows[:, 1:])


def test_the_example_is_the_shipped_scan_in_bins_with_gaps(root: Path) -> None:
    bins = DepthBins(len(FEATURE_NAMES))
    with open_scan(root / "examples" / "scan.h5") as scan:
        for track in scan.tracks:
            for stretch in track.stretches():
                assert stretch.depth is not None
                bins.add(stretch.depth, stretch.features)
    with open(root / "examples" / "hosts" / "core.csv", newline="") as file:
        header, *body = csv.reader(file)
    assert header == ["Depth CSF-A (m)", *FEATURE_NAMES]
    given = np.array([[float(cell or "nan") for cell in row] for row in body])
    measured = np.isfinite(given[:, 1:]) & (given[:, 1:] != -999)
    np.testing.assert_allclose(given[:, 0], bins.depth)
    np.testing.assert_allclose(given[:, 1:][measured], bins.mean()[measured], rtol=1e-6)
    assert (~measured).sum(axis=0).tolist() == [2, 2, 7, 10, 10, 10]


@pytest.mark.parametrize("arguments", [("embed.mjs", "{bundle}", "core.csv"), ("assemble.mjs", "page")])
def test_without_packages_they_say_to_install_them(
    root: Path, bundle: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    if not shutil.which("node"):
        pytest.skip("node is not on the PATH")
    copy = tmp_path / "hosts"
    shutil.copytree(root / "examples" / "hosts", copy, ignore=shutil.ignore_patterns("node_modules"))
    command = ["node", *(argument.format(bundle=bundle) for argument in arguments)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    message = f'the npm packages are not installed: run "npm ci --omit=dev" in {copy}/\n'
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)
    assert not (copy / "page").exists()
