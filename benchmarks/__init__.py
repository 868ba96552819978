"""LithoVAE and its peers, measured side by side: ``make bench`` writes ``RESULTS.md``."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before any module here imports onnxruntime
