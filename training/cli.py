"""``lithovae-train``: simulate a table, train a model on a table, score it, and embed a whole table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lithovae.runtime.console import clear_errors, map_entries, new_app, prepare_streams, progress

if TYPE_CHECKING:
    from lithovae.models.checkpoint import Checkpoint
    from lithovae.runtime.features import FeatureSet
    from lithovae.runtime.settings import Settings

    from .calibration import Calibrated
    from .cross_validation import CrossValidation
    from .lily import Coverage
    from .recipe import ModelPlan, Recipe
    from .table import TrainingTable

SIMULATED = (
    "Simulated data: {rows} rows drawn from the published statistics of the LILY table (IODP), {seed}; "
    "no measured core."
)

SIMULATED_MARK = "SIMULATED.txt"
"""A file that marks a simulated download, so that nobody takes it for measured data."""

app = new_app("Make checkpoints from a table of core measurements.")

Table = Annotated[
    Path,
    typer.Argument(help="Training table (CSV or HDF5 with the nine LILY columns), or the folder of a LILY download."),
]
Inputs = Annotated[
    list[Path],
    typer.Argument(
        metavar="INPUT...",
        help="Scans, folders of scans, tables (HDF5, text, LAS, Excel, Parquet), or the folder of a LILY download.",
        show_default=False,
    ),
]
Model = Annotated[str, typer.Option(help="unsup, semisup, unsup_hybrid or semisup_hybrid.")]


@app.command()
@clear_errors("training")
def simulate(
    out: Annotated[
        Path, typer.Option(help="Table to write: .csv or .h5; a name without suffix is a folder for a download.")
    ],
    seed: Annotated[int, typer.Option(help="The same seed gives the same table.", min=0)] = 42,
    share: Annotated[float, typer.Option(help="Share of the published 238,506 rows.", min=1e-4, max=10.0)] = 1.0,
) -> None:
    """Simulate a training table, or a download of raw measurements, from the published statistics of LILY."""
    from .download import simulate_download
    from .simulate import simulate_table

    if not out.suffix or out.is_dir():
        rows = simulate_download(out, seed, share, progress=progress)
        (out / SIMULATED_MARK).write_text(
            SIMULATED.format(rows=sum(rows.values()), seed=f"seed {seed}") + "\n", encoding="utf-8"
        )
        typer.echo(f"wrote {out}: " + ", ".join(f"{name} ({n:,} rows)" for name, n in rows.items()))
        return
    table = simulate_table(seed, share)
    table.write(out)
    typer.echo(f"wrote {out}: {len(table):,} simulated rows, {len(table.classes)} lithologies")


@app.command()
@clear_errors("training")
def compare(table: Table) -> None:
    """Compare a table with the published figures of LILY, one by one."""
    from .fidelity import compare as figures_of

    figures = figures_of(_read(table))
    typer.echo(f"{'figure':82}{'table':>10}{'published':>11}{'distance':>10}{'limit':>7}")
    for figure in figures:
        numbers = f"{figure.ours:10.4g}{figure.published:11.4g}{figure.distance:10.4f}{figure.limit:7.3g}"
        typer.echo(f"{figure.what:82}{numbers}{'' if figure.holds else '  too far'}")
    typer.echo(f"{sum(figure.holds for figure in figures)} of {len(figures)} figures are within their limits")


@app.command()
@clear_errors("training")
def scan(
    out: Annotated[Path, typer.Option(help="HDF5 scan to write.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same scan.", min=0)] = 42,
    length: Annotated[float, typer.Option(help="Depth of the deepest bin in metres.", min=1.0)] = 30.0,
    hole: Annotated[str | None, typer.Option(help="A hole of the simulated table, such as 346-U1422-A.")] = None,
    colour_step: Annotated[float, typer.Option(help="Metres between colour readings.", min=1e-4, max=0.2)] = 0.01,
) -> None:
    """Simulate a core scan as a logger would write it: several instruments, each on its own depth grid."""
    from .logger import simulate_scan
    from .simulate import simulate_table

    table = simulate_table(seed)
    deepest = simulate_scan(out, table, seed=seed, length=length, hole=hole, colour_step=colour_step)
    typer.echo(f"wrote {out}: simulated core down to {deepest:g} m, none of it measured")


@app.command()
@clear_errors("training,export")
def fit(
    inputs: Inputs,
    out: Annotated[Path, typer.Option(help="Checkpoint to write (.pt); its .json is written beside it.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="unsup, semisup, unsup_hybrid or semisup_hybrid. Default: a hybrid one, with a lithology head if the "
            "rows have lithologies; with --start-from, the kind of that checkpoint.",
            show_default=False,
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="Features to train on: names or aliases separated by commas, as in density,MS,Vp, or a .json with a "
            "list of features (docs/bundle-format.md). Default: those that the data have; the six of the LILY table if "
            "they have all of these.",
            metavar="NAMES",
        ),
    ] = None,
    intervals: Annotated[
        Path | None,
        typer.Option(help="Lithologies: a table with columns top, bottom, name, and hole if there are several."),
    ] = None,
    map: Annotated[
        list[str] | None,
        typer.Option(metavar="FEATURE=PATH", help="Use this column of a scan for a feature or for 'depth'."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Declared conversions of a scan's units, as of lithovae run."),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Fine-tune this checkpoint: its scaler, features and lithologies are kept."),
    ] = None,
    mask_instruments: Annotated[
        float | None,
        typer.Option(help="Probability that all inputs of an instrument are masked in a row.", min=0.0, max=0.9),
    ] = None,
    hold_out: Annotated[
        float | None,
        typer.Option(
            help="Share of the rows not to train on: whole sites or holes, or blocks of depth of a single hole. The "
            "model is scored on them, and, if they are of five sites or holes, its probabilities are calibrated.",
            min=0.01,
            max=0.9,
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Score the lithology head, and calibrate its probabilities: train anew without each of so many parts "
            "of the sites, holes or depths. The model itself is trained on all rows.",
            min=2,
            max=10,
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Number of epochs, instead of the recipe's.", min=1)] = None,
    bundle: Annotated[Path | None, typer.Option(help="Also export the model as a bundle, to this folder.")] = None,
    simulated_seed: Annotated[
        int | None, typer.Option(help="Record in the checkpoint that the table was simulated with this seed.")
    ] = None,
) -> None:
    """Train a model; an interrupted run resumes where it stopped."""
    from lithovae.models.checkpoint import Checkpoint, require_place

    from .calibration import calibrate
    from .card import model_card
    from .epochs import EpochReport
    from .fit import fit as train
    from .resume import state_path
    from .split import hold_out as split

    if model is not None:
        _plan(model)
    require_place(out)
    if bundle is not None:  # fail before hours of training, not after
        from lithovae.export.bundle import require_folder

        require_folder(bundle)
    start = None if start_from is None else Checkpoint.load(start_from)
    settings = _settings(map, calibration)
    rows = _read_inputs(inputs, _feature_set(features, start), start is None, intervals, settings, simulated_seed)
    model = model or _model_for(rows, start)
    plan = _plan(model)
    if intervals is not None and not plan.supervised:
        raise typer.BadParameter(f"{model} has no lithology head to learn from it", param_hint="--intervals")
    if folds is not None and not plan.supervised:
        raise typer.BadParameter(f"{model} has no lithology head to score", param_hint="--folds")
    if folds is not None and hold_out is not None:
        raise typer.BadParameter("cannot be combined with --hold-out", param_hint="--folds")
    recipe = _changed(plan.recipe, epochs=epochs, mask_instruments=mask_instruments)
    if start is not None and start.classes and not plan.supervised:
        _warn("the checkpoint to start from has a lithology head, which the new model does not have")
    validated = None if folds is None else _cross_validate(rows, recipe, folds, start)
    trained, held_out = (rows, None) if hold_out is None else split(rows, seed=0, share=hold_out)
    with EpochReport(recipe.epochs) as report:
        checkpoint = train(
            trained,
            recipe,
            supervised=plan.supervised,
            trained_on=_trained_on(inputs, trained, start_from),
            report=report,
            warn=_warn,
            resume=state_path(out),
            start=start,
        )
    calibrated = None if validated is None else validated.calibrated
    if held_out is not None:
        calibrated = calibrate(checkpoint, held_out)
    if checkpoint.reference is None:
        _warn("the ranges of some features are not known, and so neither novelty nor a calibration is kept")
        calibrated = None
    _set_calibration(checkpoint, calibrated)
    if plan.supervised and calibrated is None:
        what_helps = "too few rows have a lithology" if folds else "--folds 5 calibrates them"
        _warn(f"the probabilities of lithologies are not calibrated: {what_helps}")
    checkpoint.save(out)  # before the card, which states its SHA-256
    checkpoint.card = model_card(model, checkpoint, None, calibrated=calibrated, validated=validated)
    checkpoint.annotate(out)
    state_path(out).unlink(missing_ok=True)
    typer.echo(f"wrote {out} and {out.with_suffix('.json').name}: {model}, {recipe.epochs} epochs of {recipe.name}")
    if held_out is not None:
        _score(checkpoint, start, held_out, calibrated)
    if bundle is not None:
        from lithovae.export.bundle import write_bundle

        write_bundle(Checkpoint.load(out), bundle)
        typer.echo(f"wrote {bundle}: a bundle, verified against torch")


@app.command()
@clear_errors("training")
def evaluate(
    table: Table,
    model: Model = "semisup_hybrid",
    seeds: Annotated[int, typer.Option(help="Number of training runs, each with another seed.", min=1)] = 3,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Write scores, temperature and reference into the .json of this checkpoint."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the scores to this file, as JSON.")] = None,
) -> None:
    """Train a recipe without a fifth of the sites, score it on them, and print the scores beside the published ones."""
    import json
    from dataclasses import replace

    from lithovae.models.checkpoint import Checkpoint
    from lithovae.runtime.errors import CheckpointError
    from lithovae.runtime.outputs.whole_file import require_writable, whole_file

    from .calibration import calibrate
    from .card import model_card
    from .epochs import EpochReport
    from .evaluate import evaluate as score
    from .fit import fit as train
    from .published_scores import score_table
    from .reference import reference_of
    from .split import split_holes

    plan = _plan(model)
    if out is not None:
        require_writable(out)
    rows = _read(table)
    shipped = Checkpoint.load(checkpoint) if checkpoint else None
    if shipped is not None and (shipped.recipe, shipped.data_digest) != (plan.recipe.to_json(), rows.digest()):
        raise CheckpointError(
            f"{checkpoint} was not trained on this table with the recipe of {model}: the scores would not be its own",
            checkpoint,
        )
    if shipped is not None and bool(shipped.classes) != plan.supervised:
        raise CheckpointError(
            f"{checkpoint} does not match --model {model}: only one of them has a lithology head", checkpoint
        )
    learnt, held_out = split_holes(rows, seed=0)
    runs, calibrated = [], None
    for seed in range(plan.recipe.seed, plan.recipe.seed + seeds):
        recipe = replace(plan.recipe, seed=seed)
        with EpochReport(recipe.epochs) as report:
            trained = train(learnt, recipe, supervised=plan.supervised, trained_on=table.name, report=report)
        runs.append(score(trained, held_out, learnt))
        if len(runs) == 1:
            calibrated = calibrate(trained, held_out)
    typer.echo(score_table(runs[0], runs[1:]))
    _report_calibration(calibrated)
    if checkpoint is not None and shipped is not None:
        shipped.reference = reference_of(rows, shipped.scaler, shipped.classes)
        _set_calibration(shipped, calibrated)
        shipped.card = model_card(model, shipped, runs[0], runs[1:], calibrated)
        shipped.annotate(checkpoint)
        typer.echo(f"wrote the scores into {checkpoint.with_suffix('.json')}: export again to put them into a bundle")
    if out is not None:
        with whole_file(out) as file:
            file.write(json.dumps([run.to_plain() for run in runs], indent=1).encode())


@app.command()
@clear_errors("training")
def embed(
    table: Table,
    out: Annotated[Path, typer.Option(help="Embeddings to write (.npz).")],
    unsup: Annotated[str, typer.Option(help="Bundle of the unsupervised model: a shipped name or a folder.")] = (
        "unsup_hybrid"
    ),
    semisup: Annotated[str, typer.Option(help="Bundle of the semi-supervised model.")] = "semisup_hybrid",
) -> None:
    """Embed a training table with two bundles: the file has members unsup, semisup, y and classes."""
    import numpy as np

    from lithovae.runtime import LithoModel
    from lithovae.runtime.outputs.whole_file import whole_file

    rows = _read(table)
    embeddings = {name: LithoModel.load(name_or_path).embed(rows.features)
                  for name, name_or_path in (("unsup", unsup), ("semisup", semisup))}  # fmt: skip
    with whole_file(out) as file:
        np.savez(file, allow_pickle=False, **embeddings, y=rows.labels, classes=np.array(rows.classes))
    shapes = ", ".join(f"{name} {value.shape}" for name, value in embeddings.items())
    typer.echo(f"wrote {out}: {shapes}, y ({len(rows)},)")


def _plan(model: str) -> ModelPlan:
    from .recipe import MODELS

    if model not in MODELS:
        raise typer.BadParameter(f"no model {model!r}; available: {', '.join(MODELS)}", param_hint="--model")
    return MODELS[model]


def _model_for(rows: TrainingTable, start: Checkpoint | None) -> str:
    """Return the model to train if the user names none."""
    supervised = bool(rows.classes) and (start is None or bool(start.classes))
    kind = "semisup" if supervised else "unsup"
    return kind if start is not None and start.recipe.get("name") == "standard" else f"{kind}_hybrid"


def _changed(recipe: Recipe, **settings: float | None) -> Recipe:
    """Return a recipe with the settings that the user gives."""
    from dataclasses import replace

    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    return replace(recipe, **given)


def _feature_set(names: str | None, start: Checkpoint | None) -> FeatureSet | None:
    """Return the features that the user names, or those of the checkpoint to start from; None if there are neither."""
    from lithovae.runtime.features import read_features

    if start is not None:
        if names is not None:
            raise typer.BadParameter("the checkpoint to start from has its features", param_hint="--features")
        return start.features
    return None if names is None else read_features(names)


def _settings(map: list[str] | None, calibration: Path | None) -> Settings:
    """Return the mapping and the calibrations that the user gives."""
    from lithovae.runtime.scan.calibration import read_calibrations
    from lithovae.runtime.settings import Settings

    mapping = dict(map_entries(map))
    return Settings(mapping=mapping, calibrations=read_calibrations(calibration) if calibration else {})


def _read_inputs(
    inputs: list[Path],
    features: FeatureSet | None,
    all_features: bool,
    intervals: Path | None,
    settings: Settings,
    simulated_seed: int | None,
) -> TrainingTable:
    """Read the rows to train on, and print what was read."""
    from dataclasses import replace

    from .inputs import read_inputs

    rows = read_inputs(
        inputs,
        features=features,
        all_features=all_features,
        intervals=intervals,
        settings=settings,
        warn=_warn,
        report=_report_coverage,
        progress=progress,
    )
    if simulated_seed is not None:
        stated = f"seed {simulated_seed}"
        if rows.simulated not in ("", stated):
            raise typer.BadParameter(
                f"the table says that it was simulated with {rows.simulated}", param_hint="--simulated-seed"
            )
        rows = replace(rows, simulated=stated)
    _report_rows(", ".join(map(str, inputs)), rows)
    short = rows.feature_set.short_names.values()
    gaps = ~rows.measured
    missing = ", ".join(
        f"{name} {max(share, 0.001):.1%}" for name, share in zip(short, gaps.mean(axis=0), strict=True) if share
    )
    typer.echo(f"features: {', '.join(short)}{f'; missing: {missing}' if missing else ''}")
    return rows


def _trained_on(inputs: list[Path], rows: TrainingTable, start: Path | None) -> str:
    """Return the sentence about the rows that is kept with the checkpoint."""
    after = f" Fine-tuned from {start.name}." if start else ""
    if len(inputs) == 1 and (inputs[0] / SIMULATED_MARK).is_file():
        return f"Simulated data: a download of raw measurements, {len(rows)} rows when binned; no measured core.{after}"
    if rows.simulated:
        return SIMULATED.format(rows=len(rows), seed=rows.simulated) + after
    names = [path.resolve().name for path in inputs]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{', '.join(names[:4])}{more}: {len(rows)} rows.{after}"


def _cross_validate(rows: TrainingTable, recipe: Recipe, folds: int, start: Checkpoint | None) -> CrossValidation:
    """Score a recipe with a lithology head on all rows, and print how often it is right."""
    from .cross_validation import cross_validate
    from .epochs import EpochReport

    with EpochReport(recipe.epochs) as report:
        found = cross_validate(rows, recipe, folds, report=report, start=start)
    typer.echo(
        f"cross-validated over {found.n_parts} {found.kind}: lithology right in {found.accuracy:.1%} of "
        f"{found.n_rows:,} rows, the commonest ({found.commonest}) in {found.commonest_share:.1%}"
    )
    _report_calibration(found.calibrated)
    return found


def _set_calibration(checkpoint: Checkpoint, calibrated: Calibrated | None) -> None:
    """Keep a temperature in a checkpoint's reference."""
    from dataclasses import replace

    if checkpoint.reference is not None:
        found = None if calibrated is None else calibrated.calibration
        checkpoint.reference = replace(checkpoint.reference, calibration=found)


