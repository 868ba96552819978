"""The command ``lithovae``. Each verb has a module of its own, which is imported only when the verb is used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

from .console import prepare_streams, run_guarded


class Verb(NamedTuple):
    """A command: the module whose ``app`` it is, and whether it runs in a guarded process."""

    module: str
    is_guarded: bool = True


VERBS: Mapping[str, Verb] = {
    "run": Verb("lithovae.runtime.commands.run"),
    "inspect": Verb("lithovae.runtime.commands.inspect"),
    "bins": Verb("lithovae.runtime.commands.bins"),
    "follow": Verb("lithovae.runtime.commands.follow"),
    "pack": Verb("lithovae.runtime.commands.pack"),
    "verify": Verb("lithovae.runtime.commands.verify"),
    "models": Verb("lithovae.runtime.commands.models"),
    "doctor": Verb("lithovae.runtime.commands.doctor", is_guarded=False),
    "export": Verb("lithovae.export.cli", is_guarded=False),
    "train": Verb("lithovae.training.cli", is_guarded=False),
}
"""The commands, in the order of ``--help``. To add one, add its module and an entry here."""


class Verbs(TyperGroup):
    """A group whose commands are those of `VERBS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the verbs."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a verb's module and return its command; None for an unknown verb."""
        if cmd_name not in VERBS:
            return None
        command = get_command(importlib.import_module(VERBS[cmd_name].module).app)
        command.name = cmd_name
        return command


app = typer.Typer(cls=Verbs, no_args_is_help=True, pretty_exceptions_enable=False)


def show_versions(wanted: bool) -> None:
    """Print the versions of LithoVAE, ONNX Runtime and HDF5, and exit."""
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    from .formats.hdf5.file import HDF5_VERSION

    try:
        onnxruntime = version("onnxruntime")
    except PackageNotFoundError:  # a build under another name, such as onnxruntime-gpu
        from .model.session import ORT_VERSION

        onnxruntime = ORT_VERSION
    typer.echo(f"lithovae {version('lithovae')}, ONNX Runtime {onnxruntime}, HDF5 {HDF5_VERSION}")
    raise typer.Exit()


@app.callback()
def lithovae(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show versions and exit.", callback=show_versions, is_eager=True),
    ] = False,
) -> None:
    """Turn core-logging scans into embeddings and lithologies, without torch."""


def main() -> None:
    """Run ``lithovae``."""
    verb = VERBS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if verb and not verb.is_guarded:  # they read no scan: two compute for minutes, one tries what may crash
        prepare_streams()
        app()
    run_guarded(app)


def run() -> None:
    """Run ``lithovae-run``, the short name of ``lithovae run``."""
    from .commands.run import app

    run_guarded(app)
