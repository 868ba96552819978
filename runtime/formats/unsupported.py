"""File formats that are recognised but not supported."""

from __future__ import annotations

from pathlib import Path

_UTF16 = "it is text in UTF-16; save it as UTF-8 (in Excel: CSV UTF-8)"
_OTHER: tuple[tuple[tuple[bytes, ...], str], ...] = (
    ((b"\xff\xfe\0\0", b"\0\0\xfe\xff"), "it is text in UTF-32; save it as UTF-8"),
    ((b"\xff\xfe", b"\xfe\xff"), _UTF16),
    ((b"PK\x03\x04",), "it is a zip archive, but no spreadsheet; unpack it"),
    ((b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c"), "it is compressed; unpack it"),
    ((b"%PDF",), "it is a PDF; export the table as CSV"),
)
"""What files begin with, and what they are."""


def what_it_is(path: Path) -> str:
    """Return which format a file has, and how to convert it; empty if its first bytes are not known."""
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05")):
        return "it is netCDF-3; convert it to netCDF-4 with nccopy -4"
    if start.startswith(b"MATLAB 5.0 MAT-f"):
        return "it is a MATLAB file older than v7.3; save it in MATLAB with save(..., '-v7.3'), which writes HDF5"
    return ""


def why_no_text(path: Path) -> str:
    """Return why a file is not read as text, and what to do; empty if it is nothing like text."""
    with path.open("rb") as file:
        start = file.read(4096)
    if hint := next((hint for marks, hint in _OTHER if start.startswith(marks)), ""):
        return hint
    if len(start) > 8 and not any(start[1::2]) and all(start[::2]):
        return _UTF16
    control = next((i for i, byte in enumerate(start) if byte < 32 and byte not in b"\t\n\f\r"), -1)
    if control > 8 and start[:control].isascii():
        line = 1 + start.count(b"\n", 0, control)
        return f"line {line:,} holds the control character {start[control]:#04x}"
    return ""
