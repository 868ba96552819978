"""Logs and texts that a report must survive."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lithovae.runtime.features import LILY
from lithovae.runtime.log import Log

from .material import log_of, many_features, simulated_log

HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "'; document.title='owned'; //",
    "<!-- <script> ]]> [[data]] &lt;b&gt; \u2028",
    "🪨 שלום ‮abc‬ سلام $x^2$ \\frac",
)


def odd_logs() -> dict[str, Log]:
    """Return logs that lack something, or have too much of it, by what is odd."""
    nothing = simulated_log(0, intervals=(), faults=(), drift=())
    plain = simulated_log(60)
    none: dict[str, Any] = {"lithologies": None, "probabilities": None, "classes": (), "groups": (), "intervals": ()}
    nan = replace(plain, values=np.full_like(plain.values, np.nan), embeddings=np.full_like(plain.embeddings, np.nan))
    nan = replace(
        nan,
        missing=np.full_like(plain.missing, 63),
        lithologies=np.full((60, 3), -1),
        novelty_p=np.full(60, np.nan, np.float32),
    )
    assert nan.probabilities is not None
    nan = replace(nan, probabilities=np.full_like(nan.probabilities, np.nan))
    return {
        "empty": nothing,
        "one row": replace(simulated_log(1), intervals=()),
        "all NaN": nan,
        "no lithologies": replace(plain, **none),
        "no novelty": replace(plain, novelty_p=None, flags=None, residuals=None),
        "nothing computed": log_of("values", LILY, plain.values, plain.depth),
        "no depth": replace(plain, depth=np.arange(60.0), has_depth=False, intervals=(), faults=()),
        "one depth": replace(plain, depth=np.full(60, 3.0), intervals=()),
        "negative depths": replace(plain, depth=plain.depth - 500, intervals=()),
        "no intervals": replace(plain, intervals=()),
        "two values": replace(plain, values=np.where(plain.values > 50, 1e30, -1e-30).astype(np.float32)),
        "constant": replace(plain, values=np.ones_like(plain.values)),
        "64 features": simulated_log(60, many_features(64)),
        "one latent value": replace(plain, embeddings=plain.embeddings[:, :1]),
    }
