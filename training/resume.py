"""The state of an unfinished training run, in a file from which the run resumes as if it had never stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lithovae.runtime.errors import TrainingError
from lithovae.runtime.outputs.whole_file import whole_file

from .recipe import Recipe

EVERY = 5
"""Number of epochs between two writes of the state."""


def state_path(checkpoint: Path) -> Path:
    """Return the path of the state of a run that will write a checkpoint: ``<name>.pt.partial``."""
    return checkpoint.with_name(f"{checkpoint.name}.partial")


class RunState:
    """A file with the state of a run.

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
    start : str
        SHA-256 of the checkpoint that it starts from; empty if there is none.
    """

    def __init__(self, path: Path, recipe: Recipe, *, supervised: bool, data_digest: str, start: str = "") -> None:
        self.path = path
        self._run = {
            "training table": data_digest,
            "kind of model": "semi-supervised" if supervised else "unsupervised",
            "checkpoint to start from": start,
            "version of torch": str(torch.__version__),
            **{f"recipe's {name}": value for name, value in recipe.to_json().items()},
        }

    def read(self) -> dict[str, Any] | None:
        """Return the state that was written last; None if there is no file.

        Raises
        ------
        TrainingError
            If the file cannot be read, or is the state of another run: other rows, recipe, model or torch version.
        """
        if not self.path.exists():
            return None
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            run, state = dict(content["run"]), dict(content["state"])
        except Exception as error:  # a damaged pickle can raise anything
            raise TrainingError(
                f"{self.path} is not the state of a training run, or is damaged: remove it to start again", self.path
            ) from error
        differing = [name for name in self._run | run if self._run.get(name) != run.get(name)]
        if differing:
            raise TrainingError(
                f"{self.path} is the state of another training run (it differs in the {', the '.join(differing)}): "
                "repeat that run to finish it, or remove the file to start again",
                self.path,
            )
        return state

    def write(self, state: dict[str, Any]) -> None:
        """Replace the last state; the file is complete at every moment."""
        with whole_file(self.path) as file:
            torch.save({"run": self._run, "state": state}, file)
