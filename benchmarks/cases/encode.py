"""Rows in memory: raw features to embeddings, or to class probabilities."""

from __future__ import annotations

from typing import Any

from benchmarks.bench import Bench
from benchmarks.contest import in_turn


def embed(bench: Bench) -> dict[str, Any]:
    """Embed a million rows."""
    return _measure(bench, "embed", 1_000_000, 5 if bench.short else 15)


def classify(bench: Bench) -> dict[str, Any]:
    """Classify a quarter of a million rows."""
    return _measure(bench, "classify", 250_000, 3 if bench.short else 9)


def _measure(bench: Bench, what: str, n_rows: int, rounds: int) -> dict[str, Any]:
    floors = {
        "one_core": bench.ask("floors", "bare", n_rows=n_rows, what=what),
        "all_cores": bench.ask("floors", "bare_on_all", n_rows=n_rows, what=what),
    }
    return {"rows": n_rows, **in_turn(bench.ask_all(what, n_rows=n_rows) | floors, rounds, bench.seconds)}
