"""The Node host compared with the Python runtime on the same rows; files that it refuses."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from lithovae.runtime.bins import DepthBins
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.scan.scan import open_scan

from .material import FAULTY_MODELS, FAULTY_TABLES, Edit, Rows, description_of, require_same, write_csv


def run_node(hosts: Path, bundle: Path, table: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", str(hosts / "embed.mjs"), str(bundle), str(table)]
    return subprocess.run(command, capture_output=True, text=True, cwd=table.parent)


@pytest.mark.parametrize("name", ["semisup_hybrid", "unsup"])
def test_node_embeds_as_python_does(hosts: Path, bundles: Path, rows: Rows, tmp_path: Path, name: str) -> None:
    done = run_node(hosts, bundles / name, write_csv(tmp_path / "rows.csv", rows))
    assert done.returncode == 0, done.stderr
    require_same(done.stdout, bundles / name, rows)
    assert done.stderr.startswith("Simulated data")
    assert 'Bulk density (GRA) [g/cm3]: "Bulk density (GRA)" (no unit stated), missing in' in done.stderr
    assert re.search(r"warning: Bulk density \(GRA\) is outside 0.3 to 4 g/cm3 in [\d,]+ rows\.", done.stderr)


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
