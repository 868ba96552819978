"""Embed core scans with a model bundle, without torch.

::

    from lithovae.runtime import LithoModel

    model = LithoModel.load("semisup_hybrid")
    embeddings = model.embed(x)  # x: (n, 6) raw values of model.features, in their units
"""

from typing import TYPE_CHECKING, Any

from .errors import (
    BundleError,
    CheckpointError,
    InputError,
    LithoError,
    LithoWarning,
    OutputError,
    ParityError,
    ScanError,
    TableError,
    TrainingError,
)

if TYPE_CHECKING:
    from .commands.one_scan import embed_scan
    from .model.model import LithoModel
    from .reading import read
    from .settings import Settings

__all__ = [
    "BundleError",
    "CheckpointError",
    "InputError",
    "LithoError",
    "LithoModel",
    "LithoWarning",
    "OutputError",
    "ParityError",
    "ScanError",
    "Settings",
    "TableError",
    "TrainingError",
    "embed_scan",
    "read",
]


def __getattr__(name: str) -> Any:
    # These import numpy and onnxruntime: a caller who only needs `--help` or an error class should not wait for them.
    if name == "LithoModel":
        from .model.model import LithoModel

        return LithoModel
    if name == "embed_scan":
        from .commands.one_scan import embed_scan

        return embed_scan
    if name == "read":
        from .reading import read

        return read
    if name == "Settings":
        from .settings import Settings

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
