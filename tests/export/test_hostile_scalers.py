"""The faults of a scaler, a table or a list of classes that is given with a checkpoint."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lithovae.models.scaler import LILY_MEAN, LILY_SCALE
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime.features import FEATURE_NAMES

Refused = Callable[..., str]
THEIRS = "theirs.pt"


class Exploit:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch evidence",)


LILY = {"mean": list(LILY_MEAN), "scale": list(LILY_SCALE)}
RAW_MEAN = [1.696278, 81.192257, 28.357622, 73.299998, 71.273257, 63.462839]
RAW_SCALE = [0.246597, 255.976386, 19.584685, 46.310582, 45.583637, 41.518141]


def scaler_csv(*rows: object, heading: str = "feature,mean,scale") -> str:
    return "\n".join([heading, *map(str, rows)]) + "\n"


def lily_rows(names: tuple[str, ...] = FEATURE_NAMES) -> list[str]:
    return [f"{name},{mean},{scale}" for name, mean, scale in zip(names, LILY_MEAN, LILY_SCALE, strict=True)]


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def raw_table(heading: str = ",".join(FEATURE_NAMES), **changed: tuple[object, object]) -> str:
    """A table of two raw rows, valid except for the columns that are given."""
    columns: dict[str, Any] = {"density": (1.5, 1.7)} | dict.fromkeys(["ms", "gamma", "r", "g", "b"], (1, 200))
    rows = zip(*(columns | changed).values(), strict=True)
    return "\n".join([heading, *(",".join(map(str, row)) for row in rows)])


SCALERS: dict[str, tuple[str, bytes | str, str]] = {
    "pickled scaler": ("s.pkl", pickle.dumps(LILY), "s.pkl is not a scaler"),
    "scaler of joblib": ("s.joblib", b"x\x9c", "a pickle could run code when it is read"),
    "pickle that runs code, named .json": (
        "s.json",
        pickle.dumps(Exploit()),
        "a pickle could run code when it is read",
    ),
    "pickle in an .npz": ("s.npz", npz(mean=np.array([Exploit()]), scale=LILY_SCALE), "allow_pickle=False"),
    "raw statistics": (
        "s.json",
        json.dumps({"mean": RAW_MEAN, "scale": RAW_SCALE}),
        "look like statistics of raw val",
    ),
    "raw colours": (
        "s.json",
        json.dumps({"mean": [*LILY_MEAN[:3], 73.3, 71.3, 63.5], "scale": LILY["scale"]}),
        "of transformed R,",
    ),
    "raw susceptibility": (
        "s.json",
        json.dumps({"mean": [1.7, 81.2, 3, 4, 4, 4], "scale": LILY["scale"]}),
        "of transformed Magnetic",
    ),
    "raw deviations": ("s.json", json.dumps({"mean": LILY["mean"], "scale": RAW_SCALE}), "scale of 255.976 cannot be"),
    "density in kg/m3": ("s.npz", npz(mean=[1696, *LILY_MEAN[1:]], scale=LILY_SCALE), "or of another unit"),
    "no mean": ("s.json", '{"scale": [1, 1, 1, 1, 1, 1]}', "it lacks the mean"),
    "no scale": ("s.npz", npz(mean_=LILY_MEAN), "it lacks the scale (standard deviation)"),
    "two means": ("s.npz", npz(mean=LILY_MEAN, mean_=LILY_MEAN, scale=LILY_SCALE), "'mean' and 'mean_' both match"),
    "five numbers": ("s.json", json.dumps({"mean": [1] * 5, "scale": [1] * 6}), "mean must be 6 finite numbers"),
    "NaN": ("s.json", '{"mean": [1, 1, NaN, 1, 1, 1], "scale": [1, 1, 1, 1, 1, 1]}', "mean must be 6 finite numbers"),
    "scale of zero": ("s.json", json.dumps({"mean": [1] * 6, "scale": [0] * 6}), "the scaler's scale must be positive"),
    "number beyond float64": (
        "s.json",
        json.dumps({"mean": [10**400] * 6, "scale": [1] * 6}),
        "s.json is not a scaler",
    ),
    "nothing but a list": ("s.json", "[1, 2]", "it does not name its mean and scale"),
    "brackets without end": ("s.json", "[" * 100_000, "s.json is not a scaler"),
    "text for JSON": ("s.json", "mean 1 2 3", "s.json is not a scaler (lily, or a .json, .npz or .csv"),
    "noise for .npz": ("s.npz", b"noise", "File is not a zip file"),
    "a feature without a row": ("s.csv", scaler_csv(*lily_rows()[:5]), "none of its rows is named 'B'"),
    "a feature with two rows": ("s.csv", scaler_csv(*lily_rows(), "R,4,1"), "'R' and 'R' both match 'R'"),
    "point sensor for loop": (
        "s.csv",
        scaler_csv(*lily_rows((FEATURE_NAMES[0], "MSP", *FEATURE_NAMES[2:]))),
        "none of its rows is named 'Magnetic susceptibility (instr. units)'",
    ),
    "five rows without names": ("s.csv", scaler_csv(*["1,1"] * 5, heading="mean,sd"), "5 rows without names, not 6"),
    "names in an unknown column": (
        "s.csv",
        scaler_csv(*lily_rows(), heading="sensor,mean,sd"),
        "could not convert string to float: 'Bulk density (GRA)'",
    ),
    "text for a mean": ("s.csv", scaler_csv(*lily_rows()[:5], "B,dark,1"), "could not convert string to float: 'dark'"),
    "ragged rows": ("s.csv", scaler_csv(*lily_rows()[:5], "B,1"), "its rows differ in length"),
    "statistics of the raw table in CSV": (
        "s.csv",
        scaler_csv(*(f"{n},{m},{s}" for n, m, s in zip(FEATURE_NAMES, RAW_MEAN, RAW_SCALE, strict=True))),
        "look like statistics of raw values",
    ),
    "large file": ("s.json", " " * 10_000_001, "it has 10000001 bytes, more than the 10000000 that"),
}

TABLES: dict[str, tuple[str, str]] = {
    "empty": ("", "none of its columns is named 'Bulk density (GRA)'"),
    "no rows": (",".join(FEATURE_NAMES), "it has no rows"),
    "no blue": (raw_table("density,ms,ngr,R,G,b*"), "none of its columns is named 'B'"),
    "two reds": (raw_table("density,ms,ngr,Red,red,G,B"), "its columns 'Red' and 'red' both match 'R'"),
    "text": (raw_table(r=(1, "dark")), "row 3: could not convert string to float: 'dark'"),
    "short row": (raw_table() + "\n1,2", "row 4 ends after 2 columns"),
    "nothing measured": (raw_table(gamma=("", "NaN")), "it holds no value of NGR total counts (cps)"),
    "density in kg/m3": (raw_table(density=(1500, 1700)), "the median of Bulk density (GRA) is 1600, not within 0.3"),
    "standardised already": (raw_table(density=(-0.5, 0.3)), "the median of Bulk density (GRA) is -0.1"),
    "logarithms of colour": (raw_table(r=(4, 5), g=(4, 5), b=(4, 5.2)), "its largest colour value is 5.2"),
    "colours of 0 to 1": (raw_table(r=(0, 1), g=(0, 1), b=(0, 1)), "its largest colour value is 1"),
}


@pytest.mark.parametrize("fault", SCALERS)
def test_a_faulty_scaler_is_refused(fault: str, refused: Refused) -> None:
    name, content, message = SCALERS[fault]
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    torch.save(VAE().state_dict(), THEIRS)
    assert name in refused(message, THEIRS, "--scaler", name)


@pytest.mark.parametrize("fault", TABLES)
def test_a_faulty_table_is_refused(fault: str, refused: Refused) -> None:
    content, message = TABLES[fault]
    Path("table.csv").write_text(content)
    torch.save(VAE().state_dict(), THEIRS)
    refused(f"table.csv cannot be used to fit a scaler: {message}", THEIRS, "--fit-scaler", "table.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "theirs.pt has no theirs.json beside it, so its scaler is unknown. A scaler fitted on the data to embed"),
        (["--scaler", "lilly"], "lilly is not a scaler (lily, or a .json, .npz or .csv"),
        (["--scaler", "."], "Is a directory"),
        (["--fit-scaler", "absent.csv"], "absent.csv cannot be used to fit a scaler: no such file"),
        (["--scaler", "lily", "--fit-scaler", "t.csv"], "--scaler and --fit-scaler cannot be combined"),
        (["--scaler", "lily", "--missing", "zero"], "--missing must be 'impute' or 'nan', not 'zero'"),
        (["--scaler", "lily"], "names 0 classes, but theirs.pt has 3"),
        (["--scaler", "lily", "--classes", "few.txt"], "(--classes) names 2 classes, but theirs.pt has 3"),
        (["--scaler", "lily", "--classes", "twice.txt"], "names a class twice"),
        (["--scaler", "lily", "--classes", "empty.txt"], "empty.txt holds no class names"),
        (["--scaler", "lily", "--classes", "latin.txt"], "latin.txt is not a list of names in UTF-8"),
        (["--scaler", "lily", "--classes", "absent.txt"], "No such file or directory: absent.txt"),
    ],
)
def test_what_is_said_beside_a_checkpoint_must_fit(refused: Refused, arguments: list[str], message: str) -> None:
    Path("few.txt").write_text("clay\nchalk\n")
    Path("twice.txt").write_text("clay\nchalk\nclay\n")
    Path("empty.txt").write_text("\n \n")
    Path("latin.txt").write_bytes("Löss\n".encode("latin-1"))
    torch.save(SemiSupervisedVAE(n_classes=3).state_dict(), THEIRS)
    refused(message, THEIRS, *arguments)


def test_classes_need_a_head(refused: Refused) -> None:
    torch.save(VAE().state_dict(), THEIRS)
    Path("names.txt").write_text("clay\n")
    refused("theirs.pt has none: it has no lithology head", THEIRS, "--scaler", "lily", "--classes", "names.txt")
