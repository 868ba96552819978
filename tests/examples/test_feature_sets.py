"""Models of other feature sets than the published one in Node, compared with the Python runtime."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lithovae.export.bundle import write_bundle
from lithovae.runtime import LithoModel
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.description import ScanDescription
from lithovae.runtime.features import CATALOGUE, DEPTH, FeatureSet, letters, split_suffix, split_unit, unit_key
from tests.export.test_feature_sets import SALINITY, SETS, model_of, rows_of

from .material import named, require_same, run_node, write_csv

WITH_GAPS = ("lake", "L*a*b*", "of its own", "catalogue", "one", "nine")


@pytest.mark.parametrize("name", WITH_GAPS)
def test_node_embeds_any_set_as_python_does(hosts: Path, tmp_path: Path, name: str) -> None:
    checkpoint, bundle = model_of(SETS[name], classes=3), tmp_path / "bundle"
    write_bundle(checkpoint, bundle)
    rows = rows_of(checkpoint).astype(np.float64)
    done = run_node(hosts, bundle, write_csv(tmp_path / "rows.csv", rows, SETS[name].names))
    assert done.returncode == 0, done.stderr
    require_same(done.stdout, bundle, rows)
    for feature in SETS[name]:
        assert f'{feature.name} [{feature.unit}]: "{feature.name}"' in done.stderr


def test_a_bit_beyond_the_32nd_is_not_that_of_another_feature(hosts: Path, tmp_path: Path) -> None:
    """In JavaScript, 1 << 32 is 1."""
    assert len(CATALOGUE) > 33
    bundle = tmp_path / "bundle"
    write_bundle(model_of(CATALOGUE), bundle)
    full = model_of(CATALOGUE).scaler.inverse_transform(np.zeros((1, len(CATALOGUE))))
    rows = np.where(np.eye(len(CATALOGUE)) == 1, np.nan, full)  # row i lacks feature i
    done = run_node(hosts, bundle, write_csv(tmp_path / "rows.csv", rows, CATALOGUE.names))
    found = [row["missing"] for row in csv.DictReader(io.StringIO(done.stdout))]
    assert found == list(CATALOGUE.names)
    assert LithoModel.load(bundle).missing(rows).tolist() == [1 << i for i in range(len(CATALOGUE))]


LAKE = ("Den1 (g/cm3)", "MS1", "PWVel (m/s)", "RES (ohm.m)")
TABLES: dict[str, tuple[str, tuple[str, ...], dict[int, float]]] = {
    "own names": ("catalogue", CATALOGUE.names, {}),
    "aliases": ("lake", LAKE, {}),
    "other units": ("lake", ("RHOB.K/M3", "loop MS [instr. units]", "Vp_km/s", "resistivity"), {0: 1000, 2: 1e-3}),
    "feet": ("lake", ("wet density (kg m-3)", "magsus", "P-wave velocity [ft/sec]", "NCR (Ω m)"), {0: 1000, 2: 3.3}),
    "µs": ("lake", ("gra (t/m³)", "MS", "sonic velocity (mm/µs)", "e res. (Ohm-m)"), {2: 1e-3}),
    "colour": ("L*a*b*", ("den", "MS", "GR (cps)", "CIE L*", "a*(D65)", "Reflectance b*", "VEL (km/s)"), {6: 1e-3}),
    "a better name": ("lake", (*LAKE, "Resistivity (kohm)", "density2", "MSP", "velocity"), {}),
    "its own": ("of its own", ("kappa (instr. units)", "PORE WATER SALINITY [psu]"), {}),
    "porosity": (
        "nine",
        ("Ca (counts)", "red", "green", "blue", "vp", "res", "K peak area", "den", "phi (%)"),
        {8: 100},
    ),
}
"""A feature set, the names of a table's columns, and the factors that take its features to the units of these."""


