from __future__ import annotations

import numpy as np

from benchmarks.sampler import sampled
from lithovae.runtime import LithoModel


def test_time_is_charged_to_the_runtimes_line() -> None:
    model = LithoModel.load("semisup_hybrid", threads=1)
    rows = np.ones((400_000, 6), np.float32)
    found = sampled(lambda: model.embed(rows))
    assert any(place.startswith("graphs.py ") and ".run(" in place for place in found)
    assert 0 < sum(found.values()) <= 1 + 1e-9  # one thread is at one line at a time
