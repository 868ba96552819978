"""Expectations of both hosts: the Python runtime's output on the same rows; models and tables that are refused."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from lithovae.runtime import LithoModel
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.missing import Bits

Rows = NDArray[np.float64]
BEYOND = 10.0
"""Factor on the tolerances: the rows of these tests are far more extreme than the golden rows."""
Edit = Callable[[dict[str, Any]], None]


def write_csv(path: Path, rows: Rows, header: Sequence[str] | None = None) -> Path:
    """Write rows as CSV; a missing value is an empty cell, or NaN if it would be an empty line."""
    lines = [["" if np.isnan(x) and len(row) > 1 else repr(float(x)) for x in row] for row in rows]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header or FEATURE_NAMES, *lines])
    return path


def run_node(hosts: Path, bundle: Path, table: Path) -> subprocess.CompletedProcess[str]:
    """Run embed.mjs."""
    command = ["node", str(hosts / "embed.mjs"), str(bundle), str(table)]
    return subprocess.run(command, capture_output=True, cwd=table.parent, encoding="utf-8")


def require_same(text: str, bundle: Path, rows: Rows) -> None:
    """Compare a host's CSV with the runtime, within the graph's tolerance, relative for values above 1."""
    found = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["row"]) for row in found] == list(range(1, len(rows) + 1))

    def column(name: str) -> Rows:
        return np.array([float(row[name] or "nan") for row in found])

    model = LithoModel.load(bundle)
    embeddings = np.stack([column(f"z{k}") for k in range(model.latent_dim)], axis=1)
    tolerance = BEYOND * tolerance_of(bundle / "embedder.onnx", "mu")
    np.testing.assert_allclose(embeddings, model.embed(rows), rtol=tolerance, atol=tolerance)
    assert [row["missing"] for row in found] == named(model.missing(rows), model.features)
    if model.classes:  # from the host's embeddings: the classifier amplifies differences in the last digit
        classifier = onnxruntime.InferenceSession(bundle / "classifier.onnx")
        (probabilities,) = classifier.run(["probabilities"], {"z": embeddings.astype(np.float32)})
        best = np.sort(probabilities, axis=1)[:, ::-1]
        tolerance = BEYOND * tolerance_of(bundle / "classifier.onnx", "probabilities")
        np.testing.assert_allclose(column("probability"), best[:, 0], atol=tolerance)
        for row, likely, (first, second) in zip(found, probabilities, best[:, :2], strict=True):
            if np.isnan(first):
                assert row["lithology"] == ""
            elif first - second > 2 * tolerance:
                assert row["lithology"] == model.classes[likely.argmax()]


def named(missing: Bits, features: Sequence[str]) -> list[str]:
    """Write the bits of each row as both hosts do: the names of the features."""
    return ["; ".join(name for i, name in enumerate(features) if bits >> i & 1) for bits in missing.tolist()]


def tolerance_of(graph: Path, output: str) -> float:
    """The tolerance that a graph states for its golden rows under another ONNX Runtime."""
    return float(description_of(onnx.load(graph))["golden"]["tolerance"][output])


def description_of(graph: Any) -> dict[str, Any]:
    description: dict[str, Any] = json.loads(next(p.value for p in graph.metadata_props if p.key == "lithovae"))
    return description


def shift_golden(description: dict[str, Any]) -> None:
    description["golden"]["outputs"]["mu"][0][0] += 1e-3


FAULTY_MODELS: dict[str, tuple[Edit, str]] = {
    "no metadata": (lambda d: d.clear(), 'has no metadata "lithovae"'),
    "another schema": (
        lambda d: d.update(schema=1),
        "has metadata schema 1, but this host reads schemas 2, 3, 4 and 5",
    ),
    "changed golden": (shift_golden, "verification failed: mu differs by"),
    "no features": (lambda d: d.pop("features"), "invalid metadata (features)"),
    "a transform of another schema": (lambda d: d["features"][3].update(transform="log1p(x)"), "(features)"),
    "an unknown transform": (lambda d: d["features"][3].update(transform="sqrt"), "invalid metadata (features)"),
    "no instrument": (lambda d: d["features"][3].pop("instrument"), "invalid metadata (features)"),
    "a feature twice": (lambda d: d["features"].append(d["features"][0]), "invalid metadata (features)"),
    "65 features": (
        lambda d: d["features"].extend({**d["features"][0], "name": f"x{i}"} for i in range(59)),
        "(features)",
    ),
    "another unit": (
        lambda d: d["features"][0].update(unit="kg/m3"),
        "states Bulk density (GRA) in 'kg/m3', not in 'g/cm3': export it again",
    ),
    "another range": (
        lambda d: d["features"][0].update(plausible=[300, 4000]),
        "states 300 to 4000 as the plausible range of Bulk density (GRA)",
    ),
    "the decoder": (lambda d: d.update(graph="decoder"), "is the decoder; choose embedder.onnx"),
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
        "Bulk density (GRA) [lb/ft3],Magnetic susceptibility,NGR total counts,R,G,B\n106,2,3,4,5,6\n",
        '"Bulk density (GRA) [lb/ft3]" is in lb/ft3, but the model needs g/cm3, and the factor is not known: '
        "convert it",
    ),
    "a name that needs a unit": (
        "density,MS,gamma ray,R,G,B\n1,2,3,4,5,6\n",
        '"gamma ray" states no unit, and columns with this name are rarely in cps: state its unit, or rename it to '
        '"NGR total counts (cps)"',
    ),
    "a point sensor": (
        "density,MSP,NGR,R,G,B\n1,2,3,4,5,6\n",
        '"MSP" is from a point sensor, which is not comparable',
    ),
    "two aliases, as good": (
        "density,MS,NGR,R,G,B,Density (kg/m3)\n1,2,3,4,5,6,7\n",
        '"density" and "Density (kg/m3)" both match the feature "Bulk density (GRA)": remove one',
    ),
    "ragged": (
        "Bulk density (GRA),Magnetic susceptibility,NGR total counts,R,G,B\n1,2,3,4,5,6\n1,2,3,4,5\n",
        "row 2 has 5 cells, the header has 6",
    ),
    "twice the same": (
        "Bulk density (GRA),Magnetic susceptibility,NGR total counts,R,G,B,r\n1,2,3,4,5,6,7\n",
        '"R" and "r" both match the feature "R"',
    ),
    "no rows": ("Bulk density (GRA),Magnetic susceptibility,NGR total counts,R,G,B\n", "no rows"),
    "empty": ("", "is empty"),
    "not text": ("\0\1\2,R,G\n1,2,3\n", "is not a text file"),
}

_STEADY = np.linspace(0, 1, 50)
_ORDINARY = {"depth (m)": 2 * _STEADY, **dict.fromkeys(FEATURE_NAMES, 1 + _STEADY)}
_COLOURS = ("R (0-255)", "G (0-255)", "B (0-255)")
IN_OTHER_UNITS: dict[str, tuple[dict[str, Any], str]] = {
    "ordinary": ({}, ""),
    "density in kg/m3": ({FEATURE_NAMES[0]: 1690.4 + 90 * _STEADY}, "all values are from 1,690 to 1,781"),
    "susceptibility in SI": ({FEATURE_NAMES[1]: 9e-4 * _STEADY}, "no value is above 0.001"),
    "susceptibility of 0": ({FEATURE_NAMES[1]: 0 * _STEADY}, ""),
    "susceptibility near 0": ({FEATURE_NAMES[1]: 1e-9 * _STEADY}, ""),
    "gamma in counts": ({FEATURE_NAMES[2]: 1500 + 10 * _STEADY}, "all values are from 1,500 to 1,510"),
    "colours to 1": (dict.fromkeys(_COLOURS, np.where(_STEADY < 0.5, np.nan, _STEADY)), "no value is above 1"),
    "black": (dict.fromkeys(_COLOURS, np.round(_STEADY)), ""),
    "one colour": (dict(zip(_COLOURS, (_STEADY, 200 * _STEADY, _STEADY), strict=True)), ""),
    "colours of 16 bits": (dict.fromkeys(_COLOURS, 300 + 65_000 * _STEADY), "all values are from 300 to 65,300"),
    "some colours above 255": (dict.fromkeys(_COLOURS, 300 * _STEADY), ""),
    "depth in cm": ({"depth": np.arange(50) * 5.5}, "they go in steps of 5.5 and end at 270; are they in cm or mm?"),
    "depth in mm": ({"depth (m)": np.arange(50) * 500}, "deeper than any borehole: they end at 24,500 m; are they in"),
    "depth of a hole": ({"depth (m)": np.arange(50) * 5.5}, ""),
    "short steps": ({"depth": 1000 + 10 * _STEADY}, ""),
}
"""Columns that replace ordinary ones, and part of the note on them; empty where there is none."""


def write_in_other_units(path: Path, columns: dict[str, Any]) -> Path:
    """Write an ordinary table with some of its columns replaced."""
    replaced = {name.partition(" (0")[0] for name in columns} | ({"depth (m)"} if "depth" in columns else set())
    table = {name: values for name, values in _ORDINARY.items() if name not in replaced} | columns
    return write_csv(path, np.column_stack(list(table.values())), list(table))


def require_same_notes(said: list[str], table: Path, model: LithoModel, note: str) -> None:
    """Compare a host's notes on units with those of a batch run."""
    assert said == embed_scan(table, table.with_suffix(".npz"), model).other_units
    assert [note in line for line in said] == [True] * bool(note)
