"""Addresses that a file states for whole tables: in attributes, scalar datasets and names of groups."""

from __future__ import annotations

import re
from itertools import zip_longest

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import letters
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats.column import Column
from lithovae.runtime.formats.file import File

from .address import ADDRESS, PART_OF, SHORT_HEADINGS, address_of_name, address_part, normal_label, stated_part

MAX_ADDRESS = 256
"""Characters of a part of an address that the file states for a whole table: the result repeats it in every row."""


def address_columns(members: list[Column]) -> dict[str, Column]:
    """Find the columns of a table that are parts of an address, whether or not they can be read.

    A short heading of Janus is one only in the company of others, and ``H`` or ``T`` only if it holds neither numbers
    nor times (of PyTables). Integers in ``H`` are holes beside three other parts.
    """
    full: dict[str, Column] = {}
    short: dict[str, tuple[Column, int]] = {}
    for column in members:
        heading = letters(column.name)
        if part := address_part(column.name):
            if part not in full or (column.is_label and not full[part].is_label):
                full[part] = column
        elif heading in SHORT_HEADINGS:
            part, n_others = SHORT_HEADINGS[heading]
            if part == "hole" and column.dtype.kind in "iu":
                short.setdefault(part, (column, n_others + 1))  # holes by their codes, or a height
            elif len(heading) > 1 or not _is_quantity(column):
                short.setdefault(part, (column, n_others))
    found = dict(full)
    company = full.keys() | {part for part, (column, _) in short.items() if len(letters(column.name)) > 1}
    for part, (column, n_others) in short.items():
        if len(company - {part}) >= n_others:
            found.setdefault(part, column)
    if "core" not in found and "type" in found and letters(found["type"].name) == "type":
        del found["type"]  # a type without a core is not a core type
    return {part: found[part] for part in ADDRESS if part in found}


def _is_quantity(column: Column) -> bool:
    """Return whether a column holds numbers, or raw bytes that stand for them; what cannot be read may be labels."""
    return column.is_number or (column.dtype.kind == "V" and column.dtype.itemsize > 1)


class GroupAddresses:
    """Addresses that a file states for its groups: in attributes, scalar datasets and names.

    Parameters
    ----------
    file : File
        The open file.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        self._stated: dict[str, dict[str, str]] = {}

    def stated(self, path: str) -> dict[str, str]:
        """Collect the address stated for a group or array and for the groups above it; the nearest takes precedence."""
        found: dict[str, str] = {}
        for ancestor in _ancestors(path):
            found |= self._at(ancestor)
        return found

    def named(self, path: str) -> dict[str, str]:
        """Collect the address in the name of a group or array and in the names of the groups above it."""
        found: dict[str, str] = {}
        names = path.split("/")[1:]
        for above, name in zip(["", *names], names, strict=False):
            parts = _bounded(address_of_name(name, above), path)
            found |= {part: normal_label(part, text) for part, text in parts.items()}
        return found

    def key(self, path: str) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
        """Return a key that distinguishes siblings: the parts of an address that a group has, and their texts."""
        parts = set(self.named(path).items()) | set(self.stated(path).items())
        return frozenset(part for part, _ in parts), frozenset(parts)

    def _at(self, path: str) -> dict[str, str]:
        if path not in self._stated:
            found: dict[str, str] = {}
            for name, text in self._file.stated(path, PART_OF):
                found |= _bounded(stated_part(name, text), path)
            self._stated[path] = found
        return self._stated[path]


def _bounded(address: dict[str, str], path: str) -> dict[str, str]:
    """Return an address whose parts are short enough; to leave one out could mix the samples of two places."""
    for part, text in address.items():
        if len(text) > MAX_ADDRESS:
            raise ScanError(
                f"the {part} that {path[:80]} states has {len(text):,} characters, more than {MAX_ADDRESS}: shorten it"
            )
    return address


def _ancestors(path: str) -> list[str]:
    names = path.split("/")[1:]
    return ["/", *("/" + "/".join(names[:n]) for n in range(1, len(names) + 1) if names[n - 1])]


def _letters(homes: list[str]) -> list[str]:
    """Return the letter that is the name of a group of each table; blank unless several differ there: they are holes.

    Groups that hold the same features are refused before, if nothing else says that their names are addresses.
    """
    paths = [home.split("/") for home in homes]
    for names in zip_longest(*paths, fillvalue=""):
        found = [name if re.fullmatch("[A-H]", name) else "" for name in names]
        if len(set(found) - {""}) > 1 and not set(names) <= set("RGB"):
            return found
    return [""] * len(homes)


def constant_addresses(
    addresses: GroupAddresses, tables: list[tuple[str, list[str]]], findings: Findings
) -> list[dict[str, str]]:
    """Find the constant parts of the address of each of several tables.

    Parameters
    ----------
    addresses : GroupAddresses
        What the file states about the addresses of its groups.
    tables : list of (str, list of str)
        Path of each table, and paths of the arrays that its features come from.
    findings : Findings
        Receives notes on contradictions, which are left out.
    """
    stated, named = [], [addresses.named(home) for home, _ in tables]
    for found, letter in zip(named, _letters([home for home, _ in tables]), strict=True):
        if letter:
            found.setdefault("hole", letter)
    for home, arrays in tables:
        found = addresses.stated(home)
        of_arrays: dict[str, set[str]] = {}
        for array in arrays:
            for part, text in addresses.stated(array).items():
                of_arrays.setdefault(part, set()).add(text)
        for part, texts in of_arrays.items():
            if len(texts) > 1:
                findings.note(f"attributes in {home} disagree on the {part} ({', '.join(sorted(texts))}): left out")
                found.pop(part, None)
            else:
                found[part] = next(iter(texts))
        stated.append(found)
    distinguishing = {part for part in ADDRESS if len({names.get(part, "") for names in named}) > 1}
    shared = {part for part in ADDRESS if len({found.get(part) for found in stated}) == 1}
    constants = []
    for i in range(len(tables)):
        found = dict(named[i])
        for part, text in stated[i].items():
            if part not in found or part not in distinguishing & shared:
                found[part] = text  # unless it is the same for all tables, and their names distinguish them
        constants.append({part: found[part] for part in ADDRESS if part in found})
    return constants
