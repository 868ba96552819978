"""A clone has the same bytes on every machine, whatever its git does to line ends."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lithovae.runtime import LithoModel

BUNDLES = ("unsup", "semisup", "unsup_hybrid", "semisup_hybrid")
WINDOWS = ("-c", "core.autocrlf=true", "-c", "core.eol=crlf")
"""What Git for Windows sets at its installation, and the line ends of Windows."""


def git(*arguments: str | Path) -> bytes:
    """Run git and give what it prints."""
    # A git hook that runs the tests sets GIT_DIR and the like, which would lead git to another folder.
    environment = {name: value for name, value in os.environ.items() if not re.match("GIT_(?!CONFIG)", name)}
    return subprocess.run(["git", *arguments], check=True, capture_output=True, env=environment).stdout


@pytest.fixture(scope="module")
def tracked(root: Path) -> dict[str, str]:
    """The files of the commit that is checked out, and the id of each one's content."""
    if not shutil.which("git") or not (root / ".git").exists():
        pytest.skip("needs git, and a checkout that git made")
    try:
        listed = git("-C", root, "ls-tree", "-r", "-z", "HEAD").decode()
    except subprocess.CalledProcessError as error:  # another user's checkout, for one
        pytest.skip(f"git does not read this checkout: {error.stderr.decode().strip()}")
    entries = (entry.partition("\t") for entry in listed.split("\0") if entry)
    return {name: described.split()[2] for described, _, name in entries if described.startswith("100")}  # no links


@pytest.fixture(scope="module")
def clone(root: Path, tracked: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of that commit as Windows makes it."""
    place = tmp_path_factory.mktemp("clones") / "clone"
    git(*WINDOWS, "clone", "--quiet", "--no-local", "--depth=1", root, place)
    return place


def test_every_file_of_a_clone_has_the_bytes_of_the_commit(tracked: dict[str, str], clone: Path) -> None:
    assert {name for name in tracked if blob_id((clone / name).read_bytes(), tracked[name]) != tracked[name]} == set()


def blob_id(content: bytes, like: str) -> str:
    """Give the id of a file's content as git does, with the hash function that made another id."""
    digest = hashlib.sha1 if len(like) == 40 else hashlib.sha256
    return digest(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.mark.parametrize("bundle", BUNDLES)
def test_shipped_bundles_of_a_clone_are_whole(clone: Path, bundle: str) -> None:
    LithoModel.load(clone / "models" / "bundles" / bundle)  # refuses a file that the manifest does not pin
