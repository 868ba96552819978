from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lithovae.export.bundle import write_bundle
from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime import BundleError, LithoModel
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.model.reference import Reference
from lithovae.runtime.model.verify import verify
from tests.runtime.references import a_reference


@pytest.fixture(scope="module")
def exported(checkpoints: dict[str, Checkpoint], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a reference."""
    folder = tmp_path_factory.mktemp("reference") / "bundle"
    write_bundle(replace(checkpoints["semisup"], reference=a_reference()), folder)
    return folder


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    """A copy of it that tests may damage."""
    return Path(shutil.copytree(exported, tmp_path / "bundle"))


def pin(bundle: Path, content: bytes) -> None:
    """Replace the reference, and pin it in the manifest."""
    (bundle / "reference.json").write_bytes(content)
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["reference.json"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_a_bundle_has_the_reference_of_its_checkpoint(bundle: Path) -> None:
    read = pickle.loads(pickle.dumps(Bundle.read(bundle))).reference
    assert isinstance(read, Reference)
    assert read.to_json() == a_reference().to_json()
    assert LithoModel.load(bundle).groups == ("soft", "hard", "odd")


def test_a_bundle_may_lack_a_reference(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    write_bundle(replace(checkpoints["semisup"], reference=None), tmp_path / "bundle")
    assert not (tmp_path / "bundle" / "reference.json").exists()
    assert Bundle.read(tmp_path / "bundle").reference is None
    assert LithoModel.load(tmp_path / "bundle").groups == ()


def test_a_changed_reference_is_noticed(bundle: Path) -> None:
    path = bundle / "reference.json"
    path.write_bytes(path.read_bytes().replace(b"0.6", b"0.7"))
    with pytest.raises(BundleError, match=r"reference\.json is not the file that the manifest pins"):
        Bundle.read(bundle)
    path.unlink()
    with pytest.raises(BundleError, match=r"reference\.json cannot be read"):
        Bundle.read(bundle)


def test_an_earlier_schema_has_no_reference(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"schema": 4}), encoding="utf-8")
    with pytest.raises(BundleError, match=r"names the files .*reference\.json.*, not "):
        Bundle.read(bundle)


def changed(*keys: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(stated: dict[str, Any]) -> None:
        *outer, last = keys
        for key in outer:
            stated = stated[key]
        stated[last] = to

    return change


def removed(*keys: Any) -> Callable[[dict[str, Any]], None]:
    def change(stated: dict[str, Any]) -> None:
        *outer, last = keys
        for key in outer:
            stated = stated[key]
        del stated[last]

    return change


DEEP: Any = 1.0
for _ in range(200):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (removed("ranges"), "needs n_rows and ranges"),
        (changed("n_rows", to=float("inf")), "n_rows is not a number of rows"),
        (changed("n_rows", to=-1), "n_rows is not a number of rows"),
        (changed("ranges", to=[]), "list indices must be integers"),
        (changed("ranges", "values", to=[[1.0, 2.0, 3.0]]), r"values has the shape \(1, 3\), not \(6, 3\)"),
        (changed("ranges", "values", 0, 1, to=float("nan")), "values has values that are not finite numbers"),
        (changed("ranges", "values", 0, 1, to="1.5"), "values has values that are not finite numbers"),
        (changed("ranges", "values", 0, to=[3.0, 2.0, 1.0]), "quantiles must ascend"),
        (changed("ranges", "values", to=DEEP), "values has"),
        (changed("ranges", "at", to=[0, 0.5, 10**400]), "at has values that are not finite numbers"),
        (changed("ranges", "at", to=[0, 0.5, 1.5]), "at probabilities from 0 to 1"),
        (changed("ranges", "at", to=[]), "at has the shape|at is empty"),
        (changed("ranges", "at", to=[0.1, 0.5, 1]), "from the least to the greatest value"),
        (changed("n_rows", to=0), "n_rows is not a number of rows"),
        (changed("mixture", "means", 0, 0, to=1e30), "values beyond 1e\\+06 standard deviations"),
        (changed("mixture", "covariances", 0, 0, 0, to=1e300), "values beyond 1e\\+06 standard deviations"),
        (changed("mixture", "covariances", 0, 0, 0, to=1e-80), "a standard deviation below 1e-06"),
        (removed("mixture", "means"), "a part lacks 'means'"),
        (changed("mixture", "weights", to=[0.5, 0.6]), "weights of a mixture must be positive, with sum 1"),
        (changed("mixture", "covariances", 0, 0, 0, to=-1.0), "not positive definite"),
        (changed("mixture", "covariances", 0, 0, 1, to=0.5), "not symmetric"),
        (changed("calibration", "temperature", to=0), "the temperature must be above 0"),
        (changed("calibration", "temperature", to="1"), "the temperature must be above 0"),
        (changed("calibration", "n_rows", to=None), "n_rows is not a number of rows"),
        (changed("calibration", to=7), "is not subscriptable"),
        (changed("groups", "of_class", to=[0, 1]), r"of_class has the shape \(2,\), not \(139,\)"),
        (changed("groups", "of_class", 5, to=0.5), "of_class has values that are not integers"),
        (changed("groups", "of_class", 5, to=2**64), "of_class has values that are not integers"),
        (changed("groups", "of_class", 5, to=3), "a group without a name"),
        (changed("groups", "names", to=["a", "b", "a"]), "two groups have the same name"),
        (changed("groups", "names", to=["a", " ", "c"]), "none of them blank"),
        (changed("groups", "names", to="abc"), "must be a list of texts"),
        (changed("succession", "mean_thickness", 0, to=-1.0), "thicknesses must be above 0"),
        (changed("succession", "counts", to=[1e308] * 139), "a count is above 1e\\+15"),
        (changed("succession", "transitions", to=[[0, 139, 1]]), "a lithology that the model does not know"),
        (changed("succession", "transitions", to=[[0, 1], [1]]), "transitions has"),
    ],
)
def test_a_malformed_reference_is_refused(bundle: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    stated = json.loads((bundle / "reference.json").read_text(encoding="utf-8"))
    change(stated)
    pin(bundle, json.dumps(stated).encode())
    model = LithoModel.load(bundle)  # embeddings do not need it
    assert np.isfinite(model.embed(np.ones((3, 6)))).all()
    with pytest.raises(BundleError, match=rf"reference\.json is malformed: .*{message}"):
        _ = model.bundle.reference
    with pytest.raises(BundleError, match=r"reference\.json is malformed"):
        verify(model.bundle)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_a_reference_that_is_no_json_object_is_refused(bundle: Path, content: bytes) -> None:
    pin(bundle, content)
    with pytest.raises(BundleError, match=r"reference\.json is malformed"):
        _ = Bundle.read(bundle).reference


def test_a_long_text_among_numbers_is_refused_at_once(bundle: Path) -> None:
    stated = json.loads((bundle / "reference.json").read_text(encoding="utf-8"))
    stated["succession"]["counts"] = ["x" * 8_000_000, *[1.0] * 138]  # 4 GB, as an array of texts
    pin(bundle, json.dumps(stated).encode())
    with pytest.raises(BundleError, match="counts has values that are not finite numbers"):
        _ = Bundle.read(bundle).reference


def test_a_reference_of_gigabytes_is_not_read(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["reference.json"]["bytes"] = (1 << 24) + 1
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError, match=r"reference\.json has more than 16,777,216 bytes"):
        Bundle.read(bundle)


def test_the_manifest_identifies_a_bundle(bundle: Path) -> None:
    before = Bundle.read(bundle).sha256
    assert before == hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()
    pin(bundle, (bundle / "reference.json").read_bytes() + b"\n")
    assert Bundle.read(bundle).sha256 != before


def test_a_model_of_simulated_data_warns_of_its_lithologies(
    bundle: Path, checkpoints: dict[str, Checkpoint], tmp_path: Path
) -> None:
    assert "simulated" in Bundle.read("semisup").warning
    assert Bundle.read(bundle).warning == ""
    write_bundle(replace(checkpoints["semisup"], trained_on="Simulated data: 7 rows"), tmp_path / "simulated")
    assert "do not rely on its lithologies" in Bundle.read(tmp_path / "simulated").warning
