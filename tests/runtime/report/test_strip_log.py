"""The strip log: pictures and pages that open, of any log."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from lithovae.runtime.errors import OutputError
from lithovae.runtime.log import Log
from lithovae.runtime.report.strip_log import FORMATS, Format, write_strip_log

from .material import WARNING, many_features, real_log, simulated_log
from .odd import HOSTILE, odd_logs


def written(log: Log, format: Format = "png") -> bytes:
    file = io.BytesIO()
    write_strip_log(file, log, format)
    return file.getvalue()


def picture(log: Log) -> Image.Image:
    return Image.open(io.BytesIO(written(log))).convert("RGB")


def n_pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def has_colour(image: Image.Image, colour: str) -> bool:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return bool((np.abs(np.asarray(image).astype(int) - rgb).max(axis=2) <= 2).any())


def test_picture_has_curves_lithologies_and_novelty() -> None:
    image = picture(simulated_log(300))
    assert image.width > 1000
    for colour in ("#0a6aa6", "#9cc9e8", "#f3df86", "#7d8790", "#a3517f"):
        assert has_colour(image, colour), colour
    without = replace(simulated_log(300), novelty_p=None, flags=None)
    assert not has_colour(picture(without), "#a3517f")


def test_picture_has_all_texts_and_the_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    svg = ElementTree.fromstring(written(simulated_log(100), "svg"))
    text = " ".join("".join(svg.itertext()).split())
    for wanted in ("Simulated hole", "Bulk density", "Natural gamma", "Depth (m)", "nannofossil ooze", "a note"):
        assert wanted in text
    assert all(word in text for word in WARNING.split())


def test_each_hole_has_its_own_part() -> None:
    one, three = picture(simulated_log(60)), picture(simulated_log(60, n_holes=3))
    assert three.height > 2 * one.height
    assert n_pages(written(simulated_log(60, n_holes=3), "pdf")) == 3


def test_long_hole_has_pages_of_its_parts() -> None:
    assert n_pages(written(simulated_log(500), "pdf")) == 1
    assert n_pages(written(replace(simulated_log(4500), intervals=()), "pdf")) == 1 + 3


def test_many_features_have_pages_of_their_own() -> None:
    assert 5 < n_pages(written(simulated_log(40, many_features(64)), "pdf")) < 9


def test_same_log_is_the_same_file() -> None:
    for format in FORMATS:
        assert written(simulated_log(40), format) == written(simulated_log(40), format)


@pytest.mark.parametrize("name", list(odd_logs()))
def test_odd_logs_are_drawn(name: str) -> None:
    assert n_pages(written(odd_logs()[name], "pdf")) >= 1


def test_texts_are_drawn_as_they_are() -> None:
    text = " ".join(HOSTILE)
    log = simulated_log(60)
    hostile = replace(
        log,
        title=text,
        warning=text,
        notes=[text],
        facts=[(text, text)],
        faults=[fault._replace(what=text, text=text) for fault in log.faults],
        intervals=[one._replace(lithology=text) for one in log.intervals],
        hole=np.full(60, text),
    )
    assert picture(hostile).width > 500


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(OutputError, match=r"needs matplotlib: pip install 'lithovae\[report\]'"):
        written(simulated_log(10))


def test_real_core(shared_scans: Path) -> None:
    image = picture(real_log(shared_scans / "iodp-u1482c.h5"))
    assert has_colour(image, "#0a6aa6")
