"""Shortens long lists: the first few items, and the number of the others."""

from __future__ import annotations

from collections.abc import Sequence

MAX_NOTES = 20
"""Largest number of notes that are printed."""
MAX_UNUSED = 12
"""Largest number of unused columns that are printed."""


def several(texts: Sequence[str], at_most: int) -> str:
    """Return the first ``at_most`` distinct texts, and how many more there are; empty if there are none."""
    distinct = list(dict.fromkeys(texts))
    more = f" and {len(distinct) - at_most:,} more" if len(distinct) > at_most else ""
    return f"{', '.join(distinct[:at_most])}{more}"


def unused_columns(paths: Sequence[str]) -> str:
    """Return the list of columns that are not used."""
    return several(paths, MAX_UNUSED)
