"""Which report an extension gives."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lithovae.runtime.errors import OutputError
from lithovae.runtime.report.written import require_report, write_report

from .material import simulated_log


@pytest.mark.parametrize(
    ("name", "begins"),
    [("log.html", b"<!doctype"), ("LOG.PNG", b"\x89PNG"), ("a.b.pdf", b"%PDF"), ("log.svg", b"<?xml")],
)
def test_extension_says_the_format(name: str, begins: bytes) -> None:
    file = io.BytesIO()
    write_report(file, simulated_log(5), Path(name))
    assert file.getvalue().startswith(begins)


@pytest.mark.parametrize("name", ["log.htm", "log", "log.html.gz"])
def test_other_extensions_are_refused(name: str) -> None:
    with pytest.raises(OutputError, match=r"a report must end in .html, .png, .pdf or .svg"):
        require_report(Path(name))
