"""Benchmarks of LithoVAE and its peers; ``make bench`` writes ``RESULTS.md``.

Each command names its environment in its docstring. Where a package that it needs is not installed, it ends with one
line that says how to make and use that environment.
"""

import os
import shlex
import sys
from types import TracebackType

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before any module here imports onnxruntime


def _report_missing_package(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print which environment the command needs, instead of a traceback, if a package is not installed."""
    if not isinstance(error, ModuleNotFoundError) or not error.name or "." in error.name:
        sys.__excepthook__(kind, error, trace)
        return
    module, *arguments = sys.orig_argv[sys.orig_argv.index("-m") + 1 :]
    environment = ".venv/bench" if module == "benchmarks" else ".venv/dev"
    command = shlex.join([f"{environment}/bin/python", "-m", module, *arguments])
    print(f"{module} needs {error.name}: run `make {environment}/ready`, then `{command}`", file=sys.stderr)


if sys.argv[0] == "-m" and "-m" in sys.orig_argv:  # `python -m benchmarks…` imports this package first
    sys.excepthook = _report_missing_package
