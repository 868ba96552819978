"""A headless Chromium that opens reports."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lithovae.runtime.log import Log
from lithovae.runtime.report.page import write_page
from tests.examples.conftest import Page
from tests.examples.conftest import hosts as hosts  # a fixture: its node_modules hold the driver of the browser

Open = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def driver(hosts: Path) -> Iterator[Page]:
    """The browser; each call returns what the page then shows (drive_report.mjs)."""
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not chromium:
        pytest.skip("no Chromium on the PATH or in the variable CHROMIUM")
    command = ["node", str(Path(__file__).parent / "drive_report.mjs"), str(hosts / "node_modules"), chromium]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        yield Page("", process)


@pytest.fixture
def show(driver: Page, tmp_path: Path) -> Open:
    """Write the page of a log, open it and return what it shows."""

    def open_log(log: Log, **given: Any) -> dict[str, Any]:
        path = tmp_path / "log.html"
        with path.open("wb") as file:
            write_page(file, log)
        return driver("open", url=path.as_uri(), **given)

    return open_log
