"""One process per peer: peers share no threads or memory, and all others wait while one is measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .peers import LABELS, UnavailableError, make_peer

ROOT = Path(__file__).parent.parent


class Worker:
    """A peer (or ``floors``) in its own process, which carries out commands and waits for the next.

    Raises
    ------
    UnavailableError
        If the peer cannot run here.
    """

    def __init__(self, name: str, threads: int, folder: Path, trial_seconds: float = 40) -> None:
        self.label = LABELS.get(name, name)
        environment = environment_of(name, folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name, str(threads), str(trial_seconds)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / f"{name}.log").open("w"),
            text=True,
            start_new_session=True,  # Ctrl-C is for the parent only
        )
        self._log = folder / f"{name}.log"
        try:
            self._answer()
        except UnavailableError:
            self.close()
            raise

    def ask(self, what: str, /, **arguments: Any) -> Any:
        """Send a command and return its answer.

        Raises
        ------
        UnavailableError
            If the command fails; the message says why.
        """
        assert self._process.stdin
        try:
            print(json.dumps([what, arguments]), file=self._process.stdin, flush=True)
        except BrokenPipeError as error:
            raise UnavailableError(f"{self.label} has ended") from error
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
            raise UnavailableError(f"{self.label} failed with status {self._process.wait()} {' '.join(last)}".strip())
        answer = json.loads(line)
        if "why" in answer:
            raise UnavailableError(answer["why"])
        return answer["is"]

    def close(self) -> None:
        """Terminate the process."""
        self._process.terminate()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        self._process.wait()


def environment_of(name: str, folder: Path) -> dict[str, str]:
    """Return the environment of a peer's process: no inherited thread counts, no telemetry, caches in the folder."""
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    environment |= {"ORT_DISABLE_TELEMETRY": "1", "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")}
    if name == "by_hand":
        environment["OPENBLAS_NUM_THREADS"] = "1"  # its own threads share the rows
    return environment


def main(name: str, threads: int, trial_seconds: float) -> None:
    """Carry out the commands on standard input, one per line, until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keep what libraries print out of the answers

    def answer(**what: Any) -> None:
        print(json.dumps(what), file=answers, flush=True)

    try:
        from .floors import Floors
        from .peers import batches
        from .timed import Timed

        batches.TRIAL_SECONDS = trial_seconds

        does: Any = Floors(threads) if name == "floors" else Timed(make_peer(name, threads))
    except Exception as error:  # the report shows it in the peer's row
        answer(why=_reason(error))
        return
    answer(**{"is": "ready"})
    for line in sys.stdin:
        what, arguments = json.loads(line)
        try:
            answer(**{"is": getattr(does, what)(**arguments)})
        except Exception as error:
            answer(why=_reason(error))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    return text if isinstance(error, UnavailableError) else f"{type(error).__name__}: {text}"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