def _report_calibration(calibrated: Calibrated | None) -> None:
    if calibrated is not None:
        found = calibrated.calibration
        within = f", {calibrated.within:.3f} within one of them (median)" if calibrated.within >= 0 else ""
        typer.echo(
            f"temperature {found.temperature:.3g}, from {calibrated.n_parts} {calibrated.kind}: calibration error "
            f"{found.error_before:.3f} before, {found.error_after:.3f} after{within}"
        )


def _score(
    checkpoint: Checkpoint, start: Checkpoint | None, held_out: TrainingTable, calibrated: Calibrated | None
) -> None:
    """Print how well a model restores rows that it was not trained on, and how well the one before it did."""
    from .validate import validate

    n_holes = len(set(held_out.hole.tolist()))
    typer.echo(f"held out: {len(held_out):,} rows that it was not trained on, of {n_holes} hole{'s' * (n_holes > 1)}")
    for name, each in (("before fine-tuning", start), ("squared error", checkpoint)):
        if each is not None:
            found = validate(each, held_out)
            short = each.features.short_names
            errors = ", ".join(f"{short[feature]} {error:.3g}" for feature, error in found.errors.items())
            named = ""
            if found.accuracy is not None:
                named = f"; lithology right in {found.accuracy:.0%} of {found.labelled:,}, the commonest "
                named += f"({found.commonest}) in {found.commonest_share:.0%}"
            typer.echo(f"{name}: {found.error:.3g} per value in scaled space ({errors}){named}")
    _report_calibration(calibrated)