@pytest.mark.parametrize("case", TABLES)
def test_names_and_units_are_those_of_python(hosts: Path, tmp_path: Path, case: str) -> None:
    name, header, factors = TABLES[case]
    checkpoint, bundle = model_of(SETS[name]), tmp_path / "bundle"
    write_bundle(checkpoint, bundle)
    rows = rows_of(checkpoint, 60).astype(np.float64)
    for i, factor in factors.items():  # a number that is written and read, and a sentinel that is not converted
        rows[:, i] = np.where(rows[:, i] == -999.25, -999.25, np.round(rows[:, i] * factor, 3))
    rows = np.column_stack([rows, *(np.ones(len(rows)) for _ in header[rows.shape[1] :])])
    table = write_csv(tmp_path / "rows.csv", np.column_stack([1 + np.arange(60) / 4, rows]), ("SB depth (m)", *header))
    done = run_node(hosts, bundle, table)
    assert done.returncode == 0, done.stderr
    described: list[ScanDescription] = []
    embed_scan(table, tmp_path / "out.npz", LithoModel.load(bundle), announce=described.append)
    for feature in described[0].features:
        (source,) = feature.sources
        unit = source.unit + ", converted" * (source.factor != 1) if source.unit else "no unit stated"
        assert f'\n{feature.name} [{feature.unit}]: "{source.path}" ({unit})' in done.stderr
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    with np.load(tmp_path / "out.npz") as out:
        embeddings, missing = out["embeddings"], out["missing"]
        np.testing.assert_array_equal([float(row["SB depth (m)"]) for row in found], out["depth"])
    found_embeddings = np.array([[float(row[f"z{k}"] or "nan") for k in range(embeddings.shape[1])] for row in found])
    np.testing.assert_allclose(found_embeddings, embeddings, rtol=2e-5, atol=2e-5)
    assert [row["missing"] for row in found] == named(missing, SETS[name].names)
    assert done.stderr.count(", converted)") == len(factors)


NINE = ("Ca XRF", "red", "green", "blue", "vp", "res", "K area", "den", "fp")
REFUSED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "an unknown unit": ("lake", ("den", "MS", "vp (furlong/s)", "res"), "is in furlong/s, but the model needs m/s"),
    "porosity without a unit": ("nine", (*NINE[:-1], "phi"), '"phi" states no unit'),
    "K of XRF or of gamma": ("nine", (*NINE[:6], "K", *NINE[7:]), "columns with this name are rarely in counts"),
    "a concentration": ("nine", ("Ca (%)", *NINE[1:]), '"Ca (%)" is in %, but the model needs counts'),
    "R may be resistivity": ("R alone", ("R",), '"R" may not be colour: the other two of R, G, B are not beside it'),
    "b of L*a*b*": ("nine", ("a", *NINE[:3], "b", *NINE[4:]), '"b" may not be colour'),
    "unknown to the catalogue": ("of its own", ("MS", "salinity"), 'has no column "Pore water salinity"'),
    "its own in another unit": ("of its own", ("MS", "Pore water salinity (g/l)"), "in g/l, but the model needs psu"),
    "as good": ("lake", ("den", "MS", "vp", "res", "Vp (km/s)"), '"vp" and "Vp (km/s)" both match the feature'),
}


