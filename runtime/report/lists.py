"""Long lists for people: the first few, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

MAX_NOTES = 20
"""Notes that are printed."""
MAX_UNUSED = 12
"""Unused columns that are printed."""


def several(texts: Sequence[str], at_most: int) -> str:
    """List the first of some texts, each once; empty where there are none."""
    distinct = list(dict.fromkeys(texts))
    more = f" and {len(distinct) - at_most:,} more" if len(distinct) > at_most else ""
    return f"{', '.join(distinct[:at_most])}{more}"


def unused_columns(paths: Sequence[str]) -> str:
    """List the columns that are not used."""
    return several(paths, MAX_UNUSED)
