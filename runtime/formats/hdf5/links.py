"""References out of a file: links, virtual datasets, external storage. They are checked before libhdf5 follows them."""

from __future__ import annotations

import os
from typing import Any

import h5py

from .limits import MAX_HOPS, shortened


def why_not_followed(group: Any, name: str | bytes) -> str | None:
    """Return why a link is not followed (another file, circular, broken, invalid name); None if it can be followed.

    Parameters
    ----------
    group : h5py.Group
        The group of the link. All groups on the path to it are known to be in the file.
    name : str or bytes
        Name of the link; h5py returns bytes if it is not UTF-8.
    """
    if isinstance(name, bytes):
        return "has a name that is not UTF-8: not read"
    raw = name.encode("utf-8", "surrogateescape")
    if b"/" in raw or raw in (b"", b"."):  # as a path it would mean another object
        return "has a name that is not valid in HDF5"
    here, todo, hops = group.id, [raw], 0
    while todo:
        part = todo.pop()
        if part in (b"", b"."):
            continue
        if not isinstance(here, h5py.h5g.GroupID) or not here.links.exists(part):
            return "is a broken link: its target does not exist"
        kind = here.links.get_info(part).type
        if kind == h5py.h5l.TYPE_SOFT:
            hops += 1
            if hops > MAX_HOPS:
                return "is a circular link"
            target = here.links.get_val(part)
            here = h5py.h5g.open(here, b"/") if target.startswith(b"/") else here
            todo += reversed(target.split(b"/"))
        elif kind == h5py.h5l.TYPE_HARD:
            here = h5py.h5o.open(here, part) if todo else here
        else:
            return "is a link to another file: not followed"
    return None


def stored_elsewhere(dataset: Any) -> str | None:
    """Return why the values of a dataset are not in the file; None if they are.

    Call this before asking for its shape, which opens the source files of a virtual dataset that may grow.
    """
    plist = dataset.id.get_create_plist()
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        return "is a virtual dataset: not read; copy its values into an ordinary dataset"
    if plist.get_external_count():
        return f"stores its values in another file, {shortened(os.fsdecode(plist.get_external(0)[0]))}: not read"
    return None


def identity(item: Any) -> tuple[int, int]:
    """Return a key that identifies an object, whichever links it is reached by."""
    info = h5py.h5o.get_info(item.id)
    return info.fileno, info.addr
