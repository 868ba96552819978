from __future__ import annotations

from typing import Any

from benchmarks.contest import Spread
from benchmarks.targets import floor, over_floor, targets


def encode(**seconds: float) -> dict[str, Any]:
    return {"encode": {"rows": 100, "measured": {name: [value] * 2 for name, value in seconds.items()}, "failed": {}}}


def by_text(cases: dict[str, Any], text: str) -> Any:
    (found,) = [target for target in targets(cases, threads=2) if text in target.says]
    return found


def test_speed_is_the_peers_time_over_ours() -> None:
    target = by_text(encode(lithovae=1.0, compiled=1.6), "torch.compile")
    assert target.measured == Spread(1.6, 1.6, 1.6)
    assert target.reached is True
    assert by_text(encode(lithovae=1.0, compiled=1.4), "torch.compile").reached is False


def test_share_of_the_cores_counts_each_core() -> None:
    # One core bare takes 2 s, so two take 1 s at best; 1.25 s is 0.8 of that speed.
    target = by_text(encode(lithovae=1.25, one_core=2.0), "one core's bare")
    assert target.measured == Spread(0.8, 0.8, 0.8)
    assert target.reached is False


def test_what_was_not_measured_is_not_reached() -> None:
    assert {target.reached for target in targets({}, threads=2)} == {None}
    assert by_text(encode(lithovae=1.0), "torch.compile").reached is None  # the peer did not run


def test_memory_is_held_to_all_processes_and_its_growth() -> None:
    peaks = [{"rows": 8 * n, "tree": tree, "largest": 1} for n, tree in ((1, 150e6), (4, 170e6), (16, 180e6))]
    cases = {"memory": {"peaks": {"lithovae": peaks}}}
    assert by_text(cases, "at 1× scan size").reached is True
    growth = by_text(cases, "at 16×")
    assert growth.measured == Spread(1.2, 1.2, 1.2)
    assert growth.reached is False


def test_the_floor_is_the_largest_of_the_round() -> None:
    case = {
        "rows": 1,
        "measured": {
            "read": [1.0, 1.0, 4.0],
            "compute": [2.0, 2.0, 2.0],
            "write": [1.0] * 3,
            "lithovae": [3.0, 2.6, 6],
        },
    }
    assert floor(case) == ("compute", [2.0, 2.0, 4.0])
    assert over_floor(case) == Spread(1.5, 1.3, 1.5)
