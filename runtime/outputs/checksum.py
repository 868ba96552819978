"""CRC-32 of blocks, computed by several workers and then combined."""

from __future__ import annotations

from functools import lru_cache

try:
    from isal.isal_zlib import crc32  # several times as fast; from the extra `fast`
except ImportError:
    from zlib import crc32

__all__ = ["combine", "crc32"]

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31  # bits are reflected: the highest bit is x to the power of 0


def combine(first: int, second: int, length: int) -> int:
    """Return the CRC-32 of two concatenated pieces, from the CRC-32 of each and the length of the second in bytes.

    A CRC is a polynomial over GF(2), modulo one of degree 32. Each byte after the first piece shifts that piece by 8
    bits, so the second piece multiplies it by x to the power of ``8 * length`` (M. Adler's ``crc32_combine`` in zlib).
    """
    return _times(_shift(length), first) ^ second


@lru_cache(1024)  # blocks have few different lengths
def _shift(length: int) -> int:
    power, square = _ONE, _ONE >> 8  # x to the power of 8
    while length:
        if length & 1:
            power = _times(square, power)
        square, length = _times(square, square), length >> 1
    return power


def _times(a: int, b: int) -> int:
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = a << 1 & 0xFFFFFFFF
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product
