"""Without the packages that they need, the commands say which environment has them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
COMMANDS = {
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__main__"): path
    for path in sorted((ROOT / "benchmarks").rglob("*.py"))
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
}
"""The modules of benchmarks/ that are run with ``python -m``, and their files."""
STARTED_BY_OTHERS = {"benchmarks.logger", "benchmarks.worker"}


def run_without_packages(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with its standard library alone."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("module", COMMANDS)
def test_a_missing_package_is_one_line_with_the_command_to_run(module: str) -> None:
    done = run_without_packages("-m", module, "--rounds", "a b")
    place = ".venv/bench" if module == "benchmarks" else ".venv/dev"
    name, _, advice = done.stderr.partition(": ")
    assert done.returncode == 1
    assert name in {f"{module} needs {package}" for package in ("h5py", "lithovae", "numpy", "torch", "typer")}
    assert advice == f"run `make {place}/ready`, then `{place}/bin/python -m {module} --rounds 'a b'`\n"


@pytest.mark.parametrize("module", sorted(COMMANDS.keys() - STARTED_BY_OTHERS))
def test_the_docstring_states_the_command(module: str) -> None:
    place = ".venv/bench" if module == "benchmarks" else ".venv/dev"
    docstring = ast.get_docstring(ast.parse(COMMANDS[module].read_text(encoding="utf-8"))) or ""
    assert f"{place}/bin/python -m {module}" in docstring


@pytest.mark.parametrize("statement", ["raise ValueError('off')", "import benchmarks.no_such_module"])
def test_other_errors_keep_their_traceback(tmp_path: Path, statement: str) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").write_bytes((ROOT / "benchmarks" / "__init__.py").read_bytes())
    (tmp_path / "benchmarks" / "broken.py").write_text(statement)
    done = subprocess.run([sys.executable, "-m", "benchmarks.broken"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert statement in done.stderr
