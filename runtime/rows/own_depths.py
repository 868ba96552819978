"""Detects depths of a scan's own rows that start again with each section; `Binning` does this for bins."""

from __future__ import annotations

from lithovae.runtime.scan.restart import DepthRanges

from .block import Block


class OwnDepths:
    """Collects the depths of rows, block by block."""

    def __init__(self) -> None:
        self._ranges = DepthRanges()

    def add(self, block: Block) -> None:
        """Add some rows."""
        if block.depths is not None and len(block):
            texts = {part: column[block.starts] for part, column in block.address.items()}
            self._ranges.add(texts, block.starts, block.depths)

    @property
    def note(self) -> str | None:
        """Note for the user if the depths start again; else None."""
        restart = self._ranges.restart()
        return f"{restart}: rows with equal depths are from different places" if restart else None
