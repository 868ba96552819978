from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime import LithoModel
from lithovae.runtime.answers.faults import Checks
from lithovae.runtime.answers.quality import Quality, Scaling
from lithovae.runtime.features import CATALOGUE, DENSITY, LILY, RESISTIVITY, VELOCITY, FeatureSet
from lithovae.runtime.log import Fault, flag_names
from lithovae.runtime.missing import Extremes
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.rows.missing_policy import Prepared
from tests.runtime.answers.known_rows import Float32s, bundle_of, prepared, with_reference

FT = 0.3048


def columns_of(rows: Prepared, novelty: float = 0.5) -> dict[str, NDArray[np.float32]]:
    """Return quality columns of rows that have embeddings, all as novel as given."""
    n, k = rows.block.features.shape
    return {"residuals": np.zeros((n, k), np.float32), "novelty_p": np.full(n, novelty, np.float32)}


def checked(bundle: Bundle, rows: Prepared, **options: Any) -> tuple[Checks, NDArray[np.uint8]]:
    """Return the checks of some rows, taken as one block, and their flags."""
    checks = Checks(bundle, **options)
    return checks, checks.take(rows, columns_of(rows))


def changed(model: LithoModel, core: Float32s, columns: list[int], by: float) -> Float32s:
    """Return a core with an offset, in scaled units, in some columns."""
    scaling = Scaling.of(model.bundle)
    scaled = scaling.scaled(core)
    scaled[:, columns] += by
    return scaling.raw(scaled)


def texts(faults: list[Fault]) -> list[tuple[str, str]]:
    return [(fault.kind, fault.what) for fault in faults]


def test_a_clean_core_has_neither_flags_nor_faults(model: LithoModel, core: Float32s) -> None:
    checks, flags = checked(model.bundle, prepared(core, LILY))
    assert checks.faults == []
    assert checks.notes == []
    assert not flags.any()


def test_each_flag(model: LithoModel, core: Float32s) -> None:
    core = core.copy()
    core[3, 0] = np.nan
    core[4, 0] = 4.5
    core[5] = [3.9, -400, 900, 255, 0, 255]
    core[6] = np.nan
    core[100:130, 2] = core[100, 2]
    rows = prepared(core, LILY)
    flags = Checks(model.bundle).take(rows, Quality(model).columns(rows, model.embed(core)))
    assert flag_names(int(flags[3])) == ["imputed"]
    assert "out_of_range" in flag_names(int(flags[4]))
    assert flag_names(int(flags[5])) == ["novel"]
    assert flag_names(int(flags[6])) == []  # it has no embedding, so nothing was imputed
    assert flag_names(int(flags[99])) == []
    assert flag_names(int(flags[129])) == ["stuck_sensor"]


def test_nothing_is_imputed_where_rows_with_gaps_have_no_embedding(model: LithoModel, core: Float32s) -> None:
    core = core.copy()
    core[:200, 0] = np.nan
    rows = prepared(core, LILY, policy="nan")
    columns = columns_of(rows)
    columns["residuals"][:200] = np.nan
    checks = Checks(model.bundle)
    assert not checks.take(rows, columns).any()
    assert checks.notes == []


UNITS = [
    ([0], 1000.0, "Bulk density (GRA)", "these seem to be kg/m3"),
    ([1], 1e-5, "Magnetic susceptibility (instr. units)", "SI"),
    ([2], 1000.0, "NGR total counts (cps)", "counts over a longer time"),
    ([2], 5.0, "NGR total counts (cps)", "either the values are in gAPI, not in cps"),
    ([3, 4, 5], 1 / 255, "R, G, B", "these seem to be 0 to 1"),
    ([3, 4, 5], 257.0, "R, G, B", "more than 8 bits"),
]


