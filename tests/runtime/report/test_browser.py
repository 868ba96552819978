"""The page in headless Chromium: it draws, zooms, selects, prints, and loads nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lithovae.runtime.log import Interval, Log
from tests.examples.conftest import Page

from .conftest import Open
from .material import WARNING, many_features, real_log, simulated_log
from .odd import HOSTILE, odd_logs

CURVE = ".track.curve canvas"
ANY = ".track.embedding canvas"


@pytest.fixture
def log() -> Log:
    return simulated_log(400)


@pytest.fixture(autouse=True)
def nothing_loaded_and_no_fault(driver: Page) -> Iterator[None]:
    yield
    shown = driver("point", selector="h1", at=[0.1, 0.1])
    assert shown["faults"] == []
    assert [url for url in shown["requests"] if not url.startswith("file:")] == []


def alpha(driver: Page, selector: str, depth: float) -> float:
    """Return the share of a track's pixel line at a depth that is drawn on."""
    code = f"""(() => {{
      const canvas = document.querySelector('{selector}'), {{ low, high }} = document.getElementById('figure').dataset;
      const y = Math.floor((({depth} - low) / (high - low)) * canvas.height);
      const {{ data }} = canvas.getContext('2d').getImageData(0, y - 1, canvas.width, 3);
      return data.filter((_, i) => i % 4 === 3 && data[i] > 0).length / (data.length / 4);
    }})()"""
    return float(driver("evaluate", code=code)["value"])


def test_page_draws_each_track_with_heading_and_summary(show: Open, log: Log) -> None:
    shown = show(log)
    assert shown["title"] == "Simulated hole"
    kinds = [track["kind"] for track in shown["tracks"]]
    assert kinds == [
        *("overview", "axis", "curve", "curve", "curve", "colour"),
        *("lithology", "rows", "probability", "novelty", "flags", "embedding"),
    ]
    assert all(track["drawn"] for track in shown["tracks"])
    n, density = int(np.isfinite(log.values[:, 0]).sum()), np.nanmax(log.values[:, 0])
    assert f"to {density:.4g} g/cm3" in shown["tracks"][2]["label"]
    assert f"in {n} of 400 rows" in shown["tracks"][2]["label"]
    assert "0.00 to 21.45 m" in shown["text"]
    assert "nannofossil ooze" in shown["legend"]


def test_warning_stands_wherever_a_lithology_does(show: Open, driver: Page, log: Log) -> None:
    shown = show(log)
    assert WARNING in shown["warning"]
    assert WARNING in shown["legend"]
    for kind in ("lithology", "rows"):
        assert WARNING in next(track["label"] for track in shown["tracks"] if track["kind"] == kind)
    code = "document.querySelector('#intervals caption').innerText"
    assert WARNING in driver("evaluate", code=code)["value"]
    assert WARNING in driver("point", selector=CURVE, at=[0.5, 0.1])["values"]


def test_values_under_the_pointer_are_those_of_the_row(show: Open, driver: Page, log: Log) -> None:
    shown = show(log)
    row, (low, high) = 100, (shown["low"], shown["high"])
    assert log.lithologies is not None
    assert log.probabilities is not None
    shown = driver("point", selector=CURVE, at=[0.5, (log.depth[row] - low) / (high - low)])
    assert shown["values"].startswith(f"{log.depth[row]:.2f} m")
    assert f"{log.values[row, 1]:.4g}" in shown["values"]
    for code, probability in zip(log.lithologies[row], log.probabilities[row], strict=True):
        name = re.escape(log.classes[code])
        assert re.search(rf"{name}\s+{round(100 * float(probability))}%", shown["values"])
    shown = driver("point", selector=CURVE, at=[0.5, (log.depth[85] - low) / (high - low)])
    assert re.search(r"density\s+missing, imputed", shown["values"])
    shown = driver("point", selector=CURVE, at=[0.5, (log.depth[200] - low) / (high - low)])
    assert re.search(r"density\s+9\s+g/cm3\s+implausible", shown["values"])


def test_gaps_are_gaps_and_missing_stretches_are_hatched(show: Open, driver: Page, log: Log) -> None:
    show(log)
    gap, missing = float(log.depth[240] + 0.7), float(log.depth[90])
    for selector in (".track.rows canvas", ".track.colour canvas", ANY):
        assert alpha(driver, selector, 5) > 0.95
        assert alpha(driver, selector, gap) == 0
    assert 0.1 < alpha(driver, CURVE, missing) < 0.8
    assert alpha(driver, ".track.rows canvas", missing) > 0.95
    at = "document.querySelectorAll('.track.curve canvas')[1].id = 'ms'"
    driver("evaluate", code=at)
    assert alpha(driver, "#ms", gap) < 0.1  # the grid alone