def test_a_blank_line_is_no_row(hosts: Path, tmp_path: Path) -> None:
    """In a table of one column it may be a missing value: with it left out, all rows below would move up."""
    write_bundle(model_of(SETS["one"]), tmp_path / "bundle")
    (tmp_path / "rows.csv").write_text("NGR\n12\n\n14\n", encoding="utf-8")
    done = run_node(hosts, tmp_path / "bundle", tmp_path / "rows.csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert "row 2 is a blank line, in a table of one column: write NaN where a value is missing" in done.stderr
    (tmp_path / "rows.csv").write_text("\nNGR,core\n12,1\n\n14,1\n\n", encoding="utf-8")
    done = run_node(hosts, tmp_path / "bundle", tmp_path / "rows.csv")
    assert [line[:2] for line in done.stdout.splitlines()] == ["ro", "1,", "2,"]


@pytest.mark.parametrize("case", REFUSED)
def test_node_refuses_what_it_cannot_convert(hosts: Path, tmp_path: Path, case: str) -> None:
    name, header, message = REFUSED[case]
    features = FeatureSet.named(["R"]) if name == "R alone" else SETS[name]
    write_bundle(model_of(features), tmp_path / "bundle")
    done = run_node(hosts, tmp_path / "bundle", write_csv(tmp_path / "rows.csv", np.ones((2, len(header))), header))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert message in done.stderr


UNITS = [
    *(
        "",
        "g/cm³",
        "kg/m^3",
        "K/M3",
        "km/s",
        "mm/µs",
        "m.s-1",
        "ohm·m",
        "Ω m",
        "Ωm",
        "%",
        "wt.%",
        "ppm",
        "counts",
        "psu",
    ),
    *(
        "cps",
        "gAPI",
        "SI",
        "SI x 10-5",
        "10^-5 SI",
        "instr. units",
        "GRA",
        "constructor",
        "0-255",
        "CIELAB",
        "ft",
        "cm",
    ),
]


def run_module(hosts: Path, program: str, given: Any) -> Any:
    command = ["node", "--input-type=module", "--eval", program]
    done = subprocess.run(
        command, cwd=hosts, capture_output=True, encoding="utf-8", check=True, input=json.dumps(given)
    )
    return json.loads(done.stdout)


def test_names_are_judged_as_python_judges_them(hosts: Path) -> None:
    program = """
import { readFileSync } from 'node:fs';
import { DEPTH, letters, quantityOf, splitSuffix, splitUnit, unitKey } from './quantities.mjs';
const { features, names, units } = JSON.parse(readFileSync(0));
const quantities = [...features.map(quantityOf), DEPTH];
const judge = (quantity) => names.map((name) => [
  quantity.rank(name), quantity.needsUnit(name), quantity.isPointSensor(name), quantity.unitIn(name),
  units.map((unit) => quantity.contradiction(name, unit)),
]);
console.log(JSON.stringify({
  parts: names.map((name) => [letters(name), unitKey(name), ...splitUnit(name), ...splitSuffix(name)]),
  factors: quantities.map((quantity) => units.map((unit) => quantity.factor(unit) ?? null)),
  judged: quantities.map(judge),
}));
"""
    features = FeatureSet.of_json([*CATALOGUE.to_json(), SALINITY])
    quantities = (*features, DEPTH)
    names = [word for quantity in quantities for word in (quantity.name, quantity.short, *quantity.names)]
    bare = ("Density", "MS", "vp", "K", "Pore water salinity", "GR", "kappa", "MSP", "Depth", "L*", "b")
    names += [
        f"{word}{form.format(unit)}" for word in bare for unit in UNITS for form in (" ({})", "_{}", ".{}", "[{}]")
    ]
    names += [
        "Straße",
        "ſI",
        "Kelvin",
        "ﬁ",
        "ı",
        "İ",
        "ẞ",
        " depth_cm ",
        "(m)",
        " (m)",
        "a (b) (c)",
        "x ()",
        "toString",
        "__proto__",
    ]
    names = [name for name in dict.fromkeys(names) if name]
    found = run_module(hosts, program, {"features": features.to_json(), "names": names, "units": UNITS})
    assert found["parts"] == [[letters(n), unit_key(n), *split_unit(n), *split_suffix(n)] for n in names]
    for quantity, factors, judged in zip(quantities, found["factors"], found["judged"], strict=True):
        known = [quantity.factor(unit) for unit in UNITS]
        assert factors == [factor and [factor.numerator, factor.denominator] for factor in known]
        for name, (rank, *rest) in zip(names, judged, strict=True):
            expected = [quantity.needs_unit(name), quantity.is_point_sensor(name), quantity.unit_in(name)]
            expected_rank = quantity.rank(name)
            assert rank == (-1 if expected_rank is None else expected_rank), name
            assert rest == [*expected, [quantity.contradiction(name, unit) for unit in UNITS]], name


def test_short_names_are_told_apart_as_in_python(hosts: Path) -> None:
    program = """
import { readFileSync } from 'node:fs';
import { shortNames } from './quantities.mjs';
console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(shortNames)));
"""
    found = run_module(hosts, program, [features.to_json() for features in SETS.values()])
    assert found == [list(features.short_names.values()) for features in SETS.values()]


def test_letters_are_those_of_python_for_every_character(hosts: Path) -> None:
    program = """
import { letters } from './quantities.mjs';
const all = Array.from({ length: 0x110000 }, (_, code) => [code, letters(String.fromCodePoint(code))]);
console.log(JSON.stringify(all.filter(([, known]) => known)));
"""
    characters = (chr(code) for code in range(0x110000))
    expected = [[ord(character), known] for character in characters if (known := letters.__wrapped__(character))]
    assert run_module(hosts, program, None) == expected


COLOURS: dict[str, tuple[tuple[float, float, float], tuple[int, int, int]]] = {
    "white": ((100, 0, 0), (255, 255, 255)),
    "black": ((0, 0, 0), (0, 0, 0)),
    "middle grey": ((53.585, 0, 0), (128, 128, 128)),
    "red": ((53.2408, 80.0925, 67.2032), (255, 0, 0)),
    "green": ((87.7347, -86.1827, 83.1793), (0, 255, 0)),
    "blue": ((32.2970, 79.1875, -107.8602), (0, 0, 255)),
    "beyond sRGB": ((50, 128, -128), (223, 0, 255)),
}


def test_l_a_b_is_shown_in_its_colour(hosts: Path) -> None:
    program = """
import { readFileSync } from 'node:fs';
import { labToRgb } from './colour.mjs';
console.log(JSON.stringify(JSON.parse(readFileSync(0)).map((lab) => labToRgb(...lab).map(Math.round))));
"""
    found = run_module(hosts, program, [lab for lab, _ in COLOURS.values()])
    for shown, (_, rgb) in zip(found[:-1], list(COLOURS.values())[:-1], strict=True):
        np.testing.assert_allclose(shown, rgb, atol=1)
    assert min(found[-1]) >= 0
    assert max(found[-1]) <= 255