@pytest.mark.parametrize(("columns", "factor", "what", "says"), UNITS)
def test_a_feature_in_another_unit(
    model: LithoModel, core: Float32s, columns: list[int], factor: float, what: str, says: str
) -> None:
    core = core.copy()
    core[:, columns] = (core[:, columns] + (5 if columns[0] == 2 else 0)) * factor
    checks, flags = checked(model.bundle, prepared(core, LILY))
    (fault,) = [fault for fault in checks.faults if fault.kind == "unit"]
    assert fault.what == what
    assert says in fault.text
    suspected = (flags & 16) > 0
    assert suspected[200:].all()
    assert not suspected[:10].any()  # ten rows tell nothing


@pytest.mark.parametrize(
    ("columns", "by"), [([0], 3.0), ([0], -3.0), ([1], 3.0), ([1], -3.0), ([2], -3.0), ([3], -3.0), ([3, 4, 5], -3.0)]
)
def test_an_offset_may_be_the_rock(model: LithoModel, core: Float32s, columns: list[int], by: float) -> None:
    (fault,) = checked(model.bundle, prepared(changed(model, core, columns, by), LILY))[0].faults
    assert (fault.kind, fault.what) == ("offset", ", ".join(LILY.names[i] for i in columns))
    assert f"{fault.what} {'is' if len(columns) == 1 else 'are'} about" in fault.text
    assert f"standard deviations {'above' if by > 0 else 'below'} what" in fault.text
    assert "either the sensor has an offset" in fault.text
    assert "or the rock is unusual" in fault.text


def test_two_offsets_are_two_faults(model: LithoModel, core: Float32s) -> None:
    both = changed(model, changed(model, core, [0], -3), [1], 3)
    checks, _ = checked(model.bundle, prepared(both, LILY))
    assert sorted(texts(checks.faults)) == [("offset", LILY.names[0]), ("offset", LILY.names[1])]


def test_an_offset_is_found_beside_gaps(model: LithoModel, core: Float32s) -> None:
    core = changed(model, core, [0], -3.5)
    core[:, 2] = np.nan
    core[::2, 3:] = np.nan
    checks, _ = checked(model.bundle, prepared(core, LILY))
    assert texts(checks.faults) == [("offset", LILY.names[0])]


def test_few_rows_tell_nothing(model: LithoModel, core: Float32s) -> None:
    checks, _ = checked(model.bundle, prepared(changed(model, core, [0], 3)[:15], LILY))
    assert checks.faults == []


def test_a_stuck_sensor_is_a_fault_with_its_depths(model: LithoModel, core: Float32s) -> None:
    core = core.copy()
    core[200:240, 1] = core[200, 1]
    (fault,) = checked(model.bundle, prepared(core, LILY))[0].faults
    assert fault.kind == "stuck"
    assert [fault.top, fault.base] == pytest.approx([40.0, 47.8])
    assert "in 40 rows in a row (40.00 to 47.80 m)" in fault.text


def test_a_constant_channel_is_a_fault_of_the_whole_scan(model: LithoModel, core: Float32s) -> None:
    core = core[:60].copy()
    core[:, 2] = 24.5
    (fault,) = checked(model.bundle, prepared(core, LILY))[0].faults
    assert fault[:4] == ("stuck", LILY.names[2], None, None)
    assert "24.5 in all 60 rows" in fault.text