def test_wheel_drag_and_keys_move_all_tracks(show: Open, driver: Page, log: Log) -> None:
    whole = show(log)
    size = whole["high"] - whole["low"]
    near = driver("wheel", selector=CURVE, at=[0.5, 0.25], by=-400)
    assert near["high"] - near["low"] < 0.6 * size
    at = whole["low"] + 0.25 * size
    assert near["low"] + 0.25 * (near["high"] - near["low"]) == pytest.approx(at, abs=0.02 * size)
    moved = driver("drag", selector=CURVE, through=[[0.5, 0.6], [0.5, 0.4]])
    assert moved["low"] - near["low"] == pytest.approx(0.2 * (near["high"] - near["low"]), rel=0.1)
    boxed = driver("drag", selector=CURVE, through=[[0.5, 0.25], [0.5, 0.75]], shift=True)
    assert boxed["high"] - boxed["low"] == pytest.approx((moved["high"] - moved["low"]) / 2, rel=0.05)
    assert driver("press", keys=["0"])["high"] == pytest.approx(whole["high"])
    half = driver("press", keys=["+"])
    assert half["high"] - half["low"] == pytest.approx(size / 2)
    assert driver("press", keys=["Home"])["low"] == pytest.approx(whole["low"])
    assert driver("press", keys=["End"])["high"] == pytest.approx(whole["high"])
    assert driver("press", keys=["PageUp"])["low"] == pytest.approx(whole["low"] + 0.1 * size)
    driver("press", keys=["-", "-"])
    assert driver("press", keys=["Home"])["high"] == pytest.approx(whole["high"])
    boxed = driver("drag", selector=CURVE, through=[[0.5, 0.25], [0.5, 0.75]])  # all is in view: nothing to move
    assert boxed["high"] - boxed["low"] == pytest.approx(size / 2, rel=0.05)
    driver("press", keys=["0"])
    part = driver("drag", selector=".track.overview canvas", through=[[0.5, 0.2], [0.5, 0.5]])
    assert part["high"] - part["low"] == pytest.approx(0.3 * size, rel=0.1)
    assert driver("click", selector="[data-do=whole]")["low"] == pytest.approx(whole["low"])


def test_two_fingers_zoom(show: Open, driver: Page, log: Log) -> None:
    whole = show(log)
    size = whole["high"] - whole["low"]
    shown = driver("pinch", selector=CURVE, **{"from": [0.4, 0.6], "to": [0.3, 0.7]})
    assert shown["high"] - shown["low"] == pytest.approx(size / 2, rel=0.05)
    assert (shown["low"] + shown["high"]) / 2 == pytest.approx((whole["low"] + whole["high"]) / 2, rel=0.02)


def test_depths_have_the_decimals_that_tell_rows_apart(show: Open, driver: Page, log: Log) -> None:
    fine = replace(log, depth=log.depth / 100, intervals=[log.intervals[1]._replace(top=0.00125, base=0.01075)])
    show(fine)
    shown = driver("press", keys=["ArrowDown", "ArrowDown"])
    assert shown["values"].startswith("0.0005 m")
    assert shown["intervals"][0][:3] == ["0.00125", "0.01075", "0.00950"]


def test_view_stays_in_the_hole_and_above_a_few_rows(show: Open, driver: Page, log: Log) -> None:
    whole = show(log)
    shown = driver("press", keys=["+"] * 30)
    assert shown["high"] - shown["low"] == pytest.approx(4 * 0.05)
    assert driver("press", keys=["End", "PageDown", "PageDown"])["high"] <= whole["high"] + 1e-9


def test_keys_step_through_the_rows_and_say_them(show: Open, driver: Page, log: Log) -> None:
    show(log)
    shown = driver("press", keys=["ArrowDown", "ArrowDown", "ArrowDown"])
    assert shown["said"].startswith("0.10 m. density")
    assert log.lithologies is not None
    assert log.classes[log.lithologies[2, 0]] in shown["said"]
    assert driver("press", keys=["ArrowUp"])["said"].startswith("0.05 m")


