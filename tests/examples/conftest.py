"""The JavaScript hosts as a user has them, installed and assembled under build/, and a browser that shows the page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from .schema2 import patch_bundles

UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "ENOTCACHED")


@pytest.fixture(scope="session")
def hosts(root: Path) -> Path:
    """A copy of examples/hosts in which `npm ci` was run; it is kept from one test run to the next."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not there")
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
def bundles(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundles in schema 2, which the hosts read."""
    shipped = root / "models" / "bundles"
    if (shipped / "semisup_hybrid" / "embedder.onnx").exists():
        return shipped
    return patch_bundles(shipped, tmp_path_factory.mktemp("bundles"))


class Page:
    """The page in a headless Chromium; each call gives what the page then shows (drive_page.mjs)."""

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
    """The assembled page, served by Python alone and opened."""
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not chromium:
        pytest.skip("no Chromium: neither on the PATH nor named by CHROMIUM")
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
    """The page, freshly opened, with the first shipped bundle."""
    browser("open", url=browser.url)
    return browser
