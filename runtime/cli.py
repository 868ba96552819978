"""``lithovae-run``: a core scan in, embeddings out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from .console import clear_errors, new_app, progress, run_guarded, say
from .errors import LithoError

app = new_app("Embed core scans, without torch.")
LOOK, RIG, BUNDLE = "To look first", "At the rig", "To trust a bundle"


@app.command(no_args_is_help=True)
@clear_errors()
def run(
    scans: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCAN...", help="A core scan (HDF5), or several.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the embeddings go: a .npz; for several scans, a folder.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="unsup, semisup, unsup_hybrid, semisup_hybrid, or the folder of a bundle.")
    ] = "semisup_hybrid",
    map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FEATURE=PATH",
            help="Take this column for a feature, or for 'depth', as in 'MS=point_MS/hiresMS', 'R=image:0', "
            "'NGR=table:counts' or 'MS=*/loop/MS'.",
        ),
    ] = None,
    bin: Annotated[
        str,
        typer.Option(
            metavar="auto|none|WIDTH",
            help="Width of the depth bins in metres; none: rows as they are in the scan; auto: bins of 0.2 m where "
            "features have grids of their own, else none.",
        ),
    ] = "auto",
    missing: Annotated[
        str,
        typer.Option(
            metavar="auto|nan|impute|drop|error",
            help="What to do with a row that lacks a feature. auto: as the model was trained; nan: no embedding; "
            "impute: put the feature at its mean; drop: leave the row out; error: stop.",
        ),
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Worker threads; by default as many as Slurm or the machine grants.", metavar="N"),
    ] = None,
    inspect: Annotated[
        bool,
        typer.Option(
            "--inspect",
            help="Show what a run would do with SCAN, without running the model.",
            rich_help_panel=LOOK,
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="With --inspect: for machines.", rich_help_panel=LOOK)] = False,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            rich_help_panel=RIG,
            help="Embed a file that grows, as its logger appends: JSON lines on standard output, or to OUT (.h5).",
        ),
    ] = False,
    idle_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="With --follow: end when the file has not grown for so long.",
            rich_help_panel=RIG,
        ),
    ] = None,
    track_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="With --follow: do not wait any more for an instrument that has been silent for so long.",
            rich_help_panel=RIG,
        ),
    ] = None,
    verify: Annotated[
        str | None,
        typer.Option(
            metavar="BUNDLE",
            help="Instead of a scan: replay a bundle's golden rows, to show that it gives on this machine what it "
            "should.",
            rich_help_panel=BUNDLE,
        ),
    ] = None,
) -> None:
    """Embed each SCAN: find its features, bring them to common depths, run the model and write OUT."""
    if verify is not None:
        if scans or out is not None or map or inspect or follow:
            raise typer.BadParameter("takes a bundle alone, without a scan or other options", param_hint="--verify")
        _verify(verify)
        return
    if not scans:
        raise typer.BadParameter("which scan is to be embedded?", param_hint="SCAN")
    if inspect and (out is not None or follow):
        raise typer.BadParameter("writes nothing: leave out --out and --follow", param_hint="--inspect")
    if json and not inspect:
        raise typer.BadParameter("goes with --inspect", param_hint="--json")
    if not follow and (idle_timeout, track_timeout) != (None, None):
        raise typer.BadParameter("goes with --follow", param_hint="--idle-timeout, --track-timeout")
    mapping = {}
    for entry in map or []:
        feature, equals, place = entry.partition("=")
        if not (feature and equals and place):
            raise typer.BadParameter(f"{entry!r} is not FEATURE=PATH", param_hint="--map")
        mapping[feature] = place

    if (inspect or follow) and len(scans) > 1:
        raise typer.BadParameter("takes one scan", param_hint="--inspect" if inspect else "--follow")
    if inspect:
        _inspect(scans[0], model, mapping, bin, missing, as_json=json)
        return
    if follow:
        _follow(scans[0], out, model, mapping, bin, missing, idle_timeout, track_timeout, threads)
        return
    if out is None:
        raise typer.BadParameter("where do the embeddings go?", param_hint="--out")
    if len(scans) > 1 and out.suffix == ".npz":
        raise typer.BadParameter(f"{out} must be a folder: there are {len(scans)} scans", param_hint="--out")
    if len(scans) == 1 and out.suffix != ".npz" and not out.is_dir():
        raise typer.BadParameter(f"{out} is neither a .npz nor a folder that is there", param_hint="--out")
    from .commands.one_scan import embed_scan
    from .model.model import LithoModel
    from .process.memory import keep_freed
    from .report.run_log import announce, conclude
    from .rows.policy import as_policy
    from .rows.rows import parse_bin

    keep_freed()
    settings: dict[str, Any] = {"mapping": mapping, "bin_width": parse_bin(bin), "missing": as_policy(missing)}
    litho_model = LithoModel.load(model, threads=threads)
    embed: Callable[..., Any] = partial(embed_scan, model=litho_model, **settings)
    if len(scans) == 1 and not out.is_dir():
        summary = embed(scans[0], out, announce=announce, progress=progress)
        conclude(summary, litho_model, out)
        return
    from .commands.many_scans import embed_scans

    if failed := embed_scans(scans, out, embed):
        if len(scans) == 1:  # its error is the whole story
            raise typer.Exit(1)
        others = f"; the others are in {out}" if len(failed) < len(scans) else ""
        raise LithoError(f"{len(failed)} of {len(scans)} scans could not be embedded{others}")


def _inspect(scan: Path, model: str, mapping: dict[str, str], bin: str, missing: str, *, as_json: bool) -> None:
    import json

    from .model.bundle import Bundle
    from .report.inspection import plan_lines
    from .rows.inspection import plan_of
    from .rows.policy import as_policy, note_of
    from .rows.rows import parse_bin

    bundle, policy = Bundle.read(model), as_policy(missing)
    effect = bundle.missing if policy == "auto" else policy
    note, width = note_of(bundle, effect), parse_bin(bin)
    plan = plan_of(scan, mapping, bundle=bundle.name, missing=effect, note=note, bin_width=width, progress=progress)
    for line in [json.dumps(plan, ensure_ascii=True)] if as_json else plan_lines(plan):
        say(line)


def _follow(
    scan: Path,
    out: Path | None,
    model: str,
    mapping: dict[str, str],
    bin: str,
    missing: str,
    idle_timeout: float | None,
    track_timeout: float | None,
    threads: int | None,
) -> None:
    # Set to TRUE it would overrule us, and a lock that we held would make the logger's next open fail.
    os.environ.pop("HDF5_USE_FILE_LOCKING", None)

    from .follow.follower import Follower, follow
    from .model.model import LithoModel
    from .outputs.growing import GrowingFile, JsonLines
    from .rows.policy import as_policy
    from .rows.rows import parse_bin

    follower = Follower(
        scan,
        LithoModel.load(model, threads=threads),
        JsonLines(sys.stdout) if out is None else GrowingFile(out),
        mapping,
        bin_width=parse_bin(bin),
        missing=as_policy(missing),
        track_timeout=track_timeout,
        say=lambda line: say(line, err=True),
    )
    follow(follower, idle_timeout)


def _verify(name: str) -> None:
    from .model.bundle import Bundle
    from .model.verify import require, verify

    bundle = Bundle.read(name)
    checks = verify(bundle)
    say(f"{'output':28}{'golden rows':>12}{'largest deviation':>19}{'allowed':>9}")
    for check in checks:
        say(f"{check.output:28}{check.n_rows:12}{check.error:19.1e}{check.tolerance:9.1e}")
    require(bundle, checks)
    say(f"{bundle.path}: every file is the one that the manifest pins, and every golden row comes out as it should")


def main() -> None:
    """Run ``lithovae-run``."""
    run_guarded(app)
