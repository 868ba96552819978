"""Measure LithoVAE and its peers side by side: ``RESULTS.md``, ``results.json`` and ``results.png``."""

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
    short: Annotated[bool, typer.Option("--short", help="Three minutes; prints, and writes nothing.")] = False,
    only: Annotated[str, typer.Option(help=f"Some cases, with commas: {', '.join(CASES)}.")] = "",
    render: Annotated[bool, typer.Option("--render", help="Measure nothing: write all from results.json.")] = False,
    scratch: Annotated[
        Path, typer.Option(help="Folder for scans and results: the disk that is measured.")
    ] = HERE.parent,
) -> None:
    """Measure all cases, or some, and write what was found; some are put in the place of the same ones before.

    Ctrl-C ends it early: the cases that were complete are written.
    """
    if render:
        write(json.loads((HERE / "results.json").read_text()))
        return
    chosen = [name.strip() for name in only.split(",")] if only else list(CASES)
    unknown = sorted(set(chosen) - set(CASES))
    if unknown:
        raise typer.BadParameter(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}", param_hint="--only")
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
    """Run cases."""
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
            say("interrupted: what was measured so far stands")
        finally:
            bench.close()
    results["seconds"] = time.monotonic() - start
    return results


def merged(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Put new cases in the place of the old ones; each tells when it was measured if that is not the rest's date."""
    for case in now["cases"].values():
        case["date"] = now["machine"]["date"]
    cases = before["cases"] | now["cases"]
    return {
        **before,
        "cases": {name: cases[name] for name in CASES if name in cases},
        "choices": before["choices"] | now["choices"],
    }


def write(results: dict[str, Any]) -> None:
    """Write the results for machines, for people and for the README, and the figures of the performance guide."""
    (HERE / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (HERE / "RESULTS.md").write_text(report.markdown(results), encoding="utf-8")
    chart.draw(results, HERE / "results.png")
    PAGE.write_text(performance.refreshed(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
