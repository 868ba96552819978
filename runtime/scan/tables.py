"""The tables of a file: the columns of each, and columns above that may supply one that it lacks."""

from __future__ import annotations

from collections.abc import Iterable

from lithovae.runtime.formats.column import Column, TableKey


class Tables:
    """The columns of a file by table, by group and by dimension."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._tables: dict[TableKey, list[Column]] = {}
        self._groups: dict[tuple[str, int], list[Column]] = {}
        self._dimensions: dict[int, list[Column]] = {}
        for column in columns:
            table = column.table
            self._tables.setdefault(table, []).append(column)
            if column.number is None:
                self._groups.setdefault((column.group, table[1]), []).append(column)
            if table[2] is not None:
                self._dimensions.setdefault(table[2], []).append(column)

    def of(self, table: TableKey) -> tuple[list[Column], list[Column]]:
        """List the columns of a table, and the columns above it that may supply what it lacks.

        The latter are the columns of the same length in the group above, or the variables along the same netCDF
        dimension. Along an unlimited dimension, some may be longer than others.
        """
        home, length, dimension = table
        if dimension is not None:
            near = [column for column in self._dimensions[dimension] if column.length >= length]
        else:
            near = self._groups.get((home.rpartition("/")[0], length), []) if home else []
        return self._tables[table], [column for column in near if column.table != table]
