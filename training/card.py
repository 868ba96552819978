"""A model card: what a model was trained on, how good it is, and what it is not for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from lithovae.models.checkpoint import Checkpoint

from .calibration import Calibrated
from .cross_validation import CrossValidation
from .published_scores import score_table
from .scores import Scores

SIMULATED_LIMITS = (
    "**Not for identifying the lithology of real core, nor for any conclusion about real core.** The model has seen "
    "simulated rows alone, which share the published statistics of LILY and nothing else. Use it to build and test "
    "software, and train on measured core before you trust an embedding.",
    "Its scores are of simulated rows too: beside the published ones, which are of measured core, they show whether "
    "the training works, not which model is better.",
)
MEASURED_LIMITS = (
    "Not the only ground on which to name a lithology: it is a statistical guess from a few sensors, and a described "
    "core or thin section outranks it.",
    "Not for cores unlike those it was trained on (another setting, other lithologies, another way of drilling) "
    "until it has been scored on some that are described.",
)
LIMITS = (
    "Single rows: each row, a 20 cm bin in training, is embedded on its own, without its neighbours, depth or hole.",
    "Only for these sensors and units: {features}. Another unit or another instrument (a point sensor for magnetic "
    "susceptibility, a handheld gamma counter, a camera with another calibration, a wireline log) gives embeddings "
    "that look like any other and mean nothing.",
    "Values beyond those of the training rows are extrapolated; a run with `--quality` marks such rows.",
)
HEAD_LIMITS = (
    "The head knows {classes} lithologies and always names one of them. Rare lithologies had few rows to be learnt "
    "from.",
    "Its probabilities are no better than their calibration error, on rows like those it was trained on.",
)
UNCALIBRATED = "The probabilities of the lithology head are not calibrated: its temperature is 1."
CALIBRATED = (
    "The probabilities of the lithology head are calibrated: its logits are divided by the temperature "
    "{temperature:.3g}, fitted on {n_parts} {kind} that the scored model was not trained on. On their {rows:,} rows, "
    "the expected calibration error (15 bins) is {before:.3f} before and {after:.3f} after; for this, the rows of each "
    "part have a temperature that was fitted on the others."
)
UNIMPROVED = (
    "The temperature of the lithology head stays 1: on {rows:,} rows of {n_parts} {kind} that the scored model was not "
    "trained on, the temperatures of the other parts make the lithologies of each no likelier. Their expected "
    "calibration error (15 bins) is {before:.3f}."
)
WITHIN = (
    " This holds on average over many {kind}, not within each: there, probabilities are too high or too low, and the "
    "error is {within:.3f} (median of those with 100 rows or more)."
)
RETRAINED = (
    "These are scores of the recipe, trained anew without the sites that are scored. The model itself has seen all "
    "rows."
)
CROSS_VALIDATED = (
    "Of the recipe, trained anew without the rows that are scored; the model itself has seen all rows. Over {n_parts} "
    "{kind}, the most likely lithology is right in {accuracy:.1%} of {n_rows:,} rows. The commonest lithology, "
    "{commonest}, is right in {commonest_share:.1%}: a head that is not right more often is of no use."
)
MISSING = {
    "impute": (
        "A missing feature (NaN, a sentinel such as -999.25, a declared fill value) is replaced by its mean in scaled "
        "space: the model was trained with inputs masked so. The runtime says for each row what was imputed. A row "
        "without any feature has embedding NaN."
    ),
    "nan": (
        "A row that lacks a feature (NaN, a sentinel such as -999.25, a declared fill value) has embedding NaN: the "
        "model was not trained with missing inputs, as far as is known, and guesses none."
    ),
}


def model_card(
    name: str,
    checkpoint: Checkpoint,
    scores: Scores | None,
    others: Sequence[Scores] = (),
    calibrated: Calibrated | None = None,
    validated: CrossValidation | None = None,
) -> str:
    """Write a model card.

    Parameters
    ----------
    name : str
        Name of the model or bundle.
    checkpoint : Checkpoint
        The model.
    scores : Scores or None
        What `evaluate` measured for the same recipe, trained on other holes than those scored; None if it has not been
        evaluated.
    others : sequence of Scores
        The same for other seeds.
    calibrated : Calibrated or None
        How the temperature of its head was found; None if it is 1.
    validated : CrossValidation or None
        What `cross_validate` measured, for a model without ``scores``.

    Returns
    -------
    str
        Markdown. Its first line says what the model was trained on.
    """
    trained_on = " ".join(checkpoint.trained_on.split()) or "Unknown: nobody said what this model was trained on."
    sections = [
        trained_on,
        f"# {name}",
        _description(checkpoint),
        "## What it is not for",
        _bullets(_limits(checkpoint, trained_on.casefold().startswith("simulated"))),
        "## Missing values",
        MISSING[checkpoint.missing],
        "## Scores",
        _scores(scores, others, validated),
        *(["## Calibration", _calibration(calibrated)] if checkpoint.classes else []),
        "## Recipe",
        _recipe(checkpoint),
    ]
    return "\n\n".join(sections) + "\n"


def _description(checkpoint: Checkpoint) -> str:
    model = checkpoint.model
    hidden = [layer.out_features for layer in model.encoder if isinstance(layer, nn.Linear)]
    widths = " → ".join(map(str, [len(checkpoint.features), *hidden, model.fc_mu.out_features]))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    head = f", with a head for {len(checkpoint.classes)} lithologies" if checkpoint.classes else ""
    return (
        f"A variational autoencoder of core-logging features ({widths}; {parameters:,} parameters{head}). Its "
        f"embedding of a row is the mean of the latent distribution: {model.fc_mu.out_features} numbers."
    )


def _limits(checkpoint: Checkpoint, simulated: bool) -> list[str]:
    features = ", ".join(
        feature.name if feature.unit in feature.name or not feature.unit else f"{feature.name} in {feature.unit}"
        for feature in checkpoint.features
    )
    limits = [*(SIMULATED_LIMITS if simulated else MEASURED_LIMITS), *LIMITS]
    if checkpoint.classes:
        limits += HEAD_LIMITS
    return [limit.format(features=features, classes=len(checkpoint.classes)) for limit in limits]


def _scores(scores: Scores | None, others: Sequence[Scores], validated: CrossValidation | None) -> str:
    if scores is not None:
        return f"{RETRAINED}\n\n{score_table(scores, others).rstrip()}"
    return "It has not been evaluated." if validated is None else CROSS_VALIDATED.format(**validated._asdict())


def _calibration(calibrated: Calibrated | None) -> str:
    if calibrated is None:
        return UNCALIBRATED
    found, kind, n_parts, within = calibrated
    text = (UNIMPROVED if found.temperature == 1 else CALIBRATED).format(
        temperature=found.temperature,
        n_parts=n_parts,
        kind=kind,
        before=found.error_before,
        after=found.error_after,
        rows=found.n_rows,
    )
    return text if math.isnan(within) else text + WITHIN.format(kind=kind, within=within)


def _recipe(checkpoint: Checkpoint) -> str:
    facts = {key.replace("_", " "): str(value) for key, value in checkpoint.recipe.items()}
    if checkpoint.history:
        last = checkpoint.history[-1]
        facts["loss in the last epoch"] = f"{last['loss']:.5g} (epoch {last['epoch']:.0f})" if "loss" in last else "?"
    facts |= {"SHA-256 of the checkpoint": checkpoint.sha256, "SHA-256 of the training rows": checkpoint.data_digest}
    return _bullets([f"{key}: {value or 'not known'}" for key, value in facts.items()])


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
