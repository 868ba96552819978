"""Faults that a file passed to ``lithovae-run`` may have, and the message for each.

A fault is a function that writes the file to a given path. Its decorator states words of the expected error message;
or, if the fault does not affect what is read, words of the output of a run that succeeds.
"""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.runtime.checksums import repair_checksums

RED = np.linspace(0, 250, 1000, dtype=np.float32).round()
"""Values of R in every file whose R can be read."""
MANY = 10**15
LIBVERS = {"earliest": "earliest", "latest": "v110"}
"""Versions of the file format: the first has almost no checksums, the second has them in all its metadata."""


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes
    ----------
    make : callable
        Writes the file.
    words : str
        Words of the message.
    reads : bool
        Whether the run succeeds, with R unchanged.
    """

    make: Callable[[Path], None]
    words: str
    reads: bool


FAULTS: dict[str, Fault] = {}


def fault(words: str, *, reads: bool = False) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    def register(make: Callable[[Path], None]) -> Callable[[Path], None]:
        FAULTS[make.__name__] = Fault(make, words, reads)
        return make

    return register


def write(path: Path, libver: str = "earliest", /, **datasets: Any) -> None:
    """Write datasets; a dict is passed to create_dataset as arguments."""
    with h5py.File(path, "w", libver=(LIBVERS[libver], "v110")) as file:
        for name, values in datasets.items():
            if isinstance(values, dict):
                file.create_dataset(name, **values)
            else:
                file[name] = values


def patch(path: Path, *changes: tuple[bytes, bytes], repair: bool = False) -> None:
    """Replace bytes by others of the same length; ``repair`` recomputes the checksums."""
    data = bytearray(path.read_bytes())
    for old, new in changes:
        assert len(old) == len(new)
        assert old in data, old
        data = data.replace(old, new)
    if repair:
        repair_checksums(data)
    path.write_bytes(data)


def patch_at(path: Path, offset: int, new: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(new)


def bait(path: Path) -> str:
    """Create a pipe that nothing writes to: opening it blocks for ever."""
    os.mkfifo(path.parent / "bait")
    return "bait"


# Not an HDF5 file at all


@fault("no such file")
def no_such_file(path: Path) -> None:
    pass


@fault("is not an HDF5 file")
def empty_file(path: Path) -> None:
    path.write_bytes(b"")


@fault("is text, but not a table of numbers")
def text_file(path: Path) -> None:
    path.write_text("The core was logged on Monday, with the loop sensor.\nIt broke on Tuesday.\n", encoding="utf-8")


@fault("is not an HDF5 file")
def zip_file(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("scan.csv", "R\n1\n")


@fault("is not an HDF5 file")
def gzipped_scan(path: Path) -> None:
    write(path, R=RED)
    path.write_bytes(gzip.compress(path.read_bytes()))


@fault("is a folder")
def folder(path: Path) -> None:
    path.mkdir()


@fault("is a device, a pipe or a socket")
def named_pipe(path: Path) -> None:
    os.mkfifo(path)


@fault("is a device, a pipe or a socket")
def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@fault("is a device, a pipe or a socket")
def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's name must be short
        try:
            unix.bind(path.name)
        finally:
            os.chdir(here)


@fault("cannot be opened: Too many levels of symbolic links")
def symbolic_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@fault("no such file")
def symbolic_link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


@fault("cannot be opened: Permission denied")
def unreadable(path: Path) -> None:
    write(path, R=RED)
    path.chmod(0)


# A file whose superblock or length is wrong


@fault("cannot be opened; it is truncated, damaged or still being written")
def signature_alone(path: Path) -> None:
    path.write_bytes(b"\x89HDF\r\n\x1a\n")


@fault("cannot be opened; it is truncated, damaged or still being written")
def cut_in_the_superblock(path: Path) -> None:
    write(path, R=RED)
    os.truncate(path, 40)


@fault("cannot be opened; it is truncated, damaged or still being written")
def cut_in_half(path: Path) -> None:
    write(path, R=RED)
    os.truncate(path, path.stat().st_size // 2)


@fault("cannot be opened; it is truncated, damaged or still being written")
def cut_by_a_byte(path: Path) -> None:
    write(path, R=RED)
    os.truncate(path, path.stat().st_size - 1)


@fault("cannot be opened; it is truncated, damaged or still being written")
def superblock_of_version_99(path: Path) -> None:
    write(path, R=RED)
    patch_at(path, 8, b"\x63")


@fault("cannot be opened; it is truncated, damaged or still being written")
def superblock_with_a_wrong_checksum(path: Path) -> None:
    write(path, "latest", R=RED)
    patch_at(path, 30, b"\xff")


@fault("the file is damaged and its contents cannot be read")
def root_beyond_the_end(path: Path) -> None:
    write(path, "latest", R=RED)
    data = bytearray(path.read_bytes())
    data[36:44] = (1 << 40).to_bytes(8, "little")
    repair_checksums(data)
    path.write_bytes(data)


@fault("h5clear")
def left_open_by_a_killed_writer(path: Path) -> None:
    with h5py.File(path.with_name("writing.h5"), "w", libver="latest") as file:
        file.create_dataset("R", data=RED, maxshape=(None,))
        file.swmr_mode = True
        file.flush()
        shutil.copyfile(file.filename, path)
    path.with_name("writing.h5").unlink()


@fault("cannot be opened")
def first_member_of_a_family(path: Path) -> None:
    with h5py.File(path.parent / "part%d.h5", "w", driver="family", memb_size=1 << 12) as file:
        file["R"] = RED
    (path.parent / "part0.h5").rename(path)
    for part in path.parent.glob("part*"):
        part.unlink()


@fault("cannot be opened")
def one_half_of_a_split_file(path: Path) -> None:
    with h5py.File(path.parent / "scan", "w", driver="split") as file:
        file["R"] = RED
    (path.parent / "scan-m.h5").rename(path)
    (path.parent / "scan-r.h5").unlink()


@fault("rows   1,000", reads=True)
def block_of_junk_before_the_file(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["R"] = RED
    patch_at(path, 0, bytes(range(256)) * 4)


# References out of the file


@fault("R is a link to another file: not followed")
def external_link(path: Path) -> None:
    write(path, R=h5py.ExternalLink(bait(path), "R"))


@fault("R is a link to another file: not followed")
def external_link_to_a_secret(path: Path) -> None:
    write(path, R=h5py.ExternalLink("/etc/passwd", "R"))


@fault("R is a link to another file: not followed")
def soft_link_through_an_external_one(path: Path) -> None:
    write(path, out=h5py.ExternalLink(bait(path), "/"), R=h5py.SoftLink("/out/R"))


@fault("1,000 unchanged", reads=True)
def external_link_beside_a_good_column(path: Path) -> None:
    write(path, R=RED, G=h5py.ExternalLink(bait(path), "G"))


@fault("R is a circular link")
def soft_link_to_itself(path: Path) -> None:
    write(path, R=h5py.SoftLink("/R"))


@fault("G is a circular link")
def soft_links_in_a_circle(path: Path) -> None:
    write(path, a=h5py.SoftLink("/b"), b=h5py.SoftLink("/a"), G=h5py.SoftLink("a/b/R"))


@fault("R is a broken link: its target does not exist")
def soft_link_to_nowhere(path: Path) -> None:
    write(path, R=h5py.SoftLink("/no/where"))


@fault("R is a broken link: its target does not exist")
def soft_link_upwards(path: Path) -> None:
    write(path, R=h5py.SoftLink("../../../etc/passwd"))


@fault("R is a link to another file: not followed")
def link_of_an_unknown_class(path: Path) -> None:
    write(path, "latest", R=h5py.SoftLink("/nowhere"))
    patch(path, (b"\x08\x01\x01R", b"\x08\xc8\x01R"), repair=True)  # a link message of class 200, named R


@fault("R stores its values in another file, bait: not read")
def external_storage(path: Path) -> None:
    write(path, R={"shape": (1000,), "dtype": "f4", "external": [(bait(path), 0, 4000)]})


@fault("R stores its values in another file, /etc/passwd: not read")
def external_storage_of_a_secret(path: Path) -> None:
    write(path, R={"shape": (1000,), "dtype": "u1", "external": [("/etc/passwd", 0, 1000)]})


@fault("R is a virtual dataset: not read")
def virtual_dataset(path: Path) -> None:
    layout = h5py.VirtualLayout((1000,), "f4")
    layout[:] = h5py.VirtualSource(bait(path), "R", (1000,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("R", layout)


@fault("R is a virtual dataset: not read")
def virtual_dataset_that_grows_with_its_source(path: Path) -> None:  # asking for its shape opens the source
    space, plist = endless_space(), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_virtual(space, bait(path).encode(), b"R", space)
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"R", h5py.h5t.IEEE_F32LE, endless_space(), plist)


def endless_space() -> Any:
    space = h5py.h5s.create_simple((0,), (h5py.h5s.UNLIMITED,))
    space.select_hyperslab((0,), (1,), (1,), (h5py.h5s.UNLIMITED,))
    return space


@fault("R is a virtual dataset: not read")
def virtual_dataset_of_itself(path: Path) -> None:
    layout = h5py.VirtualLayout((1000,), "f4")
    layout[:] = h5py.VirtualSource(".", "R", (1000,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("R", layout)


# Too much of something


@fault("rows   1,000", reads=True)
def groups_in_a_circle(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["R"] = RED
        file["a/b/c"] = file["/"]
        file["a/b/d"] = file["a"]


@fault("is nested more than 32 groups deep")
def groups_nested_2000_deep(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        group = file.id
        for _ in range(2000):
            group = h5py.h5g.create(group, b"g")


@fault("has more than 50,000 objects")
def hundred_thousand_links(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        target = file.create_group("g").id
        for i in range(100_000):
            target.links.create_soft(b"%d" % i, b"/nowhere")


@fault("has more than 100,000 columns")
def hundred_thousand_columns(path: Path) -> None:
    row = np.dtype([(f"{i}", "u1") for i in range(2000)])
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("table", (3,), row)
        for i in range(50):
            file[f"table{i}"] = file["table"]


@fault("R has 5,000 attributes, more than 4,096")
def attributes_by_the_thousand(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        file["R"] = RED
        space = h5py.h5s.create(h5py.h5s.SCALAR)
        for i in range(5000):
            h5py.h5a.create(file["R"].id, b"%d" % i, h5py.h5t.STD_U8LE, space)


@fault("attribute units of R cannot be read: it has 2,000,000 bytes")
def attribute_of_two_megabytes(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        file["R"] = RED
        file["R"].attrs["units"] = np.zeros(2_000_000, "u1")


@fault(f"R declares {MANY:,} rows, but stores only 0 bytes")
def rows_without_end(path: Path) -> None:
    write(path, R={"shape": (MANY,), "dtype": "f4"})


@fault(f"R declares {MANY:,} rows, but stores only 0 bytes")
def rows_without_end_in_chunks(path: Path) -> None:
    write(path, R={"shape": (MANY,), "dtype": "f4", "chunks": (1 << 16,)})


@fault(f"R declares {MANY:,} rows, but stores only 2")
def rows_without_end_of_which_some_are_written(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("R", (MANY,), "f4", chunks=(1 << 16,))[:1000] = RED


@fault("R cannot be read")
def contiguous_rows_beyond_the_end(path: Path) -> None:
    write(path, R=RED)
    patch(path, ((1000).to_bytes(8, "little"), MANY.to_bytes(8, "little")))
    patch(path, ((4000).to_bytes(8, "little"), (4 * MANY).to_bytes(8, "little")))


@fault("most were never written")
def bomb_of_two_deflates(path: Path) -> None:
    rows = 1 << 22
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((rows,))
        plist.set_deflate(9)
        plist.set_deflate(9)
        space = h5py.h5s.create_simple((100 * rows,))
        dataset = h5py.h5d.create(file.id, b"R", h5py.h5t.IEEE_F32LE, space, plist)
        chunk = zlib.compress(zlib.compress(bytes(4 * rows), 9), 9)
        for i in range(100):
            dataset.write_direct_chunk((i * rows,), chunk)


@fault("is stored in chunks of 2,147,483,648 bytes")
def chunks_of_gigabytes(path: Path) -> None:
    write(path, R={"shape": (3,), "maxshape": (None,), "dtype": "f8", "chunks": (1 << 28,)})


@fault("is stored in 16,000,000 chunks")
def chunks_of_one_value(path: Path) -> None:
    write(path, R={"shape": (16_000_000,), "dtype": "f4", "chunks": (1,)})


@fault("a row of t has 2,000,000,004 bytes")
def rows_of_gigabytes(path: Path) -> None:
    write(path, t={"shape": (3,), "dtype": [("R", "f4"), ("rest", "V2000000000")]})


@fault("unused hole", reads=True)
def text_of_a_gigabyte(path: Path) -> None:
    write(path, R=RED, hole={"shape": (1000,), "dtype": "S1000000000"})


@fault("cannot be read")
def stream_that_inflates_without_end(path: Path) -> None:
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("R", (1000,), "f4", chunks=(1000,), compression="gzip")
        packer = zlib.compressobj(9)
        first, again = (packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
        dataset.id.write_direct_chunk((0,), first + again * 200)  # 3 GB in 3 MB


# Not columns of numbers


@fault("the file contains no data columns")
def nothing_in_it(path: Path) -> None:
    write(path)


@fault("the file contains no data columns")
def scalar(path: Path) -> None:
    write(path, R=1.0)


@fault("the file contains no data columns")
def null_dataset(path: Path) -> None:
    write(path, R=h5py.Empty("f4"))


@fault("the file contains no data columns")
def thirty_two_dimensions(path: Path) -> None:
    write(path, R=np.ones((1,) * 32))


@fault("the columns of the features have no rows")
def no_rows(path: Path) -> None:
    write(path, R=np.empty(0))


@fault("the file contains no data columns")
def committed_datatype(path: Path) -> None:
    write(path, R=np.dtype("f4"))


@fault("holds text, not numbers")
def text_instead_of_numbers(path: Path) -> None:
    write(path, R=[b"red"] * 3)


@fault("column R matches feature R by name but holds object, not numbers")
def lists_of_varying_length(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("R", (3,), h5py.vlen_dtype("f4"))[0] = RED


@fault("column R matches feature R by name but holds references, not numbers")
def object_references(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["R"] = np.array([file.ref] * 3, h5py.ref_dtype)


@fault("column R matches feature R by name but holds references, not numbers")
def region_references(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = np.ones(3)
        file.create_dataset("R", (3,), h5py.regionref_dtype)[0] = file["x"].regionref[:2]
        del file["x"]


@fault("column R matches feature R by name but holds V8, not numbers")
def opaque_bytes(path: Path) -> None:
    write(path, R=np.zeros(3, "V8"))


@fault("column R matches feature R by name but holds complex128, not numbers")
def complex_numbers(path: Path) -> None:
    write(path, R=np.ones(3, "c16"))


@fault("column R matches feature R by name but holds arrays, not numbers")
def small_arrays(path: Path) -> None:
    write(path, R={"shape": (3,), "dtype": np.dtype(("f4", (3,)))})


@fault("could be any of")
def two_columns_of_one_name(path: Path) -> None:
    write(path, data=np.ones((4, 2)))
    with h5py.File(path, "a") as file:
        file["data"].attrs["columns"] = ["R", "R"]


@fault("attribute scale_factor of R is 'two', not a number")
def packed_by_text(path: Path) -> None:
    write(path, R=RED)
    with h5py.File(path, "a") as file:
        file["R"].attrs["scale_factor"] = "two"


@fault("no sample has both a depth and a value")
def depths_of_nan(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for group, name in (("a", "R"), ("b", "G")):
            file[f"{group}/{name}"] = np.ones(3)
            file[f"{group}/depth"] = np.full(3, np.nan)


@fault("G, B are missing in all 1,000 rows", reads=True)
def nothing_but_nan(path: Path) -> None:
    write(path, R=RED, G=np.full(1000, np.nan))


@fault("G, B are missing in all 1,000 rows", reads=True)
def nothing_but_infinity(path: Path) -> None:
    write(path, R=RED, G=np.full(1000, np.inf))


# Names


@fault(r"R is a link to another file")
def name_of_control_characters(path: Path) -> None:
    write(path, "earliest", **{"\x1b[2J\x07\n\r\tR": RED[:0], "R": h5py.ExternalLink("\x1b[31m", "\n")})


@fault(r"looks like R, but its unit '\x1b]0;owned\x07\nerror:' is not")
def unit_that_a_terminal_would_obey(path: Path) -> None:
    write(path, R=RED)
    with h5py.File(path, "a") as file:
        file["R"].attrs["units"] = "\x1b]0;owned\x07\nerror: "


@fault(r"none of the features is among its columns (R\x1b[31m error: all is well")
def name_that_forges_a_message(path: Path) -> None:
    write(path, "earliest", **{"R\x1b[31m\nerror: all is well": RED})


@fault("…")
def name_of_ten_thousand_letters(path: Path) -> None:
    write(path, "latest", **{"x" * 10_000: RED})


@fault("has a name that is not UTF-8")
def name_that_is_not_utf_8(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset(b"\xff\xfe", data=RED)


@fault("none of the features is among its columns (..")
def name_of_dots(path: Path) -> None:
    write(path, "earliest", **{"..": RED})


@fault("has a name that is not valid in HDF5")
def name_that_is_a_path(path: Path) -> None:
    write(path, "latest", out=h5py.ExternalLink(bait(path), "/"), **{"out_R": RED})
    patch(path, (b"\x05out_R", b"\x05out/R"), repair=True)


@fault("has a name that is not valid in HDF5")
def name_that_is_empty(path: Path) -> None:
    write(path, "latest", R=RED)
    patch(path, (b"\x01\x00\x01R", b"\x01\x00\x01\x00"), repair=True)


# Damage to stored values, or to the metadata that locate them


def damage_chunk(path: Path, **options: Any) -> None:
    write(path, R={"data": RED, "chunks": (1000,), **options})
    with h5py.File(path) as file:
        chunk = file["R"].id.get_chunk_info(0)
    patch_at(path, chunk.byte_offset + chunk.size // 2, b"\xff\x00\xff\x00")


@fault("cannot be read (damaged file)")
def damaged_gzip_stream(path: Path) -> None:
    damage_chunk(path, compression="gzip")


@fault("cannot be read (damaged file)")
def damaged_lzf_stream(path: Path) -> None:
    write(path, R={"data": RED.round(-2), "chunks": (1000,), "compression": "lzf"})
    with h5py.File(path) as file:
        chunk = file["R"].id.get_chunk_info(0)
    patch_at(path, chunk.byte_offset, b"\xff" * chunk.size)


@fault("cannot be read (damaged file)")
def wrong_fletcher32(path: Path) -> None:
    damage_chunk(path, fletcher32=True)


@fault("is compressed with filter 32767 (deflate), which neither HDF5 nor hdf5plugin can read")
def unknown_filter(path: Path) -> None:
    write(path, R={"data": RED, "chunks": (1000,), "compression": "gzip"})
    patch(path, (b"\x01\x00\x08\x00\x01\x00\x01\x00deflate\x00", b"\xff\x7f\x08\x00\x01\x00\x01\x00deflate\x00"))


@fault("cannot be read (damaged file)")
def chunk_beyond_the_end(path: Path) -> None:
    write(path, R={"data": RED, "chunks": (1000,)})
    with h5py.File(path) as file:
        address = file["R"].id.get_chunk_info(0).byte_offset
    patch(path, (address.to_bytes(8, "little"), (1 << 40).to_bytes(8, "little")))


@fault("R cannot be read")
def contiguous_values_beyond_the_end(path: Path) -> None:
    write(path, R=RED)
    with h5py.File(path) as file:
        address = file["R"].id.get_offset().to_bytes(8, "little") + (4000).to_bytes(8, "little")
    patch(path, (address, (1 << 40).to_bytes(8, "little") + address[8:]))


@fault("R cannot be read")
def damaged_object_header(path: Path) -> None:
    write(path, "latest", R=RED)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"OHDR") + 40] ^= 255
    path.write_bytes(data)


@fault("its contents cannot be read")
def damaged_list_of_links(path: Path) -> None:
    write(path, R=RED)
    patch(path, (b"SNOD", b"XXXX"))


@fault("its contents cannot be read")
def damaged_heap_of_names(path: Path) -> None:
    write(path, R=RED)
    patch(path, (b"HEAP", b"XXXX"))


@fault("its contents cannot be read")
def damaged_tree_of_a_large_group(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        for i in range(100):
            file.create_group(f"g{i}")
    patch(path, (b"BTHD", b"XXXX"))


@fault("wrong B-tree signature")
def damaged_tree_of_chunks(path: Path) -> None:
    write(path, R={"data": RED, "chunks": (10,)})
    data = path.read_bytes()
    with h5py.File(path) as file:
        first = file["R"].id.get_chunk_info(0).byte_offset
    tree = data.index(first.to_bytes(8, "little"))
    patch_at(path, data.rindex(b"TREE", 0, tree), b"XXXX")


@fault("attribute units of R cannot be read")
def attribute_in_a_damaged_heap(path: Path) -> None:
    write(path, R=RED)
    with h5py.File(path, "a") as file:
        file["R"].attrs["units"] = "0-255"  # of variable length: stored in a heap
    patch(path, (b"GCOL", b"XXXX"))


@fault("cannot be read (damaged file)")
def texts_in_a_damaged_heap(path: Path) -> None:
    write(path, R=RED, hole={"data": ["A"] * 1000, "dtype": h5py.string_dtype()})
    patch(path, (b"GCOL", b"XXXX"))


@fault("memory allocation failed")
def texts_that_are_all_one_megabyte(path: Path) -> None:
    write(path, R=np.ones(20_000), hole={"data": ["x" * 1_000_000], "maxshape": (None,), "dtype": h5py.string_dtype()})
    with h5py.File(path, "a") as file:
        file["hole"].resize((20_000,))
        reference = file["hole"].id
        chunk = bytes(reference.read_direct_chunk((0,))[1])[:16]
        rows = file["hole"].chunks[0]
        for start in range(0, 20_000, rows):
            reference.write_direct_chunk((start,), chunk * rows)


# Faults that crash or hang libhdf5


@fault("of CPU time (SIGXCPU) on this file")
def heap_that_goes_in_circles(path: Path) -> None:
    write(path, R=RED)
    with h5py.File(path, "a") as file:
        file["R"].attrs["units"] = "0-255"
    first = path.read_bytes().index(b"GCOL") + 16
    patch_at(path, first, bytes(16))  # an object of length 0: the next one starts at the same address


@fault("crashed (SIG")
def chunk_smaller_than_its_checksum(path: Path) -> None:
    write(path, R={"data": RED, "chunks": (1000,), "fletcher32": True})
    with h5py.File(path) as file:
        address = file["R"].id.get_chunk_info(0).byte_offset
    entry = path.read_bytes().index(address.to_bytes(8, "little")) - 24  # length, filter mask, two offsets
    patch_at(path, entry, (2).to_bytes(4, "little"))


def as_table() -> str:
    """Return the faults as the Markdown table of ``docs/hostile-files.md``."""
    rows = [
        f"| {name.replace('_', ' ')} | {'reads R; ' * fault.reads}{fault.words.replace('|', '')} |"
        for name, fault in FAULTS.items()
    ]
    return "\n".join(["| fault | message |", "|---|---|", *rows])


if __name__ == "__main__":
    print(as_table())
