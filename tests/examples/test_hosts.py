"""The Node host and the page against the Python runtime, on the same rows; and what they refuse."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from lithovae.runtime import LithoModel
from lithovae.runtime.bins import DepthBins
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.missing import SENTINELS
from lithovae.runtime.scan import open_scan

from .conftest import Page

Rows = NDArray[np.float64]
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """More than a block of raw rows: plausible, extreme, with gaps, with sentinels."""
    rng = np.random.default_rng(11)
    n = 4800
    colours = (rng.gamma(3, 24, n).clip(0, 255) for _ in range(3))
    rows = np.column_stack([rng.normal(1.7, 0.25, n), rng.normal(0, 3, n) ** 3, rng.gamma(2, 14, n), *colours])
    rows[1200:2400] *= 10.0 ** rng.integers(-6, 5, (1200, 6))
    rows[2400:2404] = [[0] * 6, [3e38] * 6, [1.7, 4, 18, -1, 90, 90], [1.7, 4, 18, -0.999999, 90, 90]]
    rows[2500:3600][rng.random((1100, 6)) < 0.3] = np.nan
    holes = rng.random((1200, 6)) < 0.3
    rows[3600:][holes] = rng.choice(SENTINELS, holes.sum())
    rows[[2600, 3700]] = [[np.nan] * 6, [-999.25] * 6]
    return rows


def write_csv(path: Path, rows: Rows, header: list[str] | None = None) -> Path:
    """Write rows as a logger would: a missing value is an empty cell."""
    lines = [",".join("" if np.isnan(x) else repr(float(x)) for x in row) for row in rows]
    path.write_text("\n".join([",".join(header or FEATURE_NAMES), *lines, ""]), encoding="utf-8")
    return path


def run_node(hosts: Path, bundle: Path, table: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", str(hosts / "embed.mjs"), str(bundle), str(table)]
    return subprocess.run(command, capture_output=True, text=True, cwd=table.parent)


def require_same(text: str, bundle: Path, rows: Rows) -> None:
    """Hold a host's CSV against the runtime: to the graph's own tolerance, relative where a value is beyond 1."""
    found = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["row"]) for row in found] == list(range(1, len(rows) + 1))

    def column(name: str) -> Rows:
        return np.array([float(row[name] or "nan") for row in found])

    model = LithoModel.load(bundle.name)
    embeddings = np.stack([column(f"z{k}") for k in range(model.latent_dim)], axis=1)
    tolerance = tolerance_of(bundle / "embedder.onnx", "mu")
    np.testing.assert_allclose(embeddings, model.embed(rows), rtol=tolerance, atol=tolerance)
    missing = [[name for i, name in enumerate(FEATURE_NAMES) if bits & (1 << i)] for bits in model.missing(rows)]
    assert [row["missing"] for row in found] == ["; ".join(names) for names in missing]
    if model.classes:  # of the host's own embeddings: the classifier magnifies their last digit
        classifier = onnxruntime.InferenceSession(bundle / "classifier.onnx")
        (probabilities,) = classifier.run(["probabilities"], {"z": embeddings.astype(np.float32)})
        best = np.sort(probabilities, axis=1)[:, ::-1]
        tolerance = tolerance_of(bundle / "classifier.onnx", "probabilities")
        np.testing.assert_allclose(column("probability"), best[:, 0], atol=tolerance)
        for row, likely, (first, second) in zip(found, probabilities, best[:, :2], strict=True):
            if np.isnan(first):
                assert row["lithology"] == ""
            elif first - second > 2 * tolerance:
                assert row["lithology"] == model.classes[likely.argmax()]


def tolerance_of(graph: Path, output: str) -> float:
    """Tolerance that a graph states for its golden rows: what another ONNX Runtime may differ by."""
    return float(description_of(onnx.load(graph))["golden"]["tolerance"][output])


def description_of(graph: Any) -> dict[str, Any]:
    description: dict[str, Any] = json.loads(next(p.value for p in graph.metadata_props if p.key == "lithovae"))
    return description


@pytest.fixture
def bundle(bundles: Path) -> Path:
    return bundles / "semisup_hybrid"


@pytest.fixture
def edited(bundle: Path, tmp_path: Path) -> Callable[[Edit], Path]:
    """Make a copy of a bundle's embedder, its description edited."""

    def edit(change: Edit) -> Path:
        graph = onnx.load(bundle / "embedder.onnx")
        description = description_of(graph)
        change(description)
        onnx.helper.set_model_props(graph, {"lithovae": json.dumps(description)} if description else {})
        (tmp_path / "edited").mkdir(exist_ok=True)
        onnx.save(graph, tmp_path / "edited" / "embedder.onnx")
        return tmp_path / "edited"

    return edit