def test_range_of_depth_selects_points_and_points_select_rows(show: Open, driver: Page, log: Log) -> None:
    shown = show(log)
    size = shown["high"] - shown["low"]
    driver("evaluate", code="document.querySelector('[name=drag][value=select]').click()")
    shown = driver("drag", selector=CURVE, through=[[0.5, 0.1], [0.5, 0.3]])
    ends = shown["low"] + 0.1 * size, shown["low"] + 0.3 * size
    assert shown["selected"] == pytest.approx(np.count_nonzero((log.depth > ends[0]) & (log.depth < ends[1])), abs=3)
    data = "latent.canvas.getContext('2d').getImageData(0, 0, latent.size, latent.size).data"
    strong = f"{data}.filter((x, i) => i % 4 === 3 && x > 200).length"
    some = driver("evaluate", code=strong)["value"]
    assert driver("press", keys=["Escape"])["selected"] == 0
    assert 0 < some < 0.6 * driver("evaluate", code=strong)["value"]
    around = [[0.01, 0.01], [0.99, 0.01], [0.99, 0.99], [0.01, 0.99]]
    assert driver("drag", selector="#lasso", through=around)["selected"] == 400
    half = [[0.5, 0.01], [0.99, 0.01], [0.99, 0.99], [0.5, 0.99]]
    assert 20 < driver("drag", selector="#lasso", through=half)["selected"] < 380
    assert "rows selected" in driver("point", selector="h1", at=[0.1, 0.1])["text"]
    assert driver("click", selector="[data-do=clear]")["selected"] == 0


def test_intervals_are_listed_sorted_and_linked(show: Open, driver: Page, log: Log) -> None:
    shown = show(log)
    assert len(shown["intervals"]) == len(log.intervals)
    one: Interval = log.intervals[3]
    shown = driver("click", selector="#intervals tbody tr:nth-child(4) button")
    assert shown["low"] < one.top < one.base < shown["high"]
    assert shown["high"] - shown["low"] < 3 * one.thickness
    rows = np.count_nonzero((log.depth > one.top) & (log.depth < one.base))
    assert shown["selected"] == rows
    shown = driver("click", selector="#intervals th.c-thickness button")
    thickness = [float(row[2]) for row in shown["intervals"]]
    assert thickness == sorted(thickness)
    shown = driver("click", selector="#intervals th.c-thickness button")
    assert [float(row[2]) for row in shown["intervals"]] == sorted(thickness, reverse=True)
    whole = driver("press", keys=["0"])
    one = log.intervals[1]
    at = ((one.top + one.base) / 2 - whole["low"]) / (whole["high"] - whole["low"])
    shown = driver("click", selector=".track.lithology canvas", at=[0.5, at])
    assert shown["chosen"] == f"{one.top:.3f}".replace("-", "−")
    assert shown["low"] < one.top < one.base < shown["high"]


def test_fault_leads_to_its_depths(show: Open, driver: Page, log: Log) -> None:
    show(log)
    shown = driver("click", selector="[data-fault='0']")
    assert shown["low"] < 2.0 < 4.0 < shown["high"] < 6


def test_light_and_dark(show: Open, driver: Page, log: Log) -> None:
    light = show(log)
    assert driver("click", selector="#theme")["theme"] == "light"
    dark = driver("click", selector="#theme")
    assert dark["theme"] == "dark"
    assert dark["background"] != light["background"]
    assert all(track["drawn"] for track in dark["tracks"])
    auto = show(log, colorScheme="dark")
    assert auto["theme"] == "auto"
    assert auto["background"] == dark["background"]


