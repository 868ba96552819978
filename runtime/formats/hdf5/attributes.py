"""HDF5 attributes as different writers store them: any spelling, scalar or one-element array, any encoding."""

from __future__ import annotations

from collections.abc import Container
from typing import Any
from weakref import WeakKeyDictionary

import h5py
import numpy as np

from lithovae.runtime.errors import DAMAGE, ScanError
from lithovae.runtime.features import letters

from .limits import MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, display_path

_NAMES: WeakKeyDictionary[Any, list[str]] = WeakKeyDictionary()  # requested some twenty times per object


def attribute_names(node: Any) -> list[str]:
    """List the names of an object's attributes; names that are not UTF-8 are skipped.

    Raises
    ------
    ScanError
        If the object has more than `MAX_ATTRIBUTES` attributes.
    """
    if (names := _NAMES.get(node)) is not None:
        return names
    n = h5py.h5a.get_num_attrs(node.id)
    if n > MAX_ATTRIBUTES:
        raise ScanError(
            f"{display_path(node.name)} has {n:,} attributes, more than {MAX_ATTRIBUTES:,}: not a core scan, or damaged"
        )
    names = _NAMES[node] = [name for name in (node.attrs if n else ()) if isinstance(name, str)]
    return names


def _require_small(node: Any, name: str) -> None:
    """Raise ValueError if an attribute has more than `MAX_ATTRIBUTE_BYTES` bytes."""
    attribute = node.attrs.get_id(name)
    n_values, value_bytes = attribute.get_space().get_simple_extent_npoints(), attribute.get_type().get_size()
    if n_values * value_bytes > MAX_ATTRIBUTE_BYTES:
        raise ValueError(f"it has {n_values * value_bytes:,} bytes, more than {MAX_ATTRIBUTE_BYTES:,}")


def find_attributes(node: Any, *names: str) -> list[Any]:
    """List the values of a node's attributes with one of these reduced names; see `named_attributes`."""
    return [value for _, value in named_attributes(node, names)]


def named_attributes(node: Any, names: Container[str]) -> list[tuple[str, Any]]:
    """List a node's attributes with one of these names (compared by `letters`) as pairs of reduced name and value.

    Raises
    ------
    ScanError
        If an attribute cannot be read or is too large. It is not skipped, because values without their unit would be
        ambiguous.
    """
    found: list[tuple[str, Any]] = []
    for name in attribute_names(node):
        if (plain := letters(name)) in names:
            try:
                _require_small(node, name)
                value, dtype = node.attrs[name], node.attrs.get_id(name).dtype
                if h5py.check_enum_dtype(dtype) and np.size(value) == 1:
                    value = enum_name(dtype, np.ravel(value)[0])
            except DAMAGE as error:
                raise ScanError(f"attribute {name} of {display_path(node.name)} cannot be read: {error}") from error
            if not isinstance(value, (h5py.Empty, h5py.Reference)):
                found.append((plain, value))
    return found


def enum_name(dtype: Any, code: Any) -> str:
    """Return what an enumeration calls a code; empty if it does not name it."""
    return next((name for name, known in (h5py.check_enum_dtype(dtype) or {}).items() if known == code), "")


def as_text(value: Any) -> str | None:
    """Return text, a number, or a one-element array of either as text; None for anything else."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bytes):
        return decode(value).strip()
    if isinstance(value, (float, np.floating)):
        return number_text(float(value))
    return str(value).strip() if isinstance(value, (str, int, np.integer)) else None


def as_texts(value: Any) -> list[str]:
    """Return a 1-D array of text, or one comma-separated text, as a list."""
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "SUO" and value.size > 1:
        return [as_text(item) or "" for item in value]
    text = as_text(value)
    return [part.strip() for part in text.split(",")] if text is not None else []


def as_numbers(value: Any) -> tuple[float, ...]:
    """Return numbers, or text that contains numbers, as floats; an empty tuple for anything else."""
    if isinstance(value, (str, bytes)) or (isinstance(value, np.ndarray) and value.dtype.kind in "SUO"):
        try:
            return tuple(float(text) for text in as_texts(value))
        except ValueError:
            return ()
    values = np.ravel(value)
    return tuple(float(number) for number in values) if values.dtype.kind in "iuf" else ()


def decode(value: bytes) -> str:
    """Decode text as UTF-8, or as Latin-1 if it is not valid UTF-8."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def number_text(value: float) -> str:
    """Return a number as text: whole numbers without decimals (a core number stored as 1.0 is ``1``), NaN as blank."""
    if value != value:
        return ""
    return str(int(value)) if value.is_integer() else repr(value)


def has_attribute(node: Any, *names: str) -> bool:
    """Return whether a node has an attribute with one of these reduced names, without reading it."""
    return any(letters(name) in names for name in attribute_names(node))


def first_text(node: Any, *names: str) -> str:
    """Return the first text among a node's attributes with these names; empty if there is none."""
    return next((text for value in find_attributes(node, *names) if (text := as_text(value)) is not None), "")


def raw_attribute(node: Any, name: str) -> bytes:
    """Return the bytes of a node's attribute with exactly this name; empty if it is absent, unreadable or not bytes."""
    if name not in attribute_names(node):
        return b""
    try:
        _require_small(node, name)
        value = node.attrs[name]
    except DAMAGE:
        return b""
    return bytes(value) if isinstance(value, bytes) else b""
