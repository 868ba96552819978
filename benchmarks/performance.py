"""The measured parts of ``docs/performance.md``, from ``results.json``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .contest import Spread
from .report import FLOORS
from .targets import OURS, floor, over_floor

_PART = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SCALES = {"10⁹": 1e9, "10¹²": 1e12}
_MANY_CORES = 64
_CASES = {
    "table_f4": "contiguous float32",
    "table_f8": "contiguous float64",
    "gzip_f4": "gzip+shuffle float32",
    "gzip_f8": "gzip+shuffle float64",
}


def refreshed(page: str, results: dict[str, Any]) -> str:
    """Return the page with each marked part rewritten; a part whose cases were not measured is unchanged."""

    def part(found: re.Match[str]) -> str:
        try:
            return found[1] + "".join(f"{line}\n" for line in PARTS[found[2]](results)) + found[3]
        except (KeyError, IndexError):
            return found[0]

    return _PART.sub(part, page)


def machine(results: dict[str, Any]) -> Iterator[str]:
    """Yield the machine."""
    found = results["machine"]
    yield f"Measured {found['date'][:10]} on {found['cpu']}, {found['threads']} cores, by `make bench`."


def counts(results: dict[str, Any]) -> Iterator[str]:
    """Yield the cost of a row."""
    limits = results["cases"]["limits"]
    embed, classify = limits["counts"]["embedder"], limits["counts"]["classifier"]
    both = {key: embed[key] + classify[key] for key in embed}
    yield "| per row | embed | classify (embedding and head) |"
    yield "|---|---|---|"
    for key, text in {
        "product_flop": "operations in matrix products",
        "element_operations": "other operations (comparisons, masks, scaling, ReLU, softmax)",
        "logarithms": "logarithms",
        "parameters": "parameters, 4 bytes each, shared by all rows",
    }.items():
        yield f"| {text} | {embed[key]:,.0f} | {both[key]:,.0f} |"
    sizes = [f"{embed['bytes_in']:.0f}, {graph['bytes_out']:.0f}" for graph in (embed, classify)]
    yield f"| bytes in, bytes out | {' | '.join(sizes)} |"
    intensity = [
        embed["product_flop"] / (embed["bytes_in"] + embed["bytes_out"]),
        both["product_flop"] / (embed["bytes_in"] + classify["bytes_out"]),
    ]
    yield f"| operations per byte | {intensity[0]:.0f} | {intensity[1]:.0f} |"


def roofline(results: dict[str, Any]) -> Iterator[str]:
    """Yield the machine's limits, and how much of them a run uses."""
    limits, threads = results["cases"]["limits"], results["machine"]["threads"]
    encode = results["cases"]["encode"]
    gives, embed = limits["machine"], limits["counts"]["embedder"]
    product_flop, row_bytes = embed["product_flop"], embed["bytes_in"] + embed["bytes_out"]
    flop, flops = (gives["flop_per_s"][str(n)] for n in (1, threads))
    copied, copied_by_all = (gives["copy_bytes_per_s"][str(n)] for n in (1, threads))
    bare = encode["rows"] / Spread.of(encode["measured"]["one_core"]).median
    all_bare = encode["rows"] / Spread.of(encode["measured"]["all_cores"]).median
    ours = encode["rows"] / Spread.of(encode["measured"][OURS]).median
    yield "| | one core | all cores |"
    yield "|---|---|---|"
    yield f"| matrix products in cache (512 × 512) | {flop / 1e9:.0f} GFLOP/s | {flops / 1e9:.0f} GFLOP/s |"
    yield f"| memory copy, bytes read and written | {copied / 1e9:.1f} GB/s | {copied_by_all / 1e9:.1f} GB/s |"
    yield f"| logarithms | {gives['log_per_s'] / 1e6:.0f} M/s | |"
    yield (
        f"| compute limit: {product_flop:,.0f} operations per row "
        f"| {flop / product_flop / 1e6:.0f} M rows/s | {flops / product_flop / 1e6:.0f} M rows/s |"
    )
    yield (
        f"| memory limit: {row_bytes:.0f} bytes per row | {copied / row_bytes / 1e6:.0f} M rows/s "
        f"| {copied_by_all / row_bytes / 1e6:.0f} M rows/s |"
    )
    yield f"| bare `session.run`, cached block | {bare / 1e6:.1f} M rows/s | {all_bare / 1e6:.1f} M rows/s |"
    yield f"| `LithoModel.embed` | | {ours / 1e6:.1f} M rows/s |"
    yield ""
    share = bare * product_flop / flop
    yield (
        f"A bare run reaches {share:.0%} of the core's rate in large matrix products, and "
        f"{bare * row_bytes / copied:.0%} of its memory bandwidth: it is limited by computing, not by memory."
    )


def profile(results: dict[str, Any]) -> Iterator[str]:
    """Yield the share of each kind of node in a bare run."""
    spent = results["cases"]["limits"]["profile"]
    yield "| node | share of a bare run |"
    yield "|---|---|"
    large = {kind: share for kind, share in spent.items() if share >= 0.03}
    for kind, share in large.items():
        yield f"| {kind} | {share:.0%} |"
    yield f"| {len(spent) - len(large)} others | {1 - sum(large.values()):.0%} |"
    yield ""
    products = sum(share for kind, share in spent.items() if "Gemm" in kind or "MatMul" in kind)
    yield (
        f"Matrix products take {products:.0%}; the scaler and the handling of missing values (sentinels, masks, "
        "logarithms) take the rest."
    )


def bounds(results: dict[str, Any]) -> Iterator[str]:
    """Yield what limits each case."""
    yield "| scan to `.npz` | reading, s | computing, s | writing, s | LithoVAE, s | limited by | LithoVAE / limit |"
    yield "|---|---|---|---|---|---|---|"
    for name, title in _CASES.items():
        case = results["cases"][name]
        seconds = {key: Spread.of(case["measured"][key]).median for key in ("read", "compute", "write", OURS)}
        cells = " | ".join(f"{value:.2f}" for value in seconds.values())
        yield (
            f"| {title}, {case['rows'] / 1e6:g} M rows | {cells} | {FLOORS[floor(case)[0]]} "
            f"| {over_floor(case).median:.2f}× |"
        )


def scale(results: dict[str, Any]) -> Iterator[str]:
    """Yield the time and bytes that the rates imply for large numbers of rows."""
    threads = results["machine"]["threads"]
    yield (
        f"| rows | scan | {threads} cores, measured rate | {_MANY_CORES} cores, scaled | read | written "
        f"| disk for {_MANY_CORES} cores |"
    )
    yield "|---|---|---|---|---|---|---|"
    for text, rows in _SCALES.items():
        for name in ("table_f4", "gzip_f8"):
            case = results["cases"][name]
            rate = case["rows"] / Spread.of(case["measured"][OURS]).median
            seconds, share = rows / rate, threads / _MANY_CORES
            sizes = [case[key] / case["rows"] * rows for key in ("bytes_in", "bytes_out")]
            yield (
                f"| {text} | {_CASES[name]} | {duration(seconds)} | {duration(seconds * share)} | {_bytes(sizes[0])} "
                f"| {_bytes(sizes[1])} "
                f"| {_bytes(sizes[0] / seconds / share)}/s in, {_bytes(sizes[1] / seconds / share)}/s out |"
            )


def duration(seconds: float) -> str:
    """Format a duration in a suitable unit."""
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _bytes(n: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9)):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n / 1e6:.0f} MB"


PARTS = {
    "machine": machine,
    "counts": counts,
    "roofline": roofline,
    "profile": profile,
    "bounds": bounds,
    "scale": scale,
}
