from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithovae.runtime.formats.text.cells import Cells, Lines, Style, number_of


def cells(text: bytes, style: Style | None = None) -> Cells:
    lines = Lines(np.frombuffer(text, np.uint8), style or Style())
    return Cells(lines, ~lines.is_blank())


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False).map(repr),
            st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str),
            st.integers().map(str),
            st.from_regex(r"\A[+-]?[0-9]{0,25}\.?[0-9]{0,25}([eE][+-]?[0-9]{1,3})?\Z"),
            st.sampled_from(
                ["", "NaN", "n/a", "-", ".", "+", "-.", "1.2.3", "0x10", "1_000", "١٢", "inf", "1e5", "--5"]
            ),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_numbers_have_the_bits_of_float(texts: list[str]) -> None:
    table = cells("".join(f"x,{text},y\n" for text in texts).encode())
    values, wrong = table.numbers(1)
    expected = [number_of(text.strip()) for text in texts]
    numbers = np.array([np.nan if number is None else number for number in expected])
    assert values.tobytes() == np.where(np.isnan(numbers), np.nan, numbers).tobytes()
    assert wrong == next((i for i, number in enumerate(expected) if number is None), -1)


@pytest.mark.parametrize(
    ("text", "style", "rows"),
    [
        (b"1,2\r\n3,4\r\n", Style(), [["1", "2"], ["3", "4"]]),
        (b"1,2\n3,4", Style(), [["1", "2"], ["3", "4"]]),
        (b"1,2\r3,4\r", Style(newline=13), [["1", "2"], ["3", "4"]]),
        (b'"a, b",2\n"c\nd",4\n', Style(), [["a, b", "2"], ["c\nd", "4"]]),
        (b'"say ""no""",2\n', Style(), [['say "no"', "2"]]),
        (b"1,2,\n,,\n\n3\n", Style(), [["1", "2"], ["3", ""]]),
        (b"  1   2\n\t3 \t 4  \n", Style(delimiter=32), [["1", "2"], ["3", "4"]]),
        ("ä;2,5\n".encode("latin-1"), Style(ord(";"), ord(","), encoding="latin-1"), [["ä", "2,5"]]),
        (b'2" clast,a\n3" clast,b\n', Style(), [['2" clast', "a"], ['3" clast', "b"]]),
        (b'a,5"\n"b, ""c""" ,2\n', Style(), [["a", '5"'], ['b, "c"', "2"]]),
        (b'"a b" 2\n', Style(delimiter=32), [["a b", "2"]]),
        (b"a,b\n" * 3, Style(), [["a", "b"]] * 3),
        (b"\n", Style(), []),
        (b"", Style(), []),
    ],
)
def test_cells_of_rows(text: bytes, style: Style, rows: list[list[str]]) -> None:
    table = cells(text, style)
    assert len(table) == len(rows)
    for column in range(2):
        assert table.texts(column).tolist() == [row[column] for row in rows]


def test_a_row_that_is_too_short_lacks_its_last_cells() -> None:
    table = cells(b"1,2,3\n4\n5,,6\n7,8,9,10\n")
    values, wrong = table.numbers(2)
    np.testing.assert_array_equal(values, [3, np.nan, 6, 9])
    assert wrong == -1
    assert table.widths.tolist() == [3, 1, 3, 4]


@pytest.mark.parametrize("text", ["1.500", "1.234,5", "1,234,567"])
def test_beside_decimal_commas_a_point_is_no_decimal_sign(text: str) -> None:
    assert number_of(text, ",") is None


def test_decimal_commas() -> None:
    values, wrong = cells(b"1,5;-0,25\n2;3,125\n", Style(ord(";"), ord(","))).numbers(1)
    assert values.tolist() == [-0.25, 3.125]
    assert wrong == -1
