"""What leads out of a file: links, virtual datasets, external storage. libhdf5 would follow them, so we look first."""

from __future__ import annotations

import os
from typing import Any

import h5py

from .limits import MAX_HOPS, short


def leads_astray(group: Any, name: str | bytes) -> str | None:
    """Tell why a link of a group is not followed: it leads out of the file, in a circle or nowhere. None: it may be.

    Parameters
    ----------
    group : h5py.Group
        Where the link is. Every group on the way there is known to be in the file.
    name : str or bytes
        Its name; h5py gives bytes where it is not UTF-8.
    """
    if isinstance(name, bytes):
        return "has a name that is not UTF-8: not read"
    raw = name.encode("utf-8", "surrogateescape")
    if b"/" in raw or raw in (b"", b"."):  # as a path it would lead to something else
        return "has a name that is not valid in HDF5"
    here, todo, hops = group.id, [raw], 0
    while todo:
        part = todo.pop()
        if part in (b"", b"."):
            continue
        if not isinstance(here, h5py.h5g.GroupID) or not here.links.exists(part):
            return "is a link that leads nowhere"
        kind = here.links.get_info(part).type
        if kind == h5py.h5l.TYPE_SOFT:
            hops += 1
            if hops > MAX_HOPS:
                return "is a link that leads in a circle"
            target = here.links.get_val(part)
            here = h5py.h5g.open(here, b"/") if target.startswith(b"/") else here
            todo += reversed(target.split(b"/"))
        elif kind == h5py.h5l.TYPE_HARD:
            here = h5py.h5o.open(here, part) if todo else here
        else:
            return "is a link to another file: not followed"
    return None


def kept_elsewhere(dataset: Any) -> str | None:
    """Tell why the values of a dataset are not in the file; None where they are.

    To be asked before its shape is: that alone opens the source files of a virtual dataset that may grow.
    """
    plist = dataset.id.get_create_plist()
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        return "is assembled from other datasets (virtual): not read; write its values out into a plain dataset"
    if plist.get_external_count():
        return f"keeps its values in another file, {short(os.fsdecode(plist.get_external(0)[0]))}: not read"
    return None


def identity(item: Any) -> tuple[int, int]:
    """Tell two objects apart, by whatever links they are reached."""
    info = h5py.h5o.get_info(item.id)
    return info.fileno, info.addr
