"""A core scan and a model bundle in, embeddings out; no torch.

::

    from lithovae.runtime import LithoModel

    model = LithoModel.load("semisup_hybrid")
    embeddings = model.embed(x)  # x: (n, 6) raw features, in physical units
"""

from typing import TYPE_CHECKING, Any

from .errors import (
    BundleError,
    CheckpointError,
    InputError,
    LithoError,
    OutputError,
    ParityError,
    ScanError,
    TableError,
    TrainingError,
)

if TYPE_CHECKING:
    from .commands.one_scan import embed_scan
    from .model.model import LithoModel

__all__ = [
    "BundleError",
    "CheckpointError",
    "InputError",
    "LithoError",
    "LithoModel",
    "OutputError",
    "ParityError",
    "ScanError",
    "TableError",
    "TrainingError",
    "embed_scan",
]


def __getattr__(name: str) -> Any:
    # These bring numpy and onnxruntime with them: a caller who only wants `--help` or an error should not wait.
    if name == "LithoModel":
        from .model.model import LithoModel

        return LithoModel
    if name == "embed_scan":
        from .commands.one_scan import embed_scan

        return embed_scan
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
