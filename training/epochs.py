"""Progress of a training run, for the terminal or a log."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.progress import Progress


class EpochReport:
    """A progress bar with the loss on a terminal; a line every ten epochs elsewhere."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self._bar = Progress(console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("training", total=epochs)

    def __enter__(self) -> EpochReport:
        if self._bar.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def __call__(self, epoch: dict[str, float]) -> None:
        """Show an epoch's losses."""
        parts = "  ".join(f"{name} {value:.4g}" for name, value in epoch.items() if name != "epoch")
        self._bar.update(self._task, completed=epoch["epoch"], description=parts)
        if not self._bar.console.is_terminal and (epoch["epoch"] % 10 == 0 or epoch["epoch"] == self.epochs):
            typer.echo(f"epoch {epoch['epoch']:3.0f}  {parts}", err=True)