def shift_golden(description: dict[str, Any]) -> None:
    description["golden"]["outputs"]["mu"][0][0] += 1e-3


FAULTY_MODELS: dict[str, tuple[Edit, str]] = {
    "no metadata": (lambda d: d.clear(), "says nothing of its features"),
    "another schema": (lambda d: d.update(schema=1), "has schema 1; this host reads 2"),
    "changed golden": (shift_golden, "does not give what it gave when it was exported"),
    "no features": (lambda d: d.pop("features"), "features in its metadata is not what it should be"),
    "the decoder": (lambda d: d.update(graph="decoder"), "is the decoder; embedder.onnx"),
}
FAULTY_TABLES = {
    "lacks a feature": (
        "Bulk density (GRA),Magnetic susceptibility,NGR total counts,R,G\n1,2,3,4,5\n",
        'no column "B"',
    ),
    "not a number": (
        "Bulk density (GRA),Magnetic susceptibility,NGR total counts,R,G,B\n1,2,3,4,5,6\n1,2,n.d.,4,5,6\n",
        'row 2, column "NGR total counts": "n.d." is not a number',
    ),
    "another unit": (
        "Bulk density (GRA) [kg/m3],Magnetic susceptibility,NGR total counts,R,G,B\n1700,2,3,4,5,6\n",
        '"Bulk density (GRA) [kg/m3]" is in kg/m3',
    ),
    "ragged": (
        "Bulk density (GRA),Magnetic susceptibility,NGR total counts,R,G,B\n1,2,3,4,5,6\n1,2,3,4,5\n",
        "row 2 has 5 cells, the header has 6",
    ),
    "twice the same": (
        "Bulk density (GRA),Magnetic susceptibility,NGR total counts,R,G,B,r\n1,2,3,4,5,6,7\n",
        '"R" and "r" could both be "R"',
    ),
    "no rows": ("Bulk density (GRA),Magnetic susceptibility,NGR total counts,R,G,B\n", "no rows"),
    "empty": ("", "is empty"),
    "not text": ("\0\1\2,R,G\n1,2,3\n", "is not a text file"),
}


@pytest.mark.parametrize("name", ["semisup_hybrid", "unsup"])
def test_node_embeds_as_python_does(hosts: Path, bundles: Path, rows: Rows, tmp_path: Path, name: str) -> None:
    done = run_node(hosts, bundles / name, write_csv(tmp_path / "rows.csv", rows))
    assert done.returncode == 0, done.stderr
    require_same(done.stdout, bundles / name, rows)
    assert done.stderr.startswith("Simulated data")
    assert 'Bulk density (GRA) [g/cm3]: "Bulk density (GRA)" (no unit given), missing in' in done.stderr
    assert re.search(r"Bulk density \(GRA\) lies beyond 0.3 to 4 g/cm3 in [\d,]+ rows\.", done.stderr)


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
                values = np.stack([np.asarray(column, np.float64) for column in stretch.features.values()], axis=1)
                bins.add(stretch.depth, values, list(stretch.features))
    with open(root / "examples" / "hosts" / "core.csv", newline="") as file:
        header, *body = csv.reader(file)
    assert header == ["Depth CSF-A (m)", *FEATURE_NAMES]
    given = np.array([[float(cell or "nan") for cell in row] for row in body])
    measured = np.isfinite(given[:, 1:]) & (given[:, 1:] != -999)
    np.testing.assert_allclose(given[:, 0], bins.depth)
    np.testing.assert_allclose(given[:, 1:][measured], bins.mean()[measured], rtol=1e-6)
    assert (~measured).sum(axis=0).tolist() == [2, 2, 7, 10, 10, 10]


