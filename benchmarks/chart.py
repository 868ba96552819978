"""``results.png``: the chart of the README, from ``results.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from .contest import Spread
from .peers import LABELS
from .targets import OURS

PANELS = {
    "encode": "rows in memory",
    "table_f4": "scan to .npz, contiguous float32",
    "gzip_f8": "scan to .npz, gzip+shuffle float64",
    "instruments": "camera and loggers, binned",
}
LIMITS = {"encode": "all_cores", "table_f4": "read", "gzip_f8": "read", "instruments": "read"}
"""The measurement that each panel shows as a dashed line."""
LIMIT_NAMES = {"all_cores": "bare, all cores", "read": "reading alone"}
COLOURS = {True: "#1b6ca8", False: "#b8c4cc"}


def draw(results: dict[str, Any], place: Path) -> None:
    """Draw the rates of every peer with their range over the rounds; one panel per case."""
    found = {name: title for name, title in PANELS.items() if name in results["cases"]}
    if not found:
        return
    lines = -(-len(found) // 2)
    figure, grid = plt.subplots(lines, 2, figsize=(9.2, 0.4 + 2.9 * lines), sharey=True, squeeze=False)
    names = list(LABELS)[::-1]
    for axis in grid.flat[len(found) :]:
        axis.set_visible(False)
    for axis, (name, title) in zip(grid.flat, found.items(), strict=False):
        case = results["cases"][name]
        fastest = max(case["rows"] / min(values) / 1e6 for values in _peers(case).values())
        for y, peer in enumerate(names):
            if peer not in case["measured"]:
                axis.text(0, y, " did not run", va="center", fontsize=7.5, color="0.5")
                continue
            rates = Spread.of([case["rows"] / seconds / 1e6 for seconds in case["measured"][peer]])
            axis.barh(y, rates.median, color=COLOURS[peer == OURS], height=0.72)
            axis.plot([rates.low, rates.high], [y, y], color="0.25", linewidth=1)
            axis.text(
                max(rates.high, rates.median) + 0.02 * fastest,
                y,
                f"{rates.median:.1f}",
                va="center",
                fontsize=8.5,
                fontweight="bold" if peer == OURS else "normal",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )
        limit = LIMITS[name]
        if limit in case["measured"]:
            rate = case["rows"] / Spread.of(case["measured"][limit]).median / 1e6
            if rate < 1.6 * fastest:
                axis.axvline(rate, color="#c0392b", linestyle="--", linewidth=1)
                axis.text(rate, -1.3, f" {LIMIT_NAMES[limit]}", color="#c0392b", fontsize=8, va="bottom", ha="left")
                fastest = max(fastest, rate)
        axis.set_xlim(0, 1.35 * fastest)
        axis.set_ylim(-1.4, len(names) - 0.4)
        axis.set_title(title, fontsize=9.5)
        axis.set_xlabel("million rows/s", fontsize=8.5)
        axis.tick_params(labelsize=8.5, left=False)
        axis.spines[["top", "right", "left"]].set_visible(False)
    grid[0][0].set_yticks(range(len(names)), [LABELS[peer] for peer in names])
    machine = results["machine"]
    figure.text(
        0.995,
        0.005,
        f"{machine['cpu']}, {machine['threads']} threads per peer, {machine['date'][:10]}; median and range of rounds",
        ha="right",
        fontsize=7,
        color="0.4",
    )
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(place, dpi=150)
    plt.close(figure)


def _peers(case: dict[str, Any]) -> dict[str, list[float]]:
    return {name: values for name, values in case["measured"].items() if name in LABELS}
