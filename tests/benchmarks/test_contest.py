from __future__ import annotations

import pytest

from benchmarks.contest import Spread, in_turn
from benchmarks.peers import UnavailableError


def test_ratios_are_taken_within_a_round() -> None:
    # The machine was three times as slow in the second round, which says nothing about the peers.
    ours, theirs = [1.0, 3.0, 1.0], [2.0, 6.0, 2.5]
    assert Spread.of_ratios(theirs, ours) == Spread(2.0, 2.0, 2.5)


def test_unequal_numbers_of_rounds_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="longer"):
        Spread.of_ratios([1.0], [1.0, 2.0])


def test_every_round_has_each_once_and_begins_with_another() -> None:
    order: list[str] = []
    entries = {name: lambda name=name: order.append(name) or float(len(order)) for name in "abc"}  # type: ignore[func-returns-value]
    found = in_turn(entries, rounds=3, warm_ups=1)
    rounds = [order[i : i + 3] for i in range(0, 12, 3)]
    assert [names[0] for names in rounds] == ["a", "b", "c", "a"]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert found["measured"] == {"a": [6, 8, 10], "b": [4, 9, 11], "c": [5, 7, 12]}  # the first three warmed up


def test_a_peer_that_fails_leaves_the_others_their_rounds() -> None:
    runs = iter([1.0, 2.0])

    def gives_up() -> float:
        for seconds in runs:
            return seconds
        raise UnavailableError("no more memory")

    found = in_turn({"fine": lambda: 5.0, "weary": gives_up}, rounds=3)
    assert found == {"measured": {"fine": [5.0] * 3}, "failed": {"weary": "no more memory"}}


def test_a_slow_machine_has_fewer_rounds_but_one() -> None:
    assert in_turn({"slow": lambda: 1.0}, rounds=5, seconds=-1)["measured"] == {"slow": [1.0]}