def _read(table: Path) -> TrainingTable:
    """Read a table, or build one from a download, and print what was read."""
    from .lily import read_lily
    from .table import TrainingTable

    is_folder = table.is_dir()
    rows = read_lily(table, report=_report_coverage, progress=progress) if is_folder else TrainingTable.read(table)
    _report_rows(str(table), rows)
    return rows


def _report_rows(name: str, rows: TrainingTable) -> None:
    n_classes, n_holes = len(rows.classes), len(set(rows.hole))
    lithologies, holes = "lithology" if n_classes == 1 else "lithologies", "hole" if n_holes == 1 else "holes"
    typer.echo(f"read {name}: {len(rows):,} rows, {n_classes} {lithologies}, {n_holes} {holes}")


def _report_coverage(coverage: Coverage) -> None:
    from .lily import PUBLISHED_COVERAGE

    for name, n in coverage.bins.items():
        joined = f", {coverage.joined[name]:,} joined" if name in coverage.joined else ""
        published = f"{PUBLISHED_COVERAGE.bins[name]:,}"
        typer.echo(f"{name:4} {coverage.samples[name]:>11,} samples, {n:>8,} bins (published {published}){joined}")
    typer.echo(f"{coverage.outliers:,} bins of implausible density dropped, {coverage.rows:,} rows left")


def _warn(message: str) -> None:
    typer.echo(f"note: {message}", err=True)


def main() -> None:
    """Run ``lithovae-train``."""
    prepare_streams()
    app()
