"""The JavaScript hosts, installed and assembled under build/ as by a user, and a browser that shows the page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import onnx
import pytest

from lithovae.runtime.missing import SENTINELS

from .material import Edit, Rows, description_of

UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "ENOTCACHED")


@pytest.fixture(scope="session")
def hosts(root: Path) -> Path:
    """A copy of examples/hosts in which `npm ci` was run; kept between test runs."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not on the PATH")
    source, copy = root / "examples" / "hosts", root / "build" / "hosts"
    lock = (source / "package-lock.json").read_bytes()
    installed = (copy / "node_modules").is_dir() and (copy / "package-lock.json").read_bytes() == lock
    if not installed:
        shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    if not installed:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1"]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        if done.returncode and any(code in done.stderr for code in UNREACHABLE):
            pytest.skip("npm ci: the registry cannot be reached")
        assert done.returncode == 0, done.stderr
    return copy


@pytest.fixture(scope="session")
def bundles(root: Path) -> Path:
    """The shipped bundles."""
    return root / "models" / "bundles"


class Page:
    """The page in a headless Chromium; each call returns what the page then shows (drive_page.mjs)."""

    def __init__(self, url: str, driver: subprocess.Popen[str]) -> None:
        self.url, self._driver = url, driver

    def __call__(self, command: str, **given: Any) -> dict[str, Any]:
        assert self._driver.stdin
        assert self._driver.stdout
        self._driver.stdin.write(json.dumps({"command": command, **given}, default=str) + "\n")
        self._driver.stdin.flush()
        answer: dict[str, Any] = json.loads(self._driver.stdout.readline())
        assert "broken" not in answer, answer["broken"]
        return answer


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def browser(hosts: Path, bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The assembled page, served by Python and opened."""
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not chromium:
        pytest.skip("no Chromium on the PATH or in the variable CHROMIUM")
    folder = tmp_path_factory.mktemp("page")
    given = [bundles / name for name in ("semisup_hybrid", "unsup_hybrid", "semisup", "unsup")]
    subprocess.run(["node", hosts / "assemble.mjs", folder, *given], check=True, capture_output=True)
    driver = ["node", str(Path(__file__).parent / "drive_page.mjs"), str(hosts / "node_modules"), chromium]
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with subprocess.Popen(driver, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield Page(f"http://127.0.0.1:{server.server_port}/", process)
        server.shutdown()


@pytest.fixture
def page(browser: Page) -> Page:
    """The page, newly opened, with the first shipped bundle."""
    browser("open", url=browser.url)
    return browser


@pytest.fixture(scope="session")
def rows() -> Rows:
    """More than one block of raw rows: plausible, extreme, with gaps, with sentinels."""
    rng = np.random.default_rng(11)
    n = 4800
    colours = (rng.gamma(3, 24, n).clip(0, 255) for _ in range(3))
    rows = np.column_stack([rng.normal(1.7, 0.25, n), rng.normal(0, 3, n) ** 3, rng.gamma(2, 14, n), *colours])
    rows[1200:2400] *= 10.0 ** rng.integers(-6, 5, (1200, 6))
    rows[2400:2404] = [[0] * 6, [3e38] * 6, [1.7, 4, 18, -1, 90, 90], [1.7, 4, 18, -0.999999, 90, 90]]
    rows[2500:3600][rng.random((1100, 6)) < 0.3] = np.nan
    holes = rng.random((1200, 6)) < 0.3
    rows[3600:][holes] = rng.choice(SENTINELS, holes.sum())
    rows[[2600, 3700]] = [[np.nan] * 6, [-999.25] * 6]
    return rows


@pytest.fixture
def bundle(bundles: Path) -> Path:
    return bundles / "semisup_hybrid"


@pytest.fixture
def edited(bundle: Path, tmp_path: Path) -> Callable[[Edit], Path]:
    """Make a copy of a bundle's embedder with an edited description."""

    def edit(change: Edit) -> Path:
        graph = onnx.load(bundle / "embedder.onnx")
        description = description_of(graph)
        change(description)
        onnx.helper.set_model_props(graph, {"lithovae": json.dumps(description)} if description else {})
        (tmp_path / "edited").mkdir(exist_ok=True)
        onnx.save(graph, tmp_path / "edited" / "embedder.onnx")
        return tmp_path / "edited"

    return edit
