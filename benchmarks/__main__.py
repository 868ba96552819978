"""Measure LithoVAE and its peers side by side; writes ``RESULTS.md``, ``results.json`` and ``results.png``.

``make bench`` runs it; for some cases only, ``make .venv/bench/ready``, then
``.venv/bench/bin/python -m benchmarks --only encode,live``.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from lithovae.runtime.process.threads import granted_threads

from . import chart, machine, performance, report
from .bench import Bench
from .cases import CASES

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"


def main(
    short: Annotated[
        bool, typer.Option("--short", help="Three minutes: smaller scans, fewer rounds, no files.")
    ] = False,
    only: Annotated[str, typer.Option(help=f"Run these cases only, separated by commas: {', '.join(CASES)}.")] = "",
    render: Annotated[bool, typer.Option("--render", help="Only write the reports from results.json.")] = False,
    scratch: Annotated[
        Path, typer.Option(help="Folder for scans and results; its disk is the one measured.")
    ] = HERE.parent,
) -> None:
    """Measure all cases, or some, and write the results; cases run with --only replace their previous results.

    Ctrl-C stops early: the results of completed cases are written.
    """
    if render:
        write(json.loads((HERE / "results.json").read_text()))
        return
    chosen = [name.strip() for name in only.split(",")] if only else list(CASES)
    unknown = sorted(set(chosen) - set(CASES))
    if unknown:
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}; choose from {', '.join(CASES)}", param_hint="--only")
    results = measure([name for name in CASES if name in chosen], scratch, short)
    if not results["cases"]:
        raise typer.Exit(1)
    results["command"] = "python -m benchmarks --short" if short else "make bench"
    if only and not short and (HERE / "results.json").exists():
        results = merged(json.loads((HERE / "results.json").read_text()), results)
    if not short:
        write(results)
    typer.echo(report.markdown(results))


def measure(chosen: list[str], scratch: Path, short: bool) -> dict[str, Any]:
    """Run cases and return their results."""
    start = time.monotonic()
    results: dict[str, Any] = {"machine": machine.describe(), "cases": {}, "choices": {}}

    def say(what: str) -> None:
        typer.echo(f"[{time.monotonic() - start:5.0f} s] {what}", err=True)

    with tempfile.TemporaryDirectory(prefix=".bench-", dir=scratch) as folder:
        bench = Bench(Path(folder), granted_threads(), short, say)
        try:
            for name in chosen:
                say(name)
                began = time.monotonic()
                results["cases"][name] = CASES[name](bench)
                results["cases"][name]["took"] = time.monotonic() - began
                results["choices"] = bench.choices()
        except KeyboardInterrupt:
            say("interrupted: completed cases are kept")
        finally:
            bench.close()
    results["seconds"] = time.monotonic() - start
    return results


def merged(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Replace old cases with new ones, each of which records its own date."""
    for case in now["cases"].values():
        case["date"] = now["machine"]["date"]
    cases = before["cases"] | now["cases"]
    return {
        **before,
        "cases": {name: cases[name] for name in CASES if name in cases},
        "choices": before["choices"] | now["choices"],
    }


def write(results: dict[str, Any]) -> None:
    """Write results.json, RESULTS.md, the chart and the figures in docs/performance.md."""
    (HERE / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (HERE / "RESULTS.md").write_text(report.markdown(results), encoding="utf-8")
    chart.draw(results, HERE / "results.png")
    PAGE.write_text(performance.refreshed(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
