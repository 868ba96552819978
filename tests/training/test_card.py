from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.training.card import model_card
from lithovae.training.published_scores import SOURCES, published_scores, score_table
from lithovae.training.scores import HeadScores, Scores

SCORES = Scores(
    rows=1234,
    holes=5,
    apart=True,
    unseen=0.01,
    commonest=0.2,
    reconstruction=dict(zip(FEATURE_NAMES, (0.9, 0.8, 0.7, 0.6, 0.5, 0.4), strict=True)),
    masked=dict(zip(FEATURE_NAMES, (-0.1, 0.1, 0.2, 0.3, 0.4, math.nan), strict=True)),
    divergence=(0.5, 0.009, 0.0),
    ari={"10": 0.11, "12": 0.12, "15": 0.15, "20": 0.2},
    linear_probe=0.31,
    svm_probe=0.32,
    head=HeadScores(accuracy=0.41, top5=0.72, auc=0.93, calibration_error=0.055),
)


def rows_of(text: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {label: rest for label, *rest in cells[2:]}


@pytest.fixture
def simulated(checkpoints: dict[str, Checkpoint]) -> Checkpoint:
    return replace(checkpoints["semisup_hybrid"], trained_on="Simulated data: 9 rows;\nno measured core.")


def test_ours_stand_beside_those_published_for_the_same_kind_of_model() -> None:
    text = score_table(SCORES)
    rows = rows_of(text)
    assert rows["R², Bulk density (GRA)"] == ["0.900", "0.949 (a), 0.984 (b)"]
    assert rows["R², average"] == ["0.650", "0.987 (b)"]
    assert rows["k-means ARI, k = 10"] == ["0.110", "0.147 (b)"]
    assert rows["head, accuracy"] == ["0.410", "0.450 (a), 0.452 (b)"]
    assert rows["head, pooled AUC"] == ["0.930", "0.918 (a), 0.906 (d)"]
    assert rows["RBF-SVM probe, accuracy"] == ["0.320", "0.567 (c)"]
    assert rows["R² when masked, R"] == ["0.300", "0.239 (e)"]
    assert rows["R² when masked, B"] == ["not defined", "0.222 (e)"]
    assert rows["head, top-5 accuracy"] == ["0.720", "–"]
    assert len(rows) == len(SCORES.labelled()) == 24
    assert "1,234 rows of 5 holes, which the model was not trained on; 1.00%" in text
    assert "1 of 3 dimensions are active" in text
    for letter, source in zip("abcde", ("explorer 2.14", "notebook", "svm results"), strict=False):
        assert f"- ({letter}) {SOURCES[source]}" in text


def test_an_unsupervised_model_beside_unsupervised_ones() -> None:
    text = score_table(replace(SCORES, head=None, apart=False))
    rows = rows_of(text)
    assert rows["R², Bulk density (GRA)"] == ["0.900", "0.833 (a), 0.985 (b)"]
    assert rows["RBF-SVM probe, accuracy"] == ["0.320", "0.552 (b), 0.470 (c)"]
    assert not any(label.startswith("head") for label in rows)
    assert "which the model may have been trained on" in text


def test_every_published_score_finds_its_place() -> None:
    labels, sources = set(SCORES.labelled()), set()
    for score in published_scores():
        assert score.label in labels
        assert score.model in ("unsupervised", "semi-supervised", "any")
        sources.add(score.source)
    assert sources == set(SOURCES)


def test_published_scores_are_as_published(root: Path) -> None:
    facts = root.parent / "shared" / "facts"
    if not facts.is_dir():
        pytest.skip(f"{facts} is not at hand")
    metrics = json.loads((facts / "facts.json").read_text())["metrics"]
    with (facts / "v2_14_reconstruction_metrics.csv").open() as file:
        explorer = {row["feature"]: float(row["r2"]) for row in csv.DictReader(file)}
    with (facts / "masking_sweep_results.csv").open() as file:
        sweep = next(row for row in csv.DictReader(file) if row["mask_prob"] == "0.1")
    short = dict(zip(("GRA", "MS", "NGR", "R", "G", "B"), FEATURE_NAMES, strict=True))
    notebook, svm = metrics["bhai_notebook_607a317"], metrics["bhai_svm_results_json"]
    old, new = metrics["lilyexplorer_v2_6_7_unsup"], metrics["lilyexplorer_v2_14_semisup"]
    expected = {("R², average", "unsupervised", "explorer 2.6.7"): old["recon_R2_raw"]["avg"]}
    for key, name in short.items():
        expected[f"R², {name}", "unsupervised", "explorer 2.6.7"] = old["recon_R2_raw"][key]
        expected[f"R², {name}", "semi-supervised", "explorer 2.14"] = explorer[name]
        expected[f"R² when masked, {name}", "any", "masking sweep"] = float(sweep[f"r2_{key.lower()}"])
    for kind, key in (("unsupervised", "unsup"), ("semi-supervised", "semisup")):
        for part, value in notebook[f"R2_{key}"].items():
            expected[f"R², {short.get(part, 'average')}", kind, "notebook"] = value
        for k, value in notebook[f"ari_{key}"].items():
            expected[f"k-means ARI, k = {k}", kind, "notebook"] = value
        expected["RBF-SVM probe, accuracy", kind, "svm results"] = svm[key]["acc"]
    expected["RBF-SVM probe, accuracy", "unsupervised", "notebook"] = notebook["svm_on_unsup_acc"]
    expected["head, accuracy", "semi-supervised", "notebook"] = notebook["semisup_head_acc"]
    expected["head, accuracy", "semi-supervised", "explorer 2.14"] = float(new["class_acc"].strip("~%")) / 100
    expected["head, pooled AUC", "semi-supervised", "explorer 2.14"] = new["pooled_auc"]
    commit = metrics["bhai_commit_c9a0f5c_message"].rpartition("head ")[2]
    expected["head, pooled AUC", "semi-supervised", "commit message"] = float(commit)
    assert {(score.label, score.model, score.source): score.value for score in published_scores()} == expected


def test_the_first_line_says_what_it_was_trained_on(simulated: Checkpoint) -> None:
    assert model_card("mine", simulated, SCORES).splitlines()[0] == "Simulated data: 9 rows; no measured core."
    assert model_card("mine", replace(simulated, trained_on=" "), None).startswith("Unknown: ")


def test_a_card_of_a_simulated_model(simulated: Checkpoint) -> None:
    card = model_card("mine", simulated, SCORES)
    assert "# mine\n" in card
    assert "Not for identifying the lithology of real core" in card
    assert "Bulk density (GRA) in g/cm3, Magnetic susceptibility (instr. units), NGR total counts (cps)" in card
    assert "Single rows" in card
    assert f"a head for {len(simulated.classes)} lithologies" in card
    assert "replaced by its mean in scaled space" in card
    assert score_table(SCORES).strip() in card
    assert "- name: hybrid\n" in card
    assert f"- SHA-256 of the training rows: {simulated.data_digest}\n" in card
    assert "{" not in card


def test_a_card_of_a_model_of_measured_core(checkpoints: dict[str, Checkpoint]) -> None:
    card = model_card("theirs", checkpoints["unsup"], None)
    assert card.startswith("a test\n\n# theirs\n")
    assert "simulated" not in card
    assert "Not the only ground" in card
    assert "6 → 64 → 32 → 10; 6,426 parameters)" in card
    assert "has embedding NaN" in card
    assert "It has not been evaluated." in card
    assert "The head" not in card


def test_a_card_of_a_checkpoint_from_elsewhere(checkpoints: dict[str, Checkpoint]) -> None:
    bare = Checkpoint(
        checkpoints["unsup"].model, checkpoints["unsup"].scaler, (), {"name": "unknown"}, "unknown: x", ""
    )
    card = model_card("theirs", bare, None)
    assert card.startswith("unknown: x\n")
    assert "- name: unknown\n" in card
    assert "- SHA-256 of the training rows: not known\n" in card
