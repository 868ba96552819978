"""``lithovae verify``: checks that a bundle gives the right results on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from lithovae.runtime.console import clear_errors, new_app, say

app = new_app("Replay a bundle's golden rows on this machine.")


@app.command(no_args_is_help=True)
@clear_errors()
def verify(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="Name of a shipped bundle, or a folder.", show_default=False)
    ],
) -> None:
    """Replay the golden rows of BUNDLE, to check that it gives the right results on this machine."""
    from lithovae.runtime.model.bundle import Bundle
    from lithovae.runtime.model.verify import require, verify

    read = Bundle.read(bundle)
    checks = verify(read)
    say(f"{'output':28}{'golden rows':>12}{'largest deviation':>19}{'allowed':>9}")
    for check in checks:
        say(f"{check.output:28}{check.n_rows:12}{check.error:19.1e}{check.tolerance:9.1e}")
    require(read, checks)
    say(f"{read.path}: every file matches its SHA-256 in the manifest, and every golden row is reproduced")
