"""The page as a file: its size, what it holds, and that no text can leave its place."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime.log import Log
from lithovae.runtime.report.page import write_page

from .material import WARNING, many_features, simulated_log
from .odd import HOSTILE, odd_logs


def page_of(log: Log) -> str:
    file = io.BytesIO()
    write_page(file, log)
    return file.getvalue().decode("utf-8")


class Elements(HTMLParser):
    """Names, attributes and texts of all elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and (name := self.found[-1][1].get("id")):
            self.texts[name] = self.texts.get(name, "") + data


def held(page: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what the page holds, read as its script does."""
    elements = Elements()
    elements.feed(page)
    stated = json.loads(elements.texts["log"])
    octets = np.frombuffer(zlib.decompress(base64.b64decode(elements.texts["data"])), np.uint8)
    arrays, at = {}, 0
    for one in stated["arrays"]:
        dtype = np.dtype(re.sub("Array$", "", one["type"]).lower()).newbyteorder("<")
        n = one["width"] * stated["n"] * dtype.itemsize
        planes = octets[at : at + n].reshape(dtype.itemsize, -1)
        arrays[one["name"]] = planes.T.reshape(-1).copy().view(dtype).reshape(one["width"], stated["n"])
        at += n
    assert at == len(octets)
    return stated, arrays


def test_page_of_50_000_rows_is_below_8_mb() -> None:
    assert len(page_of(simulated_log(50_000))) < 8e6


def test_page_holds_the_values_of_the_log() -> None:
    log = simulated_log(300, n_holes=2)
    _, arrays = held(page_of(log))
    np.testing.assert_array_equal(arrays["values"].T, log.values)
    np.testing.assert_array_equal(arrays["depth"][0], log.depth)
    np.testing.assert_array_equal(arrays["lithologies"].T, log.lithologies)
    np.testing.assert_array_equal(arrays["missing"][0], log.missing)
    np.testing.assert_array_equal(arrays["flags"][0], log.flags)
    for name in ("embeddings", "probabilities", "residuals", "novelty_p"):
        np.testing.assert_allclose(arrays[name].T.squeeze(), getattr(log, name).squeeze(), rtol=2**-12, err_msg=name)


def test_page_has_a_bit_for_each_of_64_features() -> None:
    log = simulated_log(20, many_features(64))
    missing = np.left_shift(np.uint64(1), np.arange(20, dtype=np.uint64) * np.uint64(3))
    _, arrays = held(page_of(replace(log, missing=missing)))
    assert [int(np.flatnonzero(np.unpackbits(arrays["missing"][:, i], bitorder="little"))[0]) for i in range(20)] == [
        3 * i for i in range(20)
    ]


def test_page_loads_nothing() -> None:
    elements = Elements()
    page = page_of(simulated_log(10))
    elements.feed(page)
    for tag, attributes in elements.found:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert not {"src", "srcset", "action", "data", "style"} & attributes.keys()
        assert all(not name.startswith("on") for name in attributes)
        assert attributes.get("href", "#").startswith("#")  # type: ignore[union-attr]
    policy = next(one["content"] for tag, one in elements.found if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"https?:", page)


def test_same_log_is_the_same_page() -> None:
    assert page_of(simulated_log(50)) == page_of(simulated_log(50))


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_leave_their_place_nowhere(text: str) -> None:
    log = simulated_log(60)
    hostile = replace(
        log,
        title=text,
        warning=text,
        notes=[text],
        facts=[(text, text)],
        classes=(text, *log.classes[1:]),
        faults=[fault._replace(what=text, text=text, kind=text) for fault in log.faults],
        drift=[drift._replace(feature=text) for drift in log.drift],
        intervals=[one._replace(lithology=text, note=text, group=text) for one in log.intervals],
        hole=np.full(60, text),
    )
    plain, elements = Elements(), Elements()
    plain.feed(page_of(replace(log, warning="w", notes=["n"], facts=[("a", "b")])))
    page = page_of(hostile)
    elements.feed(page)
    assert [tag for tag, _ in elements.found] == [tag for tag, _ in plain.found]
    assert held(page)[0]["title"] == text


@pytest.mark.parametrize("name", list(odd_logs()))
def test_odd_logs_are_written(name: str) -> None:
    log = odd_logs()[name]
    stated, _ = held(page_of(log))
    assert stated["n"] == len(log.depth)


def test_tables_and_warning_need_no_script() -> None:
    log = simulated_log(60)
    before = page_of(log).split('<script type="application/json"')[0]
    for text in (WARNING, log.faults[0].text, "a note", "2.00–4.00 m", "whole scan", "+0.10", "2.0%"):
        assert text in before


def test_rows_without_a_depth_are_counted_and_left_out() -> None:
    log = simulated_log(100)
    depth = log.depth.copy()
    depth[10:15] = np.nan
    page = page_of(replace(log, depth=depth))
    assert "5 rows have no depth and are not shown" in page
    assert held(page)[0]["n"] == 95


def test_page_says_that_only_some_rows_are_kept() -> None:
    assert "100 rows of 8,000,000" in page_of(replace(simulated_log(100), n_rows=8_000_000))