def write_flat(path: Path, rows: Rows, **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        file["core/depth"] = np.arange(len(rows)) / 10
        for i, name in enumerate(FEATURE_NAMES):
            file.create_dataset(f"core/{name}", data=rows[:, i], chunks=True, compression="gzip", shuffle=True)
        file[f"core/{FEATURE_NAMES[0]}"].attrs.update({"units": "g/cm^3"} | attributes)
    return path


def write_matrix(path: Path, rows: Rows) -> Path:
    with h5py.File(path, "w") as file:
        file["data"] = rows[:, ::-1].astype(">f4")
        file["data"].attrs["columns"] = FEATURE_NAMES[::-1]
        file["depth"] = np.arange(len(rows), dtype=np.int64)
    return path


@pytest.mark.parametrize("write", [write_csv, write_flat, write_matrix])
def test_page_embeds_as_python_does(
    page: Page, bundle: Path, rows: Rows, tmp_path: Path, write: Callable[[Path, Rows], Path]
) -> None:
    shown = page("give", files=[write(tmp_path / ("rows.csv" if write is write_csv else "rows.h5"), rows)])
    assert shown["error"] == ""
    download = page("download")
    assert download["name"] == "rows.embeddings.csv"
    require_same(download["text"], bundle, rows)


def test_page_says_what_it_took_and_never_shows_an_imputed_row_as_measured(page: Page, root: Path) -> None:
    shown = page("drop", path=root / "examples" / "hosts" / "core.csv")
    assert shown["card"].startswith("Simulated data")
    assert shown["fate"].startswith("127 measured in full; 13 imputed in part")
    assert shown["fate"].endswith("2 without an embedding, because nothing was measured")
    taken = {row[0].split("\n")[0]: row for row in shown["summary"]}
    assert list(taken) == list(FEATURE_NAMES)
    assert taken["NGR total counts (cps)"][1:] == [
        "NGR total counts (cps)\ncps",
        "0.4332 to 87.96",
        "-10 to 1000",
        "7 rows",
        "none",
    ]
    states = [row[8] for row in shown["rows"]]
    assert states == ["measured"] * 3 + ["imputed in part"] * 5 + ["measured"] * 2
    assert {row[4] for row in shown["rows"][3:8]} == {"imputed"}
    imputed, none = "180,83,10", "163,39,63"  # the colours that style.css gives them on a light page
    assert {imputed, none} <= set(shown["colours"])
    assert "imputed in part" in shown["legend"]
    shown = page("choose", bundle="semisup")
    assert shown["fate"] == "127 measured in full; 15 without an embedding, because something was not measured"
    assert imputed not in shown["colours"]
    assert page("point", y=300)["readout"].startswith("row ")
    assert shown["faults"] == []
    assert all(request.startswith(page.url) or request.startswith("blob:") for request in shown["requests"])


def test_page_shows_an_example(page: Page) -> None:
    assert page("click", id="example")["title"] == "core.csv: 142 rows"


def test_page_doubts_values_that_are_not_plausible(page: Page, tmp_path: Path) -> None:
    rows = np.array([[1700, 4, 17.8, 0.4, 0.4, 0.3], [1690, 4, 17.8, 0.4, 0.4, 0.3]])
    shown = page("give", files=[write_csv(tmp_path / "rows.csv", rows)])
    assert shown["summary"][0][-1] == "2 rows: another unit?"
    assert shown["doubt"].startswith("Bulk density (GRA) lies beyond 0.3 to 4 g/cm3 in 2 rows.")
    assert "R, G, B are nowhere above 1" in shown["doubt"]


def test_page_refuses_tables(page: Page, tmp_path: Path) -> None:
    for fault, (text, message) in FAULTY_TABLES.items():
        (tmp_path / f"{fault}.csv").write_text(text)
        shown = page("give", files=[tmp_path / f"{fault}.csv"])
        assert message in shown["error"], fault
        assert shown["summary"] == []


def test_page_refuses_models(page: Page, edited: Callable[[Edit], Path], root: Path) -> None:
    for fault, (change, message) in FAULTY_MODELS.items():
        shown = page("give", files=[edited(change) / "embedder.onnx"])
        assert message in shown["error"], fault
    assert (
        message in page("give", files=[root / "examples" / "hosts" / "core.csv"])["error"]
    )  # nor is the last one used
    assert page("choose", bundle="unsup")["title"] == "core.csv: 142 rows"


def test_page_takes_a_model_of_the_users_own(page: Page, bundles: Path, rows: Rows, tmp_path: Path) -> None:
    path = bundles / "unsup_hybrid"
    shown = page("give", files=[path / "embedder.onnx", write_csv(tmp_path / "rows.csv", rows[:20])])
    assert shown["error"] == ""
    require_same(page("download")["text"], path, rows[:20])


def write_lzf(path: Path, rows: Rows) -> None:
    with h5py.File(path, "w") as file:
        for i, name in enumerate(FEATURE_NAMES):
            file.create_dataset(name, data=np.round(rows[:, i]), chunks=True, compression="lzf")


def write_virtual(path: Path, rows: Rows) -> None:
    write_flat(path, rows)
    with h5py.File(path, "r+") as file:
        del file["core/R"]
        layout = h5py.VirtualLayout(len(rows), np.float32)
        layout[:] = h5py.VirtualSource("elsewhere.h5", "R", len(rows))
        file["core"].create_virtual_dataset("R", layout)


def write_compound(path: Path, rows: Rows) -> None:
    with h5py.File(path, "w") as file:
        file["table"] = np.zeros(len(rows), [(name, "f4") for name in FEATURE_NAMES])


def write_damaged(path: Path, rows: Rows) -> None:
    content = write_flat(path, rows).read_bytes()
    path.write_bytes(content[: len(content) // 2])


SCANS: dict[str, tuple[Callable[[Path, Rows], object], str]] = {
    "in another unit": (lambda path, rows: write_flat(path, rows, units="kg/m3"), "is in kg/m3, the model takes"),
    "packed": (lambda path, rows: write_flat(path, rows, scale_factor=0.01), "packed by scale_factor"),
    "compressed by LZF": (write_lzf, "its contents cannot be read"),
    "virtual": (write_virtual, "assembled from other files"),
    "a compound table": (write_compound, "a field of a compound table"),
    "cut off": (write_damaged, "cannot be opened"),
}


def test_page_refuses_scans(page: Page, rows: Rows, tmp_path: Path) -> None:
    for fault, (write, message) in SCANS.items():
        write(tmp_path / f"{fault}.h5", rows[:100])
        shown = page("give", files=[tmp_path / f"{fault}.h5"])
        assert message in shown["error"], fault
        assert shown["summary"] == []


def test_page_sends_instruments_on_grids_of_their_own_to_the_runtime(page: Page, root: Path) -> None:
    shown = page("give", files=[root / "examples" / "scan.h5"])
    assert "GRA/Bulk density (GRA) (1132 samples)" in shown["error"]
    assert "lithovae-run brings them together" in shown["error"]


def test_page_takes_a_declared_fill_value_as_missing(page: Page, rows: Rows, tmp_path: Path) -> None:
    rows = rows[:50].copy()
    rows[10, 0] = -7
    shown = page("give", files=[write_flat(tmp_path / "scan.h5", rows, _FillValue=-7.0)])
    assert shown["summary"][0][4] == "1 row"


def test_picture_for_the_docs(page: Page, hosts: Path, root: Path) -> None:
    page("give", files=[root / "examples" / "hosts" / "core.csv"])
    page("picture", path=hosts / "page.png", colorScheme="light")
    with Image.open(hosts / "page.png") as picture:
        picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(hosts / "page.png", optimize=True)
    assert 20_000 < (hosts / "page.png").stat().st_size < 300_000
