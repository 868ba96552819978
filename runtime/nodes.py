"""What the links of a group lead to, as long as that is in the same file."""

from __future__ import annotations

from typing import Any

import h5py


def children(group: Any, notes: list[str]) -> dict[str, Any]:
    """Open the groups and datasets of a group. Links within the file are followed; what is not is said in ``notes``."""
    opened = {name: _open(group, name, notes) for name in group}
    return {name: node for name, node in opened.items() if isinstance(node, (h5py.Group, h5py.Dataset))}


def _open(group: Any, name: str, notes: list[str]) -> Any:
    place = f"{group.name}/{name}".lstrip("/")
    try:
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            notes.append(f"{place} is a link to another file: not followed")
            return None
        node = group[name]
        if node.file.id != group.file.id:
            notes.append(f"{place} leads into another file: not followed")
            return None
        if isinstance(node, h5py.Dataset):
            _ = node.shape, node.dtype  # so that a dataset of a type that h5py does not know is found out here
        return node
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        notes.append(f"{place} cannot be read: {error}")
        return None


def identity(node: Any) -> tuple[int, int]:
    """Tell two nodes apart, by whatever links they are reached."""
    info = h5py.h5o.get_info(node.id)
    return info.fileno, info.addr