def test_print_is_light_whole_and_has_the_warning(show: Open, driver: Page, log: Log, tmp_path: Path) -> None:
    before = show(log, colorScheme="dark")
    code = """(() => {
      dispatchEvent(new Event('beforeprint'));
      const canvas = document.querySelector('.track.curve canvas'), { width } = canvas.getBoundingClientRect();
      const found = [look.isDark, canvas.width / width, canvas.height, document.querySelectorAll('.panel').length];
      dispatchEvent(new Event('afterprint'));
      return found;
    })()"""
    is_dark, ratio, height, n_panels = driver("evaluate", code=code)["value"]
    assert not is_dark
    assert ratio == pytest.approx(3, rel=0.1)
    assert n_panels == 1
    driver("media", media="print")
    visible = (
        "['.warning', '#print-range', '.toolbar', '#theme'].map((one) => document.querySelector(one).checkVisibility())"
    )
    assert driver("evaluate", code=visible)["value"] == [True, True, False, False]
    driver("media", media="screen")
    after = driver("print", path=str(tmp_path / "log.pdf"))
    pdf = (tmp_path / "log.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    images = pdf.count(f"/Height {height} ".encode()) + pdf.count(f"/Height {height}\n".encode())
    assert images == 2 * len(after["tracks"])  # pixels and masks; Chromium would shrink lines, but not images
    assert after["background"] == before["background"]
    assert all(track["drawn"] for track in after["tracks"])


def test_all_tracks_are_printed_on_as_many_panels_as_they_need(show: Open, driver: Page) -> None:
    show(simulated_log(50, many_features(64)))
    code = """(() => {
      dispatchEvent(new Event('beforeprint'));
      const panels = [...document.querySelectorAll('.panel')];
      const found = [document.querySelectorAll('.panel > .track').length];
      found.push(...panels.map((panel) => panel.querySelectorAll('.axis').length));
      dispatchEvent(new Event('afterprint'));
      return found;
    })()"""
    tracks, *axes = driver("evaluate", code=code)["value"]
    assert tracks == 64 + 6 - 2  # L*, a*, b* or R, G, B are one track
    assert len(axes) > 5
    assert set(axes) == {1}


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_are_shown_and_never_run(show: Open, log: Log, text: str) -> None:
    intervals = [
        one._replace(note=text, lithology=text if i == 0 else one.lithology) for i, one in enumerate(log.intervals)
    ]
    given: dict[str, Any] = {
        "title": text,
        "notes": [text],
        "warning": text,
        "facts": [(text, text)],
        "classes": (text, *log.classes[1:]),
        "groups": (text, *log.groups[1:]),
        "hole": np.array([text] * 200 + [f"{text} 2"] * 200),
        "intervals": [one._replace(hole=text) for one in intervals],
        "faults": [fault._replace(what=text, text=text) for fault in log.faults],
        "drift": [drift._replace(feature=text) for drift in log.drift],
    }
    shown = show(replace(log, **given))
    plain = text.replace("\u2028", "")
    assert shown["title"].replace("\u2028", "") == plain
    assert shown["text"].count(plain.strip()[:12]) > 8
    assert shown["intervals"][0][3].strip() == plain.strip()


@pytest.mark.parametrize("name", list(odd_logs()))
def test_odd_logs_are_shown(show: Open, driver: Page, name: str) -> None:
    log = odd_logs()[name]
    shown = show(log)
    assert shown["title"] == log.title
    if name == "empty":
        assert "no rows" in shown["text"]
        return
    assert shown["high"] > shown["low"]
    assert shown["tracks"][2]["label"]
    shown = driver("press", keys=["ArrowDown", "+", "s", "Escape", "0"])
    assert shown["said"]
    if name == "no depth":
        assert "this scan has no depth" in shown["text"]
        assert shown["values"].startswith("row 0")
    if name == "no lithologies":
        assert not {"lithology", "rows", "probability"} & {track["kind"] for track in shown["tracks"]}
    if name == "no intervals":
        assert shown["intervals"] == []
    if name == "all NaN":
        assert "not measured" in shown["text"]


def test_holes_are_chosen_and_kept_apart(show: Open, driver: Page) -> None:
    log = simulated_log(80, n_holes=3)
    shown = show(log)
    assert "3 holes" in shown["text"]
    for i in (1, 2):
        shown = driver("choose", selector="#holes select", value=str(i))
        own = [one for one in log.intervals if one.hole == f"U14{i:02}A"]
        assert len(shown["intervals"]) == len(own)
        shown = driver("press", keys=["ArrowDown"])
        assert f"U14{i:02}A" in shown["values"]
        assert f"{log.values[80 * i, 1]:.4g}" in shown["values"]


def test_many_intervals_are_listed_on_request(show: Open, driver: Page, log: Log) -> None:
    many = [log.intervals[0]._replace(top=i / 100, base=(i + 1) / 100) for i in range(1000)]
    shown = show(replace(log, intervals=many))
    assert len(shown["intervals"]) == 200
    assert len(driver("click", selector="#all-intervals")["intervals"]) == 1000


def test_narrow_window_scrolls_the_tracks_and_not_the_page(show: Open, driver: Page, log: Log) -> None:
    show(log, width=390, height=800)
    code = "[document.documentElement.scrollWidth, panels.scrollWidth, innerWidth]"
    page, tracks, window = driver("evaluate", code=code)["value"]
    assert page <= window < tracks


def test_fifty_thousand_rows_are_drawn(show: Open, driver: Page) -> None:
    shown = show(simulated_log(50_000))
    assert all(track["drawn"] for track in shown["tracks"])
    nodes = driver("evaluate", code="document.querySelectorAll('*').length")["value"]
    assert nodes < 6000  # none for each row


def test_real_core(show: Open, driver: Page, shared_scans: Path) -> None:
    log = real_log(shared_scans / "odp-926a.h5")
    shown = show(log)
    labels = {track["label"] for track in shown["tracks"]}
    assert "Bulk density (GRA): no values" in labels
    assert any(label.startswith("Magnetic susceptibility (instr. units): ") for label in labels)
    assert "not measured" in shown["text"]


def test_each_table_has_the_name_of_its_section(show: Open, driver: Page, log: Log) -> None:
    show(log)
    code = "[...document.querySelectorAll('table')].map((one) => one.ariaLabelledByElements[0].textContent.trim())"
    names = driver("evaluate", code=code)["value"]
    assert [name.rstrip("0123456789 ") for name in names] == [
        "Likely faults",
        "Intervals",
        "Compared with the training rows",
    ]
