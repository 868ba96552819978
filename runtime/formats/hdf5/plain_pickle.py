"""Read plain values from a pickle without unpickling it: nothing in it is ever called or imported.

pandas stores the column names of a *table* store as pickled lists in HDF5 attributes. `pickletools.genops` splits such
a pickle into opcodes; lists, tuples, dictionaries, texts and numbers are built from these, and nothing else.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from typing import Any

from .limits import MAX_ATTRIBUTE_BYTES

_MARK = object()
_VALUES = frozenset(  # opcodes with a number or a text as argument
    ("INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
     "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
)  # fmt: skip
MAX_PICKLED_BYTES = 1 << 22
"""Bytes of a pickled array of texts: its opcodes are read one by one."""
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


class _Named:
    """Stands for a class, a function, or what a pickle would make of one; it is never imported or called."""

    state: Any = None


def literal(data: bytes) -> Any:
    """Return the plain value that a pickle contains.

    Raises
    ------
    ValueError
        If the pickle contains anything but plain values, is invalid, or is larger than 1 MiB.
    """
    if len(data) > MAX_ATTRIBUTE_BYTES:
        raise ValueError(f"{len(data)} bytes are too many for a list of names")
    return _value(data, _take)


def object_array(data: bytes) -> tuple[tuple[int, ...], list[Any]]:
    """Return the shape of an array of objects that was pickled, and its values, row by row.

    NumPy pickles objects row by row, also if the array is in Fortran order, as its state may say.

    Raises
    ------
    ValueError
        If the pickle contains anything but an array of plain values, is invalid, or is larger than 4 MiB.
    """
    if len(data) > MAX_PICKLED_BYTES:
        raise ValueError(f"{len(data)} bytes are too many")
    array = _value(data, _take_array)
    state = array.state if isinstance(array, _Named) else None
    if not isinstance(state, tuple) or len(state) != 5:
        raise ValueError("not an array")
    _, shape, dtype, _, values = state
    if not (isinstance(shape, tuple) and all(isinstance(n, int) for n in shape) and isinstance(values, list)):
        raise ValueError("not an array of objects")
    if not isinstance(dtype, _Named) or math.prod(shape) != len(values):
        raise ValueError("an array with a wrong number of values")
    return shape, values


def _value(data: bytes, take: Callable[[str, Any, list[Any], dict[int, Any]], None]) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                return stack.pop()
            take(opcode.name, argument, stack, memo)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, UnicodeError) as error:
        raise ValueError(f"not a pickle of plain values: {error}") from error
    raise ValueError("the pickle is incomplete")


def _take(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    if name in _VALUES:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in ("PROTO", "FRAME"):
        pass
    elif name == "MARK":
        stack.append(_MARK)
    elif name in ("EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE"):
        stack.append({"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}[name]())
    elif name == "LIST":
        stack.append(_since_mark(stack))
    elif name == "TUPLE":
        stack.append(tuple(_since_mark(stack)))
    elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
        n = int(name[-1])
        stack[-n:] = [tuple(stack[-n:])]
    elif name == "DICT":
        stack.append(_pairs(_since_mark(stack)))
    elif name == "APPEND":
        stack[-2].append(stack.pop())
    elif name == "APPENDS":
        items = _since_mark(stack)
        stack[-1].extend(items)
    elif name == "SETITEM":
        value, key = stack.pop(), stack.pop()
        stack[-1][key] = value
    elif name == "SETITEMS":
        items = _since_mark(stack)
        stack[-1].update(_pairs(items))
    elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
        memo[argument] = stack[-1]
    elif name == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif name in ("GET", "BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    else:
        raise ValueError(f"opcode {name} does not build a plain value")


def _take_array(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    """Take an opcode of a pickled array: what it would import or call becomes a `_Named`."""
    if name == "GLOBAL":
        stack.append(_Named())
    elif name in ("STACK_GLOBAL", "REDUCE"):
        stack[-2:] = [_Named()]
    elif name == "BUILD":
        state = stack.pop()
        if not isinstance(stack[-1], _Named):
            raise ValueError("not a pickled array")
        stack[-1].state = state
    elif name in ("BINBYTES", "SHORT_BINBYTES"):
        stack.append(argument)
    else:
        _take(name, argument, stack, memo)


def _since_mark(stack: list[Any]) -> list[Any]:
    at = len(stack) - 1 - next(i for i, value in enumerate(reversed(stack)) if value is _MARK)
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def literal_texts(data: bytes) -> list[str]:
    """Return the list of texts that a pickle contains; empty if it contains anything else."""
    try:
        value = literal(data)
    except ValueError:
        return []
    return list(value) if isinstance(value, list) and all(isinstance(text, str) for text in value) else []
