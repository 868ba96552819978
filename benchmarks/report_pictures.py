"""Draws the pictures of reports in ``docs/`` anew, from two real cores.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.report_pictures FOLDER``, with ``odp-926a.h5`` and
``iodp-u1482c.h5`` in FOLDER and the browser in the variable CHROMIUM, after a run of the browser tests, which install
what drives it into ``build/hosts``. Look at the pictures before they are committed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lithovae.runtime import LithoModel, Settings, embed_scan
from tests.examples.conftest import Page

ROOT = Path(__file__).parents[1]
WIDTH = 1440
MAX_BYTES = 200_000
DRIVER = ROOT / "tests" / "runtime" / "report" / "drive_report.mjs"


def main(scans: str) -> None:
    """Write the pictures of the page and the strip log."""
    model, docs = LithoModel.load("semisup_hybrid"), ROOT / "docs"
    command = ["node", str(DRIVER), str(ROOT / "build/hosts/node_modules"), os.environ.get("CHROMIUM", "chromium")]
    with tempfile.TemporaryDirectory() as folder:
        for scan in ("odp-926a", "iodp-u1482c"):
            for extension in ("html", "png"):
                report = Path(folder, f"{scan}.{extension}")
                embed_scan(Path(scans, f"{scan}.h5"), Path(folder, "emb.npz"), model, Settings(), report=report)
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8") as browser:
            page = Page("", browser)
            real, gappy = (Path(folder, f"{scan}.html").as_uri() for scan in ("odp-926a", "iodp-u1482c"))
            page("open", url=real, width=WIDTH, height=1226)
            page("evaluate", code="document.documentElement.style.setProperty('--height', '620px'); redraw()")
            take(page, docs / "report-light.png", at=89)
            page("open", url=real, width=WIDTH, height=1060, colorScheme="dark")
            page("evaluate", code="show(95, 130); selectRange(101.5, 109.5)")
            take(page, docs / "report-dark.png", at=113, scrolled=True)
            page("open", url=gappy, width=WIDTH, height=1060)
            page("choose", selector="#colour-by", value="depth")
            page("evaluate", code="show(150, 225)")
            take(page, docs / "report-zoom.png", at=201.2, scrolled=True)
        shrink(Path(folder, "odp-926a.png"), docs / "strip-log.png")


def take(page: Page, path: Path, at: float, scrolled: bool = False) -> None:
    """Take a picture of the window with the values at a depth, from the top of the page or of the tracks."""
    if scrolled:
        page("evaluate", code="figure.scrollIntoView({ block: 'start' })")
    page("evaluate", code=f"pointAt(nearestInView({at}))")
    page("evaluate", code="new Promise((done) => setTimeout(done, 500))")
    page("picture", path=str(path))
    shrink(path, path)


def shrink(path: Path, to: Path) -> None:
    """Write a picture with few bytes: with 256 colours where it has too many otherwise."""
    from PIL import Image

    with Image.open(path) as picture:
        plain = picture.convert("RGB")
    plain.save(to, optimize=True)
    if to.stat().st_size > MAX_BYTES:
        plain.quantize(256, kmeans=4, dither=Image.Dither.NONE).save(to, optimize=True)
    print(f"{to}: {to.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
