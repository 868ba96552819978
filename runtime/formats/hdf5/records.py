"""Tables of records with a field that h5py cannot read, such as a time of PyTables: the other fields are read."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np


class Records(h5py.Dataset):  # type: ignore[misc]  # h5py has no types
    """A table of records whose unreadable fields are raw bytes, so that the others keep their positions.

    Attributes
    ----------
    dtype : dtype
        Type of a record.
    unreadable : list of str
        Names of the fields that are not read.
    """

    def __init__(self, dataset_id: Any) -> None:
        super().__init__(dataset_id)
        self.unreadable: list[str] = []
        self._type = _dtype_of(dataset_id.get_type(), self.unreadable)

    @property
    def dtype(self) -> Any:
        """Type of a record; an unreadable field is of kind V."""
        return self._type

    @property
    def fillvalue(self) -> Any:
        """Fill value of the fields that can be read."""
        names = [name for name in self._type.names if name not in self.unreadable]
        fill = np.zeros((), [(name, self._type[name]) for name in names])
        self._dcpl.get_fill_value(fill)
        return fill[()]


def records_of(dataset: Any) -> Records | None:
    """Return a table of records of which some fields can be read; None if a dataset is not one."""
    stored = dataset.id.get_type()
    if not isinstance(stored, h5py.h5t.TypeCompoundID):
        return None
    records = Records(dataset.id)
    return records if len(records.unreadable) < stored.get_nmembers() else None


def _dtype_of(stored: Any, unreadable: list[str]) -> Any:
    fields = []
    for i in range(stored.get_nmembers()):
        name, member = stored.get_member_name(i).decode("utf-8", "surrogateescape"), stored.get_member_type(i)
        try:
            fields.append((name, member.dtype))
        except TypeError:
            unreadable.append(name)
            fields.append((name, np.dtype((np.void, member.get_size()))))
    return np.dtype(fields)
