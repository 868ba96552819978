"""Tables in text: good ones in many styles, and malformed ones, each with the words of its one line of error."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Sequence

import numpy as np

_ROWS = [(i * 0.05, 1.5 + i % 7 * 0.1, 20 + i % 11, 80 + i % 5) for i in range(200)]
_HEAD = "Depth (m),Bulk density (g/cm3),MS,NGR (cps)"

_GEOTEK = "SB DEPTH,Den1,MS1,NGR\nm,g/cc,,cps\n,,,"


def table(head: str = _HEAD, rows: Sequence[tuple[float, ...]] = _ROWS, between: str = ",", end: str = "\n") -> str:
    """Write a table."""
    lines = [head.replace(",", between), *(between.join(f"{value:.10g}" for value in row) for row in rows)]
    return end.join(lines) + end


GOOD: dict[str, bytes] = {
    "commas": table().encode(),
    "semicolons, decimal commas": table(between=";").replace(".", ",").encode(),
    "tabs, CRLF, BOM": table(between="\t", end="\r\n").encode("utf-8-sig"),
    "blanks": table("depth,density,MS,NGR", between="   ").encode(),
    "Geotek": ("Geotek MSCL 7.9 - created at 1:06 PM\t\t\n\n" + table(_GEOTEK, between="\t")).encode(),
    "LIMS": (
        "Exp,Site,Hole,Core,Type,Sect,A/W,Offset (cm),Depth CSF-A (m),Magnetic susceptibility (instr. units),Comments\n"
        + "".join(
            f'363,U1482,A,{1 + i // 50},H,{1 + i // 10 % 5},A,{i % 10},{i * 0.05:.2f},{i},"a ""note"", quoted"\n'
            for i in range(200)
        )
    ).encode(),
    "gzip": gzip.compress(table().encode(), mtime=0),
    "Latin-1": ("Operator: Jürgen\n\n" + table()).encode("latin-1"),
}  # fmt: skip


def _zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("core.csv", table())
    return content.getvalue()


_NOT_A_TABLE = "is text, but not a table of numbers"
_NEITHER = "is not an HDF5 file, nor a table in text"
_UNNAMED = "does not say what its columns are"
_NONE_OF_OURS = "none of the features"
_UNREADABLE = "not a number: correct it"
_lines = table().splitlines()
MALFORMED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", _NEITHER),
    "a BOM alone": (b"\xef\xbb\xbf", _NOT_A_TABLE),
    "blanks alone": (b"  \n\t\n   \n", _NOT_A_TABLE),
    "delimiters alone": (b",,,\n,,,\n", _NOT_A_TABLE),
    "one word": (b"density", _NOT_A_TABLE),
    "one number": (b"1.7\n", _NOT_A_TABLE),
    "prose": (b"The core was logged on Monday.\nThe loop broke on Tuesday, at noon.\n", _NOT_A_TABLE),
    "a heading without rows": (_HEAD.encode() + b"\n", _NOT_A_TABLE),
    "headings and units without rows": (b"depth,density\nm,g/cm3\n", _NOT_A_TABLE),
    "one column": (b"MS\n1\n2\n3\n", _NOT_A_TABLE),
    "words in all cells": (b"depth,density\n" + b"deep,dense\n" * 30, _NOT_A_TABLE),
    "rows without a heading": ("\n".join(_lines[1:]).encode(), _UNNAMED),
    "a heading of numbers": (b"1,2,3,4\n" + "\n".join(_lines[1:]).encode(), _UNNAMED),
    "no column that is known": (b"depth,porosity,colour code\n" + b"1,2,3\n2,3,4\n" * 20, _NONE_OF_OURS),
    "a date for a density": (table().replace("1.6,", "2026-11-25,").encode(), _UNREADABLE),
    "thousands separators": (table(between="\t").replace("\t80\n", "\t1,080.5\n").encode(), _UNREADABLE),
    "two decimal points": (table().replace("1.7,", "1.7.0,").encode(), _UNREADABLE),
    "a unit in a cell": (table().replace("1.8,", "1.8 g/cc,").encode(), _UNREADABLE),
    "below the limit": (table().replace("1.5,", "<1.5,").encode(), _UNREADABLE),
    "a formula error of a spreadsheet": (table().replace("1.9,", "#REF!,").encode(), _UNREADABLE),
    "a formula": (table().replace("1.9,", "=A1+B2,").encode(), _UNREADABLE),
    "hexadecimal": (table().replace("1.9,", "0x1F,").encode(), _UNREADABLE),
    "an underscore in a number": (table().replace("1.9,", "1_9,").encode(), _UNREADABLE),
    "a comment after a number": (table().replace("1.9,", "1.9*,").encode(), _UNREADABLE),
    "a blank in a number": (table().replace("1.9,", "1 .9,").encode(), _UNREADABLE),
    "a quote that is never closed": (
        table().replace("1.9,", '"1.9,', 1).encode(),
        "line 6 opens a quote that its cell does not close",
    ),
    "a quote that another line closes within a cell": (
        table("Depth (m),remark,MS,x").replace("0.1,1.7,", '0.1,"grey,').replace("0.3,2.1,", '0.3,"soft,').encode(),
        "line 4 opens a quote",
    ),
    "fewer headings than columns": (table("Depth (m),MS,x").encode(), "line 2 has 4 cells, but the heading has 3"),
    "decimal commas between commas": (
        "\n".join([_HEAD, *(f"0,{i:02},1,{i + 20},3,5,40,0" for i in range(60))]).encode(),
        "line 2 has 8 cells, but the heading has 4",
    ),
    "more words in the heading than columns": (
        table("Depth below sea floor,density,MS,NGR", between=" ").encode(),
        "the heading has 7 words, but the table has 4 columns, which blanks separate",
    ),
    "a blank cell between blanks": (
        table("depth,density,MS,NGR", between=" ").replace("\n0.5 1.8 ", "\n0.5     ").encode(),
        "line 12 has 3 cells, but the table has 4 columns, which blanks separate",
    ),
    "commas that may separate thousands": (
        table("Depth (cm),Density (kg/m3),MS,x", [(i, 1500 + i, 20, 3) for i in range(60)], "\t")
        .replace("\t15", "\t1,5").encode(),
        "'1,500' may be 1.500 or 1500",
    ),
    "a separator of thousands among decimal commas": (
        table(between=";").replace(".", ",").replace("\n0,3;2,1;", "\n0,3;2.100;").encode(),
        "line 8: column Bulk density (g/cm3) holds '2.100', not a number",
    ),
    "a unit that is not known": (
        table("Depth (m),Bulk density (lb/gal),x,y").encode(),
        "its unit 'lb/gal' is not g/cm3",
    ),
    "susceptibility in SI": (table("Depth (m),x,MS (SI),y").encode(), "its unit 'SI' is not instr. units"),
    "gamma in gAPI": (table("Depth (m),x,y,GR (gAPI)").encode(), "its unit 'gAPI' is not cps"),
    "two columns of one name": (table("Depth (m),MS,MS,x").encode(), "could be any of"),
    "two depths of one name": (table("depth,depth,MS,x").encode(), "could both be the depth"),
    "NUL bytes": (table().replace("1.5,", "1.5\0,").encode(), f"{_NEITHER}: line 2 holds the control character 0x00"),
    "UTF-16": (table().encode("utf-16"), f"{_NEITHER}: it is text in UTF-16; save it as UTF-8"),
    "UTF-16 without its mark": (table().encode("utf-16-le"), f"{_NEITHER}: it is text in UTF-16"),
    "UTF-32": (table().encode("utf-32"), _NEITHER),
    "control characters": (table().replace("1.5,", "\x1b[31m1.5,").encode(), _NEITHER),
    "bytes of no text": (bytes(range(256)) * 40, _NEITHER),
    "a zip archive": (_zip(), f"{_NEITHER}: it is a zip archive"),
    "gzip that is cut off": (gzip.compress(table().encode(), mtime=0)[:-200], "cannot be unpacked"),
    "gzip of nothing": (gzip.compress(b"", mtime=0), _NEITHER),
    "gzip of bytes": (gzip.compress(bytes(range(256)), mtime=0), _NEITHER),
    "gzip in gzip": (gzip.compress(gzip.compress(table().encode(), mtime=0), mtime=0), _NEITHER),
    "gzip with a wrong checksum": (
        (packed := gzip.compress(table().encode(), mtime=0))[:-8] + bytes([packed[-8] ^ 255]) + packed[-7:],
        "cannot be unpacked",
    ),
    "a line of two megabytes": (b"depth,MS," + b"x" * 2_000_000 + b"\n1,2,3\n", "the first line has more than"),
    "a row of two megabytes": (
        table().encode() * 40 + b"1," * 1_000_000 + b"2\n" + table().encode(),
        "cells, but the heading has 4: put a cell",
    ),
    "twenty thousand columns": (
        (",".join(f"c{i}" for i in range(20_000)) + "\n" + "1," * 20_000 + "\n").encode(),
        "not a table",
    ),
    "JSON": (b'{"depth": [1, 2, 3],\n "MS": [4, 5, 6]}\n', ""),
    "XML": (b"<log>\n<depth>1</depth><MS>2</MS>\n</log>\n", _NOT_A_TABLE),
    "HTML": (b"<!DOCTYPE html>\n<html><body>Not found, sorry</body></html>\n", _NOT_A_TABLE),
    "a LAS file without curves": (b"~Version Information\nVERS. 2.0 :\n~A\n1 2\n", "LAS"),
    "NumPy's print": (str(np.arange(30).reshape(10, 3)).encode(), ""),
    "rows of many lengths": ("\n".join(",".join("123456789"[: 1 + i % 9]) for i in range(99)).encode(), ""),
    "a comma without quotes": (
        table("Depth (m),remark,MS,x").replace("0.1,1.7,", "0.1,grey, soft,").encode(),
        "line 4 has 5 cells",
    ),
}  # fmt: skip
