"""``RESULTS.md``, computed from ``results.json``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .contest import Spread
from .machine import sentence
from .peers import LABELS
from .targets import OURS, Target, floor, over_floor, ratio, scaled, targets

TITLES = {
    "encode": "In memory: {rows:,} rows to embeddings",
    "classify": "In memory: {rows:,} rows to class probabilities",
    "table_f4": "Scan to `.npz`: contiguous float32, {rows:,} rows",
    "table_f8": "Scan to `.npz`: contiguous float64, {rows:,} rows",
    "gzip_f4": "Scan to `.npz`: gzip with shuffle, float32, {rows:,} rows",
    "gzip_f8": "Scan to `.npz`: gzip with shuffle, float64, {rows:,} rows",
    "instruments": "Scan to `.npz`: a camera of {rows:,} lines and three loggers, averaged in {bins:,} bins",
    "small": "{scans:,} scans of 1,000 rows, one process",
    "shell": "From the shell: contiguous float32, {rows:,} rows, whole processes",
}
FLOORS = {
    "one_core": "bare `session.run`, one core",
    "all_cores": "bare `session.run`, all cores",
    "read": "reading alone with h5py",
    "compute": "computing alone (one core's bare `session.run` time divided by the cores)",
    "write": "writing alone",
    "bare": "bare `session.run`",
    "imports": "`import numpy, h5py, onnxruntime` alone",
    "help": "`lithovae-run --help`",
    "python": "`python -c pass`",
}

BUSY = 0.5
"""Load average per core before the run above which the report warns."""


def markdown(results: dict[str, Any]) -> str:
    """Return the report of all results."""
    cases, machine = results["cases"], results["machine"]
    lines = ["# Results", ""]
    lines.append(
        f"`{results['command']}`, {machine['date']}, {results['seconds'] / 60:.0f} minutes; load average before it "
        f"{machine['load_before']:.1f}. {sentence(machine)}."
    )
    if machine["load_before"] > BUSY * machine["cores"]:
        lines += [
            "",
            "**The machine was busy with other work: the ratios are unreliable, above all for peers whose threads wait",
        ]
        lines += ["for each other (torch). Measure again on an idle machine.**"]
    lines += ["", *_how(), ""]
    lines += ["## Targets", "", *target_table(targets(cases, machine["threads"]))]
    for name, title in TITLES.items():
        if name in cases:
            lines += ["", f"## {title.format(**cases[name])}", "", *_dated(cases[name]), *rate_table(cases[name])]
    tables = {
        "live": ("One row at a time", live_table),
        "start": ("Cold start: a scan of 1,000 rows from the shell", start_table),
        "memory": ("Peak memory of whole processes", memory_table),
        "size": ("Installed size", size_table),
        "graph": ("Graph alone: one thread, blocks of 4,096 rows, compared with a plain export", graph_table),
        "agreement": ("Largest deviation from torch in float64 in this run", agreement_table),
        "parity": ("Parity of the shipped bundles with torch in float64", parity_table),
    }
    for name, (title, table) in tables.items():
        if name in cases:
            lines += ["", f"## {title}", "", *_dated(cases[name]), *table(cases[name])]
    if any("where" in case for case in cases.values()):
        lines += [
            "",
            "## Where LithoVAE spends its time: the two scans furthest above their floors",
            "",
            *profile_table(cases),
        ]
    lines += ["", "## Fastest settings found by each peer's trials", "", *choice_table(results["choices"])]
    return "\n".join(lines) + "\n"


def _dated(case: dict[str, Any]) -> list[str]:
    return [f"Measured {case['date']}.", ""] if "date" in case else []


def _how() -> Iterator[str]:
    yield (
        "Each peer runs in its own process. Peers are measured in turn, round by round, after a warm-up round that "
        "does not count; each round starts with a different peer. For all peers, input files are in the page cache, "
        "and results go to the same disk and are removed after each run. A ratio is the median of the ratios within a "
        "round, with the smallest and the largest in brackets. A floor is a lower bound on the time: reading, "
        "computing or writing alone. Each peer runs with the fastest settings that its trials found (last table); "
        "compilation and warm-up do not count. LithoVAE also finds and marks the missing values of each row, which "
        "the peers do not. All measurements, round by round: [`results.json`](results.json)."
    )
    yield ""
    yield "![Speed of LithoVAE and its peers](results.png)"


def target_table(found: list[Target]) -> Iterator[str]:
    """Yield the table of targets: required, measured, met or not."""
    yield "| target | required | measured | met |"
    yield "|---|---|---|---|"
    for target in found:
        asked = f"{'≥' if target.at_least else '≤'} {target.limit:g}{target.unit}"
        measured = "not measured" if target.measured is None else _spread(target.measured, target.unit)
        reached = {True: "yes", False: "**no**", None: ""}[target.reached]
        yield f"| {target.says} | {asked} | {measured} | {reached} |"


def rate_table(case: dict[str, Any]) -> Iterator[str]:
    """Yield rates, LithoVAE's speedup, and each peer's time relative to the largest floor."""
    measured, rows = case["measured"], case["rows"]
    rounds = max(map(len, measured.values()), default=0)
    bounded = all(name in measured for name in ("read", "compute", "write"))
    yield "| | M rows/s | seconds | LithoVAE's speedup over it |" + (
        " time relative to the largest floor |" if bounded else ""
    )
    yield "|---|---|---|---|" + ("---|" if bounded else "")
    for name in [*LABELS, *FLOORS]:
        if name in measured:
            seconds = Spread.of(measured[name])
            against = "" if name == OURS or OURS not in measured else _spread(ratio(case, name, OURS), "×")
            row = f"| {label(name)} | {rows / seconds.median / 1e6:.2f} | {_spread(seconds)} | {against} |"
            yield row + ((f" {_spread(over_floor(case, name), '×')} |" if name in LABELS else " |") if bounded else "")
        elif name in case["failed"]:
            yield f"| {label(name)} | | {case['failed'][name]} | |" + (" |" if bounded else "")
    yield ""
    bound = f" Limited by: {FLOORS[floor(case)[0]]}." if bounded else ""
    yield f"{rounds} round{'s' * (rounds != 1)}.{bound}"


def profile_table(cases: dict[str, Any]) -> Iterator[str]:
    """Yield the lines at which the threads were, in the cases with the largest ratios to their floors."""
    scans = {name: case for name, case in cases.items() if "where" in case and OURS in case["measured"]}
    slowest = sorted(scans, key=lambda name: -over_floor(scans[name]).median)[:2]
    yield "| scan | line of the runtime, including what it calls | threads there, on average |"
    yield "|---|---|---|"
    for name in slowest:
        for place, threads in cases[name]["where"].items():
            yield f"| {name} | `{place.replace('|', '¦')}` | {threads:.2f} |"


def live_table(case: dict[str, Any]) -> Iterator[str]:
    """Yield microseconds per row."""
    yield "| | p50, µs | p99, µs | LithoVAE's speedup over it (p50) |"
    yield "|---|---|---|---|"
    for name in [*LABELS, *FLOORS]:
        if name in case["measured"]:
            p50, p99 = (scaled(Spread.of(case[key][name]), 1e6) for key in ("measured", "p99"))
            against = "" if name == OURS else _spread(ratio(case, name, OURS), "×")
            yield f"| {label(name)} | {_spread(p50)} | {_spread(p99)} | {against} |"
        elif name in case["failed"]:
            yield f"| {label(name)} | | {case['failed'][name]} | |"


def start_table(case: dict[str, Any]) -> Iterator[str]:
    """Yield milliseconds of whole processes."""
    yield "| | ms | relative to the imports alone |"
    yield "|---|---|---|"
    for name, values in case["measured"].items():
        over = _spread(ratio(case, name, "imports"), "×") if "imports" in case["measured"] else ""
        yield f"| {label(name)} | {_spread(scaled(Spread.of(values), 1e3))} | {over} |"
    for name, why in case["failed"].items():
        yield f"| {label(name)} | {why} | |"


def memory_table(case: dict[str, Any]) -> Iterator[str]:
    """Yield peak memory by scan size: the sum over all processes, and the largest process."""
    sizes = [peak["rows"] for peak in case["peaks"].get(OURS, [])]
    yield f"| peak RSS in MB: all processes (largest process) | {' | '.join(f'{size:,} rows' for size in sizes)} |"
    yield "|---|" + "---|" * len(sizes)
    for name in LABELS:
        if name in case["peaks"] or name in case["failed"]:
            found = {peak["rows"]: peak for peak in case["peaks"].get(name, [])}
            cells = [
                f"{found[size]['tree'] / 1e6:,.0f} ({found[size]['largest'] / 1e6:,.0f})" if size in found else ""
                for size in sizes
            ]
            if name in case["failed"]:
                cells[-1] = case["failed"][name]
            yield f"| {label(name)} | {' | '.join(cells)} |"


def size_table(case: dict[str, Any]) -> Iterator[str]:
    """Yield the installed size of environments."""
    yield "| environment | MB |"
    yield "|---|---|"
    names = {
        "runtime": "`pip install lithovae`",
        "torch": "`pip install torch scikit-learn h5py` (CPU-only torch)",
    }
    for name, text in names.items():
        found = case["bytes"].get(name)
        yield f"| {text} | {case['failed'].get(name) if found is None else f'{found / 1e6:,.0f}'} |"


def graph_table(case: dict[str, Any]) -> Iterator[str]:
    """Yield the rates of the shipped embedders and of plain exports."""
    yield "| bundle | shipped, M rows/s | plain export, M rows/s | speedup |"
    yield "|---|---|---|---|"
    for name, seconds in case["bundles"].items():
        ours, straight = (case["rows"] / Spread.of(seconds[of]).median / 1e6 for of in ("bundle", "straight"))
        speed = Spread.of_ratios(seconds["straight"], seconds["bundle"])
        yield f"| {name} | {ours:.1f} | {straight:.1f} | {_spread(speed, '×')} |"


def agreement_table(case: dict[str, Any]) -> Iterator[str]:
    """Yield the largest deviation of each peer from torch in float64."""
    yield f"| {case['rows']:,} plausible rows | embeddings | probabilities | one row |"
    yield "|---|---|---|---|"
    for name, errors in case["errors"].items():
        cells = " | ".join(f"{errors[output]:.1e}" for output in ("embed", "classify", "live"))
        yield f"| {label(name)} | {cells} |"


def parity_table(case: dict[str, Any]) -> Iterator[str]:
    """Yield the worst ratio of each output of each bundle."""
    yield "| bundle | output | worst rows | ONNX error | torch float32 error | ratio (limit 2) |"
    yield "|---|---|---|---|---|---|"
    for worst in case["worst"]:
        yield (
            f"| {worst['bundle']} | {worst['output']} | {worst['rows']} | {worst['onnx_error']:.2e} "
            f"| {worst['torch_error']:.2e} | {worst['ratio']:.2f} |"
        )


def choice_table(choices: dict[str, Any]) -> Iterator[str]:
    """Yield the settings with which each peer ran."""
    yield "| | embedding | classification |"
    yield "|---|---|---|"
    for name, choice in choices.items():
        both = [choice.get(what, choice) for what in ("embed", "classify")]
        cells = [", ".join(f"{k.replace('_', ' ')} {v}" for k, v in it.items() if _is_plain(v)) for it in both]
        yield f"| {label(name)} | {' | '.join(cells)} |"


def label(name: str) -> str:
    """Return the name of a peer or a floor in tables."""
    return f"**{LABELS[name]}**" if name == OURS else LABELS.get(name, FLOORS.get(name, name))


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float))


def _spread(spread: Spread, unit: str = "") -> str:
    if spread.low == spread.high:
        return f"{_number(spread.median)}{unit}"
    return f"{_number(spread.median)}{unit} ({_number(spread.low)} to {_number(spread.high)})"


def _number(value: float) -> str:
    """Format with three digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")
