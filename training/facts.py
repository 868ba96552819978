"""The published figures that the simulator uses (``published/README.md`` names their sources)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SHORT_NAMES = ("gra", "ms", "ngr", "r", "g", "b")
"""Names of the features in the digitised histograms, in the order of the features."""


@dataclass(frozen=True)
class Facts:
    """Published figures, features in their usual order.

    Attributes
    ----------
    transformed_mean, transformed_sd : ndarray of shape (6,)
        The published models' scaler.
    raw_min, raw_max : ndarray of shape (6,)
        Range in physical units.
    correlation : ndarray of shape (6, 6)
        Pearson correlation of the raw features.
    histograms : list of (edges, counts)
        Histogram of each feature: 101 edges in physical units, 100 counts.
    class_counts : dict of str to int
        Rows of each of the 139 lithologies.
    groups : dict of str to str
        Group of each lithology.
    medians : dict of str to ndarray of shape (6,)
        Raw medians of six lithologies.
    holes : list of (name, rows, shallowest, deepest)
        Rows and depth range (m) of each hole.
    thickness : dict of str to (median, mean)
        Thickness (m) of the described intervals of a lithology.
    typical_thickness : (median, mean)
        The same over all lithologies.
    transitions : dict of (str, str) to int
        How often the second lithology was described below the first.
    lightness : dict of str to float
        Mean L* of a lithology (a reflectance from another instrument: a guide to brightness).
    """

    transformed_mean: NDArray[np.float64]
    transformed_sd: NDArray[np.float64]
    raw_min: NDArray[np.float64]
    raw_max: NDArray[np.float64]
    correlation: NDArray[np.float64]
    histograms: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
    class_counts: dict[str, int]
    groups: dict[str, str]
    medians: dict[str, NDArray[np.float64]]
    holes: list[tuple[str, int, float, float]]
    thickness: dict[str, tuple[float, float]]
    typical_thickness: tuple[float, float]
    transitions: dict[tuple[str, str], int]
    lightness: dict[str, float]

    @classmethod
    @cache
    def load(cls) -> Self:
        """Read the figures that ship with the package."""
        stats = _read("feature_stats")
        histograms = _read("histograms_digitised")
        counts = _read("lithology_class_distribution")
        groups = _read("lithology_groups")
        medians = _read("lithology_medians_published").set_index("principal")
        holes = _read("borehole_sizes")
        thickness = _read("lithology_interval_thickness")
        transitions = _read("lithology_transitions")
        lightness = _read("rsc_L_principal_stats").dropna(subset=["mean"]).sort_values("count").set_index("Principal")
        per_feature = [histograms[histograms["feature"] == name] for name in SHORT_NAMES]
        return cls(
            transformed_mean=stats["transformed_mean"].to_numpy(float),
            transformed_sd=stats["transformed_sd"].to_numpy(float),
            raw_min=stats["digitised_min"].to_numpy(float),
            raw_max=stats["digitised_max"].to_numpy(float),
            correlation=_read("correlation_pearson_raw").iloc[:, 1:].to_numpy(float),
            histograms=[
                (np.append(rows["left"].to_numpy(float), rows["right"].iloc[-1]), rows["approx_count"].to_numpy(float))
                for rows in per_feature
            ],
            class_counts=dict(zip(counts["Lithology"], counts["Count"].astype(int), strict=True)),
            groups=dict(zip(groups["Principal_Lithology"], groups["Lithology_Group"], strict=True)),
            medians={str(name): row.to_numpy(float)[1:] for name, row in medians.iterrows()},
            holes=list(
                zip(
                    holes["borehole"],
                    holes["n_samples"].astype(int),
                    holes["min_depth_m"].astype(float),
                    holes["max_depth_m"].astype(float),
                    strict=True,
                )
            ),
            thickness={
                str(name): (max(float(median), 0.05), float(mean))
                for name, median, mean in zip(thickness["princ"], thickness["median"], thickness["mean"], strict=True)
            },
            typical_thickness=(
                float(np.average(thickness["median"], weights=thickness["count"])),
                float(np.average(thickness["mean"], weights=thickness["count"])),
            ),
            transitions={
                (str(a), str(b)): int(n)
                for a, b, n in zip(transitions["from"], transitions["to"], transitions["n"], strict=True)
            },
            lightness={str(name): float(mean) for name, mean in lightness["mean"].items()},
        )


def _read(name: str) -> pd.DataFrame:
    with resources.as_file(resources.files(__package__) / "published" / f"{name}.csv") as path:
        return pd.read_csv(path)
