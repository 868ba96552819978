"""Repair the checksums of damaged HDF5 metadata, so that the damage is not detected by them.

The HDF5 File Format Specification 3.0 states which blocks have a checksum, and where. The function is Bob Jenkins'
lookup3 (``hashlittle``), which is in the public domain.
"""

from __future__ import annotations

MASK = 0xFFFFFFFF
ROTATIONS = (4, 6, 8, 16, 19, 4)
LAST_ROTATIONS = (14, 11, 25, 16, 4, 14, 24)


def repair_checksums(data: bytearray) -> None:
    """Recompute the checksums of a version 2 or 3 superblock and of every version 2 object header."""
    if data[8] in (2, 3):
        _repair(data, 0, 44)
    start = -1
    while (start := data.find(b"OHDR\x02", start + 1)) >= 0:
        flags = data[start + 5]
        at = start + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        end = at + width + int.from_bytes(data[at : at + width], "little")
        if end + 4 <= len(data):
            _repair(data, start, end)


def _repair(data: bytearray, start: int, end: int) -> None:
    data[end : end + 4] = lookup3(bytes(data[start:end])).to_bytes(4, "little")


def lookup3(data: bytes) -> int:
    """Return the 32-bit hash of bytes."""
    a = b = c = (0xDEADBEEF + len(data)) & MASK
    if not data:
        return c
    *blocks, last = (data[i : i + 12].ljust(12, b"\0") for i in range(0, len(data), 12))
    for block in blocks:
        a, b, c = _add(a, b, c, block)
        for i, rotation in enumerate(ROTATIONS):
            if i % 3 == 0:
                a, c = _turn((a - c) & MASK, c, rotation), (c + b) & MASK
            elif i % 3 == 1:
                b, a = _turn((b - a) & MASK, a, rotation), (a + c) & MASK
            else:
                c, b = _turn((c - b) & MASK, b, rotation), (b + a) & MASK
    a, b, c = _add(a, b, c, last)
    for i, rotation in enumerate(LAST_ROTATIONS):
        if i % 3 == 0:
            c = ((c ^ b) - _rotate(b, rotation)) & MASK
        elif i % 3 == 1:
            a = ((a ^ c) - _rotate(c, rotation)) & MASK
        else:
            b = ((b ^ a) - _rotate(a, rotation)) & MASK
    return c


def _add(a: int, b: int, c: int, block: bytes) -> tuple[int, int, int]:
    words = (int.from_bytes(block[i : i + 4], "little") for i in (0, 4, 8))
    x, y, z = ((value + word) & MASK for value, word in zip((a, b, c), words, strict=True))
    return x, y, z


def _turn(value: int, other: int, rotation: int) -> int:
    return value ^ _rotate(other, rotation)


def _rotate(value: int, rotation: int) -> int:
    return (value << rotation | value >> (32 - rotation)) & MASK
