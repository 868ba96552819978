"""torch.compile of the same modules: fixed shapes, weights frozen, threads and batch found by trial."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .eager import Eager
from .peer import Peer, UnavailableError


class Compiled(Eager):
    """Modules compiled by Inductor."""

    batches = (4096, 16_384, 2048, 65_536)
    fixed = True

    def prepared(self, module: nn.Module) -> Callable[..., Any]:
        """Compile again: each shape and number of threads needs its own kernel."""
        return torch.compile(module, dynamic=False, options={"freezing": True})


def make(threads: int, choice: dict[str, Any] | None = None) -> Peer:
    """Find the fastest batch and threads, compiling for each."""
    if not shutil.which("g++"):
        raise UnavailableError("torch.compile needs g++, which is not installed")
    config: Any = importlib.import_module("torch._dynamo.config")
    config.recompile_limit = 64  # one kernel per shape of the trials; beyond the limit, torch falls back to eager
    config.fail_on_recompile_limit_hit = True
    return Compiled(threads, choice)
