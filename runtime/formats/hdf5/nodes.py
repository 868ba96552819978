"""What the links of a group lead to, as long as that is in the same file."""

from __future__ import annotations

from typing import Any

import h5py

from lithovae.runtime.errors import DAMAGE

from .limits import Walk, kept_elsewhere, place
from .links import leads_astray


def children(group: Any, walk: Walk) -> dict[str, Any]:
    """Open the groups and datasets of a group. Links within the file are followed; ``walk`` takes what is not."""
    opened = {name: _open(group, name, walk) for name in group}
    return {name: node for name, node in opened.items() if isinstance(node, (h5py.Group, h5py.Dataset))}


def _open(group: Any, name: str, walk: Walk) -> Any:
    where = place(f"{group.name}/{name}")
    try:
        if astray := leads_astray(group, name):
            walk.leave_out(f"{where} {astray}")
            return None
        node = group[name]
        if isinstance(node, h5py.Dataset):
            if elsewhere := kept_elsewhere(node):
                walk.leave_out(f"{where} {elsewhere}")
                return None
            _ = node.shape, node.dtype  # so that a dataset of a type that h5py does not know is found out here
        return node
    except DAMAGE as error:
        walk.leave_out(f"{where} cannot be read: {error}")
        return None


def identity(node: Any) -> tuple[int, int]:
    """Tell two nodes apart, by whatever links they are reached."""
    info = h5py.h5o.get_info(node.id)
    return info.fileno, info.addr
