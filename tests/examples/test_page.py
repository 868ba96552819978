"""The page in headless Chromium, compared with the Python runtime; its texts, and files that it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from lithovae.export.bundle import write_bundle
from lithovae.runtime import LithoModel
from lithovae.runtime.features import FEATURE_NAMES
from tests.export.test_feature_sets import SETS, model_of, rows_of

from .conftest import Page
from .material import (
    FAULTY_MODELS,
    FAULTY_TABLES,
    IN_OTHER_UNITS,
    Edit,
    Rows,
    require_same,
    require_same_notes,
    write_csv,
    write_in_other_units,
)


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
    assert shown["fate"].startswith("127 fully measured; 13 partly imputed")
    assert shown["fate"].endswith("2 without an embedding (no feature was measured)")
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
    assert states == ["measured"] * 3 + ["partly imputed"] * 5 + ["measured"] * 2
    assert {row[4] for row in shown["rows"][3:8]} == {"imputed"}
    imputed, none = "180,83,10", "163,39,63"  # the colours that style.css gives them on a light page
    assert {imputed, none} <= set(shown["colours"])
    assert "partly imputed" in shown["legend"]
    shown = page("choose", bundle="semisup")
    assert shown["fate"] == "127 fully measured; 15 without an embedding (a feature is missing)"
    assert imputed not in shown["colours"]
    assert page("point", y=300)["readout"].startswith("row ")
    assert shown["faults"] == []
    assert all(request.startswith(page.url) or request.startswith("blob:") for request in shown["requests"])


def test_page_shows_an_example(page: Page) -> None:
    assert page("click", id="example")["title"] == "core.csv: 142 rows"


def test_page_doubts_values_that_are_not_plausible(page: Page, tmp_path: Path) -> None:
    rows = np.array([[1700, 4, 17.8, 0.4, 0.4, 0.3], [1690, 4, 17.8, 0.4, 0.4, 0.3]])
    shown = page("give", files=[write_csv(tmp_path / "rows.csv", rows)])
    assert shown["summary"][0][-1] == "2 rows: wrong unit?"
    assert shown["doubt"].startswith("Bulk density (GRA) is outside 0.3 to 4 g/cm3 in 2 rows.")
    assert "R, G, B: no value is above 1; the models need 0 to 255" in shown["doubt"]


def test_page_notes_other_units_as_python_does(page: Page, bundle: Path, tmp_path: Path) -> None:
    model = LithoModel.load(bundle)
    for case, (columns, note) in IN_OTHER_UNITS.items():
        table = write_in_other_units(tmp_path / f"{case.replace('/', ' per ')}.csv", columns)
        shown = page("give", files=[table])["doubt"].split("\n")
        said = [line[:-1] for line in shown if line and " is outside " not in line and "With a wrong unit" not in line]
        require_same_notes(said, table, model, note)


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
    "in another unit": (lambda path, rows: write_flat(path, rows, units="lb/ft3"), "is in lb/ft3, but the model needs"),
    "packed": (lambda path, rows: write_flat(path, rows, scale_factor=0.01), "packed with scale_factor"),
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
    assert "lithovae-run averages them on a common depth grid" in shown["error"]


def test_page_takes_a_declared_fill_value_as_missing(page: Page, rows: Rows, tmp_path: Path) -> None:
    rows = rows[:50].copy()
    rows[10, 0] = -7
    shown = page("give", files=[write_flat(tmp_path / "scan.h5", rows, _FillValue=-7.0)])
    assert shown["summary"][0][4] == "1 row"


SETS_SHOWN = {
    "lake": "density, MS, Vp, Res of rows.csv against",
    "L*a*b*": "colour (L*a*b*), density, MS, NGR, L*, a*, b*, Vp of rows.csv against",
    "nine": "colour (R, G, B), Ca, R, G, B, Vp, Res, K, density, FP of rows.csv against",
    "catalogue": "colour (R, G, B), colour (L*a*b*), density, MS,",
}


@pytest.mark.parametrize("name", SETS_SHOWN)
def test_page_shows_any_set_and_embeds_as_python_does(page: Page, tmp_path: Path, name: str) -> None:
    checkpoint, bundle = model_of(SETS[name], classes=3), tmp_path / "bundle"
    write_bundle(checkpoint, bundle)
    rows = rows_of(checkpoint).astype(np.float64)
    table = write_csv(tmp_path / "rows.csv", rows, SETS[name].names)
    shown = page("give", files=[bundle / "embedder.onnx", bundle / "classifier.onnx", table])
    assert shown["error"] == ""
    assert shown["faults"] == []
    require_same(page("download")["text"], bundle, rows)
    assert [row[0].split("\n") for row in shown["summary"]] == [[one.name, one.unit] for one in SETS[name]]
    assert shown["tracks"].startswith(SETS_SHOWN[name])


def test_page_converts_units_and_shows_what_it_read(page: Page, tmp_path: Path) -> None:
    checkpoint, bundle = model_of(SETS["lake"]), tmp_path / "bundle"
    write_bundle(checkpoint, bundle)
    rows = np.array([[1700, 12, 1.512, 1.5], [-999.25, 13, 1.498, 1.4], [1650, np.nan, 9999, 1.6]])
    header = ["SB DEPTH [m]", "RHOB (kg/m3)", "MS1", "PWVel (km/s)", "RES (ohm.m)", "MSP", "velocity (m/s)"]
    columns = [[0.5, 0.7, 0.9], *rows.T, *np.ones((2, 3))]
    table = write_csv(tmp_path / "rows.csv", np.column_stack(columns), header)
    shown = page("give", files=[bundle / "embedder.onnx", table])
    expected = rows.copy()
    expected[:, 0] = [1700 / 1000, np.nan, 1650 / 1000]
    expected[:, 2] *= 1000
    require_same(page("download")["text"], bundle, expected)
    assert [row[1].split("\n") for row in shown["summary"]] == [
        ["RHOB (kg/m3)", "kg/m3, converted"],
        ["MS1", "no unit stated"],
        ["PWVel (km/s)", "km/s, converted"],
        ["RES (ohm.m)", "ohm.m"],
    ]
    assert shown["summary"][0][2:5] == ["1.65 to 1.7", "0.3 to 4", "1 row"]
    assert "P-wave velocity is outside 300 to 9000 m/s in 1 row." in shown["doubt"]
    assert '"MSP" is Magnetic susceptibility (instr. units) from a point sensor' in shown["doubt"]
    assert '"velocity (m/s)" could be P-wave velocity, too: "PWVel (km/s)" is taken.' in shown["doubt"]
    pointed = page("point", y=60, id="features")["values"]
    assert pointed == "row 1 · SB DEPTH 0.5 m · density 1.7 g/cm3 · MS 12 instr. units · Vp 1512 m/s · Res 1.5 ohm m"


@pytest.mark.parametrize(
    ("name", "components", "values", "shown_as"),
    [
        ("nine", ["R", "G", "B"], (200, 90, 40), "200,90,40"),
        ("L*a*b*", ["L*", "a*", "b*"], (53.2408, 80.0925, 67.2032), "255,0,0"),
    ],
)
def test_page_draws_a_strip_of_colour(
    page: Page, tmp_path: Path, name: str, components: list[str], values: tuple[float, ...], shown_as: str
) -> None:
    checkpoint, bundle = model_of(SETS[name]), tmp_path / "bundle"
    write_bundle(checkpoint, bundle)
    rows = np.repeat(rows_of(checkpoint)[1:2], 20, axis=0).astype(np.float64)
    rows[:, [SETS[name].names.index(component) for component in components]] = values
    table = write_csv(tmp_path / "rows.csv", rows, SETS[name].names)
    assert shown_as in page("give", files=[bundle / "embedder.onnx", table])["drawn"]
    rows[:, SETS[name].names.index(components[1])] = np.nan  # two of the three are not a colour
    table = write_csv(tmp_path / "rows.csv", rows, SETS[name].names)
    assert shown_as not in page("give", files=[table])["drawn"]


def test_picture_for_the_docs(page: Page, hosts: Path, root: Path) -> None:
    page("give", files=[root / "examples" / "hosts" / "core.csv"])
    page("picture", path=hosts / "page.png", colorScheme="light")
    with Image.open(hosts / "page.png") as picture:
        picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(hosts / "page.png", optimize=True)
    assert 20_000 < (hosts / "page.png").stat().st_size < 300_000