@pytest.mark.parametrize("size", [1, 3, 64])
def test_flags_and_faults_do_not_depend_on_the_blocks(model: LithoModel, core: Float32s, size: int) -> None:
    core = core.copy()
    core[:, 1] *= 1e-5
    core[150:190, 2] = core[150, 2]
    core[::5, 0] = np.nan
    address = {"hole": ["A"] * 250 + ["B"] * 150, "core": [str(i // 50) for i in range(400)]}
    whole, flags = checked(model.bundle, prepared(core, LILY, address=address))
    parts, found = Checks(model.bundle), []
    for start in range(0, len(core), size):
        rows = slice(start, start + size)
        here = {part: values[rows] for part, values in address.items()}
        block = prepared(core[rows], LILY, 0.2 * np.arange(400.0)[rows], here)
        found.append(parts.take(block, columns_of(block)))
    np.testing.assert_array_equal(np.concatenate(found), flags)
    assert parts.faults == whole.faults
    assert texts(whole.faults) == [("unit", LILY.names[1]), ("stuck", LILY.names[2])]
    np.testing.assert_allclose(
        [drift[1:] for drift in parts.drift], [drift[1:] for drift in whole.drift], rtol=1e-5, atol=1e-6
    )


def test_no_run_of_equal_values_goes_on_in_another_hole(model: LithoModel, core: Float32s) -> None:
    core = core.copy()
    core[197:203, 0] = core[197, 0]
    one, two = {"hole": ["A"] * 400}, {"hole": ["A"] * 200 + ["B"] * 200}
    assert checked(model.bundle, prepared(core, LILY, address=one))[0].faults
    assert not checked(model.bundle, prepared(core, LILY, address=two))[0].faults


def sections(depth: NDArray[np.float64]) -> dict[str, list[str]]:
    """Return the cores (9.6 m) and sections (1.5 m) of depths in metres."""
    return {
        "core": [str(1 + int(d // 9.6)) for d in depth],
        "section": [str(1 + int(d % 9.6 // 1.5)) for d in depth],
    }


@pytest.mark.parametrize(
    ("metres", "has_unit", "says"),
    [(0.01, False, "are they in cm or mm?"), (0.01, True, "are they in cm or mm?"), (FT, True, "are they in feet?")],
)
@pytest.mark.parametrize("size", [1, 400])
def test_depths_in_another_unit(
    model: LithoModel, core: Float32s, metres: float, has_unit: bool, says: str, size: int
) -> None:
    depth = 0.1 * np.arange(400.0)
    address, checks = sections(depth), Checks(model.bundle, has_depth_unit=has_unit)
    for start in range(0, 400, size):
        rows = slice(start, start + size)
        here = {part: values[rows] for part, values in address.items()}
        block = prepared(core[rows], LILY, depth[rows] / metres, here)
        checks.take(block, columns_of(block))
    assert texts(checks.faults) == [("unit", "depth")]
    assert says in checks.faults[0].text


def test_depths_in_metres_raise_no_alarm(model: LithoModel, core: Float32s) -> None:
    depth = 0.1 * np.arange(400.0)
    checks, _ = checked(model.bundle, prepared(core, LILY, depth, sections(depth)), has_depth_unit=False)
    assert checks.faults == []


def test_rows_without_a_depth(model: LithoModel, core: Float32s) -> None:
    rows = prepared(core, LILY)
    rows = replace(rows, block=replace(rows.block, depth=None))
    core[200:240, 1] = core[200, 1]
    (fault,) = checked(model.bundle, rows)[0].faults
    assert fault[:4] == ("stuck", LILY.names[1], None, None)


def test_drift_is_in_standard_deviations_of_the_training_rows(model: LithoModel, core: Float32s) -> None:
    shifted = changed(model, core, [0], 2.5)
    shifted[:100, 2] = np.nan
    shifted[:, 3] = np.nan
    checks, _ = checked(model.bundle, prepared(shifted, LILY))
    drift = {each.feature: each for each in checks.drift}
    scaled = Scaling.of(model.bundle).scaled(shifted)
    assert "R" not in drift
    assert drift[LILY.names[2]].n == 300
    assert drift[LILY.names[0]].shift == pytest.approx(scaled[:, 0].mean(), abs=1e-4)
    assert drift[LILY.names[0]].spread == pytest.approx(scaled[:, 0].std(), abs=1e-4)
    reference = model.bundle.reference
    assert reference
    low, high = reference.ranges.values[0, [0, -1]]
    beyond = np.mean((shifted[:, 0] < low) | (shifted[:, 0] > high))
    assert drift[LILY.names[0]].beyond == pytest.approx(beyond)
    assert beyond > 0.01


def test_many_novel_rows_are_noted(model: LithoModel, core: Float32s) -> None:
    rows, checks = prepared(core, LILY), Checks(model.bundle)
    checks.take(rows, columns_of(rows, novelty=1e-4))
    assert any("400 rows (100.0%) are novel" in note for note in checks.notes)


def test_without_a_reference_what_needs_none_is_still_checked(core: Float32s) -> None:
    bundle = with_reference(Bundle.read("semisup_hybrid"), None)
    core = core.copy()
    core[:, 0] *= 1000
    core[100:150, 1] = core[100, 1]
    rows = prepared(core, LILY)
    checks, flags = checked(bundle, rows)
    assert texts(checks.faults) == [("unit", LILY.names[0]), ("stuck", LILY.names[1])]
    assert "no reference" in checks.notes[0]
    assert np.isnan(checks.drift[0].beyond)
    assert np.isfinite(checks.drift[0].shift)
    assert (flags & 16)[10:].all()


def rows_of(features: FeatureSet, n: int, seed: int = 0) -> Float32s:
    """Return rows of correlated features, each in the middle of its plausible range."""
    rng = np.random.default_rng(seed)
    low, high = features.plausible
    low = np.where([feature.transform == "log1p" for feature in features], np.maximum(low, 0), low)
    share = 0.03 * (rng.normal(0, 1, (n, 1)) + rng.normal(0, 0.5, (n, len(features)))) + 0.25
    return np.asarray(low + share * (high - low), np.float32)


@pytest.mark.parametrize("features", [FeatureSet([VELOCITY]), FeatureSet([RESISTIVITY, VELOCITY]), CATALOGUE])
def test_other_features_go_by_what_they_are(features: FeatureSet) -> None:
    bundle = bundle_of(features, rows_of(features, 2000))
    clean = rows_of(features, 300, seed=1)
    checks, flags = checked(bundle, prepared(clean, features))
    assert checks.faults == []
    assert not (flags & 254).any()
    velocity, position = features.find("vp"), clean.copy()
    assert velocity is not None
    position[:, velocity] /= 1000
    checks, flags = checked(bundle, prepared(position, features))
    (fault,) = [fault for fault in checks.faults if fault.kind == "unit"]
    assert fault.what == VELOCITY.name
    assert "seem to be in km/s" in fault.text
    assert (flags & 16)[10:].all()
    moved = clean.copy()
    moved[:, velocity] += 4 * clean[:, velocity].std() if len(features) > 1 else 6 * clean[:, velocity].std()
    assert texts(checked(bundle, prepared(moved, features))[0].faults) == [("offset", VELOCITY.name)]


def test_a_feature_in_a_unit_that_is_not_known_is_reported() -> None:
    features = FeatureSet([DENSITY])
    bundle, rows = bundle_of(features, rows_of(features, 500)), rows_of(features, 100)
    checks, _ = checked(bundle, prepared(rows * 60, features))
    assert texts(checks.faults) == [("unit", DENSITY.name)]
    assert "their unit cannot be told" in checks.faults[0].text


def test_bins_whose_samples_were_left_out_are_suspect(model: LithoModel, core: Float32s) -> None:
    core = core.copy()
    core[:, 0] = np.nan  # bins leave implausible samples out
    rows = prepared(core, LILY)
    extremes = Extremes(np.array([1600.0, *[np.nan] * 5]), np.array([1800.0, *[np.nan] * 5]), has_nan=False)
    block = replace(rows.block, left_out=extremes)
    rows = replace(rows, block=block, implausible=np.full(400, 1, np.uint8))
    checks, flags = checked(model.bundle, rows)
    assert texts(checks.faults) == [("unit", LILY.names[0])]
    assert (flags & 16)[10:].all()


def test_rows_that_are_odd_in_other_channels_tell_nothing_of_an_ordinary_one(model: LithoModel, core: Float32s) -> None:
    core = core.copy()
    core[:, 3:] = np.random.default_rng(0).uniform(50, 140, (400, 3))  # no rock has such colours
    for gain in (1.0, 1.5):
        core[:, 1:3] *= gain
        checks, flags = checked(model.bundle, prepared(core, LILY))
        assert not [fault for fault in checks.faults if not {"R", "G", "B"} & set(fault.what.split(", "))]
        assert not (flags & 16).any()
