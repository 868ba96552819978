"""``lithovae-run``: a core scan in, embeddings out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command import clear_errors, new_app, progress, say

if TYPE_CHECKING:
    from .model import LithoModel
    from .pipeline import Summary
    from .scan import Scan

app = new_app("Embed core scans, without torch.")


@app.command()
@clear_errors()
def run(
    scan: Annotated[Path | None, typer.Argument(help="Core scan (HDF5).")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the embeddings go (.npz).")] = None,
    model: Annotated[
        str, typer.Option(help="unsup, semisup, unsup_hybrid, semisup_hybrid, or the folder of a bundle.")
    ] = "semisup_hybrid",
    map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FEATURE=PATH",
            help="Take this column for a feature, as in 'MS=point_MS/hiresMS', 'R=image:0' or 'NGR=table:counts'.",
        ),
    ] = None,
    verify: Annotated[
        str | None,
        typer.Option(
            metavar="BUNDLE",
            help="Instead of a scan: replay a bundle's golden rows, to show that it gives on this machine what it "
            "should.",
        ),
    ] = None,
) -> None:
    """Embed SCAN: find its features, bring them to common depths, run the model and write OUT."""
    if verify is not None:
        if scan is not None or out is not None or map:
            raise typer.BadParameter("goes with no scan, --out or --map", param_hint="--verify")
        _verify(verify)
        return
    if scan is None:
        raise typer.BadParameter("which scan is to be embedded?", param_hint="SCAN")
    if out is None:
        raise typer.BadParameter("where do the embeddings go?", param_hint="--out")
    mapping = {}
    for entry in map or []:
        feature, equals, place = entry.partition("=")
        if not (feature and equals and place):
            raise typer.BadParameter(f"{entry!r} is not FEATURE=PATH", param_hint="--map")
        mapping[feature] = place

    from .model import LithoModel
    from .pipeline import embed_scan

    litho_model = LithoModel.load(model)
    summary = embed_scan(scan, out, litho_model, mapping, announce=_announce, progress=progress)
    _conclude(summary, litho_model, out)


def _verify(name: str) -> None:
    from .bundle import Bundle
    from .verify import require, verify

    bundle = Bundle.read(name)
    checks = verify(bundle)
    say(f"{'output':28}{'golden rows':>12}{'largest deviation':>19}{'allowed':>9}")
    for check in checks:
        say(f"{check.output:28}{check.n_rows:12}{check.error:19.1e}{check.tolerance:9.1e}")
    require(bundle, checks)
    say(f"{bundle.path}: every file is the one that the manifest pins, and every golden row comes out as it should")


def _announce(scan: Scan) -> None:
    from .features import FEATURES

    address = ", ".join(f"{part} {text}" for part, text in scan.address.items())
    say(f"read   {scan.path}{f'  ({address})' if address else ''}")
    for i, feature in enumerate(FEATURES):
        say(f"       {feature.name:38} {scan.sources.get(i, 'not in this scan')}")
    depths = dict.fromkeys(str(track.depth) for track in scan.tracks if track.depth)
    say(f"       {'depth':38} {', '.join(depths) or 'not in this scan'}")
    for note in scan.notes:
        say(f"note   {note}")
    if scan.unused:
        more = f" and {len(scan.unused) - 12} more" if len(scan.unused) > 12 else ""
        say(f"       not used: {', '.join(scan.unused[:12])}{more}")


def _conclude(summary: Summary, model: LithoModel, out: Path) -> None:
    import numpy as np

    from .features import FEATURE_NAMES, FEATURES

    where = ""
    if summary.depth_range:
        where = f", {summary.depth_range[0]:.2f} to {summary.depth_range[1]:.2f} m"
    if summary.bin_width is None:
        say(f"rows   {summary.n_rows:,} as they are in the scan{where}")
    else:
        n_tracks = len(summary.scan.tracks)
        say(f"rows   {summary.n_rows:,} bins of {summary.bin_width:g} m, from {n_tracks} tracks{where}")
    if summary.n_left_out:
        say(f"note   {summary.n_left_out:,} samples without a depth were left out")
    for name, n in zip(FEATURE_NAMES, summary.n_missing.tolist(), strict=True):
        if n:
            effect = "imputed" if model.imputes else "embedding is NaN"
            say(f"note   {name} is missing in {n:,} of {summary.n_rows:,} rows: {effect}")
    for feature, n in zip(FEATURES, summary.n_implausible.tolist(), strict=True):
        if n:
            low, high = feature.plausible
            span = f"outside {low:g} to {high:g} {feature.unit}"
            say(f"note   {feature.name} is {span} in {n:,} of {summary.n_rows:,} rows: is it in another unit?")
    if summary.highest[3:].max() <= 1 and np.isfinite(summary.highest[3:]).any():
        say("note   no colour is above 1: the models take R, G, B from 0 to 255, not from 0 to 1")
    if summary.n_missing.any():
        say("       which features are missing in a row: the bits of 'missing'")
    if summary.n_nan:
        advice = "" if model.imputes else "; the hybrid models impute what is missing"
        say(f"note   {summary.n_nan:,} of {summary.n_rows:,} rows have no embedding (NaN){advice}")
    say(f"wrote  {out}: embeddings ({summary.n_rows}, {model.latent_dim}) float32, by {model.bundle.name}")


def main() -> None:
    """Run ``lithovae-run``."""
    app()
