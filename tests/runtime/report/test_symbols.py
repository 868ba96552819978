"""Colours and patterns of lithologies."""

from __future__ import annotations

import csv
from itertools import combinations
from pathlib import Path

import pytest

from lithovae.runtime.report.symbols import KINDS, kind_of, symbols_of


@pytest.fixture(scope="module")
def published(root: Path) -> list[tuple[str, str]]:
    with (root / "training" / "published" / "lithology_groups.csv").open(encoding="utf-8") as file:
        return [(row["Principal_Lithology"], row["Lithology_Group"]) for row in csv.DictReader(file)]


def test_each_published_group_has_a_pattern_of_its_own(published: list[tuple[str, str]]) -> None:
    groups = {group for _, group in published}
    kinds = {group: kind_of(group) for group in groups}
    assert len(set(kinds.values())) == len(groups)
    assert [group for group, kind in kinds.items() if kind == "other"] == ["Other"]
    assert len({KINDS[kind].pattern for kind in kinds.values()}) == len(groups)


def test_each_published_lithology_has_a_pattern(published: list[tuple[str, str]]) -> None:
    symbols = symbols_of(published)
    unknown = [name for (name, _), symbol in zip(published, symbols, strict=True) if symbol.pattern == "other"]
    assert unknown == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nannofossil ooze", "carbonate"),
        ("nannofossil clay", "clay"),
        ("silty clay", "clay"),
        ("clayey silt", "silt"),
        ("sandy conglomerate", "gravel"),
        ("diatom ooze with clay", "silica"),
        ("Basalt (altered)", "mafic"),
        ("clast-poor sandy diamict", "diamict"),
        ("core catcher", "other"),
    ],
)
def test_last_word_that_names_a_rock_is_the_rock(name: str, kind: str) -> None:
    assert (kind_of(name) == kind) or (kind == "silica" and kind_of(name) in {"silica", "ooze"})


def test_lithologies_of_one_group_differ_in_shade() -> None:
    symbols = symbols_of([(name, "Clay/Mud") for name in ("clay", "silty clay", "mud", "mudstone", "claystone")])
    assert len({symbol.colour for symbol in symbols}) == 5


def as_seen(colour: str, matrix: list[list[float]]) -> list[float]:
    rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [sum(a * b for a, b in zip(row, rgb, strict=True)) for row in matrix]


@pytest.mark.parametrize(
    "matrix",
    [
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],  # no red cones (Machado 2009)
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],  # no green cones
    ],
)
def test_kinds_are_told_apart_without_red_or_green(matrix: list[list[float]]) -> None:
    for a, b in combinations(KINDS, 2):
        seen = zip(as_seen(KINDS[a].colour, matrix), as_seen(KINDS[b].colour, matrix), strict=True)
        apart = max(abs(x - y) for x, y in seen)
        assert apart > 0.04 or KINDS[a].pattern != KINDS[b].pattern, (a, b)
    assert len({kind.pattern for kind in KINDS.values()}) == len(KINDS)
