"""``lithovae models``: lists bundles."""

from __future__ import annotations

from typing import Annotated

import typer

from lithovae.runtime.console import clear_errors, new_app, say

app = new_app("List bundles: their features, size and training data.")


@app.command()
@clear_errors()
def models(
    bundles: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BUNDLE...]", help="Names or folders of bundles. Default: all shipped ones.", show_default=False
        ),
    ] = None,
) -> None:
    """List the shipped bundles, or each BUNDLE: embedding, classes, features, what a gap does, size, training data."""
    from lithovae.runtime.model.bundle import SHIPPED, Bundle

    for bundle in map(Bundle.read, bundles or SHIPPED):
        features = ", ".join(bundle.features.short_names.values())
        classes = f", {len(bundle.classes)} lithologies" if bundle.classes else ""
        say(f"{bundle.name}")
        say(f"  embedding   {bundle.latent_dim}-D{classes}")
        gaps = "imputed" if bundle.missing == "impute" else "no embedding for that row"
        say(f"  features    {features}; where one is missing: {gaps}")
        say(f"  size        {bundle.n_bytes / 1000:.0f} kB in {bundle.path}")
        say(f"  trained on  {bundle.trained_on}")
