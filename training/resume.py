"""The state of an unfinished training run, in a file from which it goes on as if it had never stopped."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from lithovae.runtime.errors import TrainingError
from lithovae.runtime.outputs.whole_file import whole_file

from .recipe import Recipe

EVERY = 5
"""Epochs from one writing of the state to the next."""


def state_path(checkpoint: Path) -> Path:
    """Give the place of a run's state by the checkpoint that it is to become: ``<name>.pt.partial``."""
    return checkpoint.with_name(f"{checkpoint.name}.partial")


class RunState:
    """A file that holds a run's state, and all that can be asked for one: `read` and `write`.

    Parameters
    ----------
    path : Path
        The file.
    recipe : Recipe
        How the run trains.
    supervised : bool
        Whether its model has a lithology head.
    data_digest : str
        Digest of its table.
    """

    def __init__(self, path: Path, recipe: Recipe, *, supervised: bool, data_digest: str) -> None:
        self.path = path
        self._run = {
            "training table": data_digest,
            "kind of model": "semi-supervised" if supervised else "unsupervised",
            "version of torch": str(torch.__version__),
            **{f"recipe's {name}": value for name, value in asdict(recipe).items()},
        }

    def read(self) -> dict[str, Any] | None:
        """Give what `write` was given last; None if there is no file.

        Raises
        ------
        TrainingError
            If the file cannot be read, or is the state of another run: other rows, another recipe, model or torch.
        """
        if not self.path.exists():
            return None
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            run, state = dict(content["run"]), dict(content["state"])
        except Exception as error:  # damaged pickles fail in any way
            raise TrainingError(
                f"{self.path} is not the state of a training run, or is damaged: remove it to start anew", self.path
            ) from error
        differing = [name for name in self._run | run if self._run.get(name) != run.get(name)]
        if differing:
            raise TrainingError(
                f"{self.path} is the state of another training run (it differs in the {', the '.join(differing)}): "
                "repeat that run to finish it, or remove the file to start anew",
                self.path,
            )
        return state

    def write(self, state: dict[str, Any]) -> None:
        """Put a state in the place of the last one; the file is whole at every moment."""
        with whole_file(self.path) as file:
            torch.save({"run": self._run, "state": state}, file)
