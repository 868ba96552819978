"""C source of an encoder: the same embeddings on a machine without ONNX Runtime."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from lithovae.export import c_text
from lithovae.export.c_library import COMPILERS, CLibrary
from lithovae.export.c_source import write_c
from lithovae.export.cli import app
from lithovae.export.fold import FoldedVAE, fold
from lithovae.export.parity import Parity
from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import VAE
from lithovae.runtime import LithoModel
from lithovae.runtime.errors import OutputError, ParityError
from lithovae.runtime.features import LILY
from lithovae.runtime.missing import SENTINELS
from lithovae.training.recipe import MODELS

from .worn import worn

COMPILER = next((path for name in COMPILERS if (path := shutil.which(name))), "")
STRICT = [
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-pedantic",
    "-Werror",
    "-Wconversion",
    "-Wshadow",
    "-Wdouble-promotion",
    "-Wundef",
]
pytestmark = pytest.mark.skipif(not COMPILER, reason="no C compiler on the PATH")


@pytest.fixture(scope="module")
def shipped(root: Path) -> dict[str, Checkpoint]:
    """The four shipped checkpoints."""
    return {name: Checkpoint.load(root / "models" / plan.checkpoint) for name, plan in MODELS.items()}


@pytest.fixture(scope="module")
def written(
    shipped: dict[str, Checkpoint], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, list[Parity]]]:
    """Their C source, and the results of its parity check."""
    folder = tmp_path_factory.mktemp("c")
    paths = {name: folder / f"{name}.c" for name in shipped}
    return {name: (path, write_c(shipped[name], path)) for name, path in paths.items()}


Written = dict[str, tuple[Path, list[Parity]]]


@pytest.fixture
def hybrid(written: Written) -> Path:
    return written["semisup_hybrid"][0]


def build(source: Path, folder: Path, *flags: str) -> Path:
    """Compile a source's own program."""
    program = folder / "embed"
    subprocess.run([COMPILER, *flags, "-DLITHOVAE_MAIN", str(source), "-o", str(program), "-lm"], check=True)
    return program


def run(program: Path, rows: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], input=rows, capture_output=True, text=True, check=False)


def load(source: Path, folder: Path) -> CLibrary:
    text = source.read_text(encoding="ascii")
    found = re.search(r"#define LITHOVAE_LATENT_DIM (\d+)", text)
    assert found
    return CLibrary(text, LILY, int(found[1]), folder)


def awkward(features: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rows with values that count as missing, and numbers close to them that do not."""
    rows = features.astype(np.float32)
    sentinels = np.array(SENTINELS, np.float32)
    bad = np.concatenate([sentinels, np.array([np.nan, np.inf, -np.inf], np.float32)])
    near = np.concatenate([np.nextafter(sentinels, np.float32(to)) for to in (0, -np.inf)])
    rng = np.random.default_rng(3)
    rows[:600] = np.where(rng.random((600, 6)) < 0.3, rng.choice(bad, (600, 6)), rows[:600])
    rows[600 : 600 + len(near), 1] = rows[620 : 620 + len(near), 2] = near
    rows[640:646, 3:] = np.array([[-1], [np.nextafter(-1, 0)], [-0.5], [-7], [0], [-0.0]])
    rows[646:650] = np.array([[-999], [np.nan], [-np.inf], [-9999]])
    return rows


@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_models_pass_the_gate(written: Written, name: str) -> None:
    path, results = written[name]
    assert {result.rows for result in results} == {"plausible", "uniform", "extreme", "gaps", "sentinels"}
    assert all(result.output == "encoder.mu" and result.passed for result in results)
    assert path.stat().st_size < 100_000


@pytest.mark.parametrize("name", MODELS)
def test_says_what_the_bundle_says(written: Written, tmp_path: Path, features: NDArray[np.float64], name: str) -> None:
    model, rows = LithoModel.load(name), awkward(features)
    ours, missing = load(written[name][0], tmp_path).run(rows)
    theirs = model.embed(rows)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(missing, model.missing(rows))
    assert 0 < np.isnan(ours).any(axis=1).sum() < len(rows)


@pytest.mark.parametrize("flags", ["-O0", "-O2", "-std=c99 -O3", "-O3 -march=native", "-std=c11 -Os"])
def test_is_right_under_any_of_these_flags(hybrid: Path, tmp_path: Path, flags: str) -> None:
    done = run(build(hybrid, tmp_path, *flags.split()), "", "--verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"0 of \d\d golden rows out of tolerance\n", done.stdout)


@pytest.mark.parametrize("weights", [1.0, 30.0])
@pytest.mark.parametrize(("latent", "hidden"), [(5, [48, 24, 12]), (1, [7]), (13, [9, 30])])
def test_other_models(
    shipped: dict[str, Checkpoint], tmp_path: Path, latent: int, hidden: list[int], weights: float
) -> None:
    torch.manual_seed(0)
    model = worn(VAE(6, latent, hidden))
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.weight.data *= weights
    checkpoint = replace(shipped["unsup_hybrid"], model=model, sha256="")
    assert all(result.passed for result in write_c(checkpoint, tmp_path / "other.c"))
    assert load(tmp_path / "other.c", tmp_path).embed(np.ones((3, 6), np.float32)).shape == (3, latent)


def test_extra_rows_are_held_to_the_gate(shipped: dict[str, Checkpoint], tmp_path: Path) -> None:
    mine = np.array([[1.7, 4, 18, 105, 104, 88]] * 3, np.float32)
    mine[1, 2] = -999.25
    results = write_c(shipped["unsup"], tmp_path / "a.c", {"mine": mine})
    assert [result.passed for result in results if result.rows == "mine"] == [True]


def test_the_same_checkpoint_gives_the_same_bytes(shipped: dict[str, Checkpoint], hybrid: Path, tmp_path: Path) -> None:
    write_c(shipped["semisup_hybrid"], tmp_path / "other name.c")
    assert (tmp_path / "other name.c").read_bytes() == hybrid.read_bytes()


def test_says_what_it_is(shipped: dict[str, Checkpoint], hybrid: Path) -> None:
    header = hybrid.read_text(encoding="ascii").partition("*/")[0]
    said = " ".join(header.replace(" * ", " ").split())
    checkpoint = shipped["semisup_hybrid"]
    for fact in (checkpoint.sha256, checkpoint.trained_on, "SemiSupervisedVAE, encoder 6-64-32-10", "missing impute"):
        assert fact in said
    for i, feature in enumerate(LILY):
        assert f"feature {i} {feature.name}, {feature.unit}" in said


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("name", ["unsup", "semisup_hybrid"])
@pytest.mark.parametrize("flags", [(), ("-DLITHOVAE_MAIN", "-O3")])
def test_compiles_without_a_warning(
    written: Written, tmp_path: Path, compiler: str, name: str, flags: tuple[str, ...]
) -> None:
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    command = [compiler, *STRICT, *flags, "-c", str(written[name][0]), "-o", str(tmp_path / "embed.o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("flag", ["-ffast-math", "-Ofast", "-ffinite-math-only"])
def test_flags_that_break_nan_are_refused(hybrid: Path, tmp_path: Path, flag: str) -> None:
    command = [COMPILER, flag, "-c", str(hybrid), "-o", str(tmp_path / "embed.o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "missing values are NaN" in done.stderr


def test_sanitizers_have_nothing_to_say(
    hybrid: Path, tmp_path: Path, features: NDArray[np.float64], capfd: pytest.CaptureFixture[str]
) -> None:
    flags = ["-g", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"]
    try:
        program = build(hybrid, tmp_path, *flags)
    except subprocess.CalledProcessError:
        pytest.skip(f"{COMPILER} has no sanitizers: {capfd.readouterr().err.splitlines()[-1]}")
    rows = np.concatenate([awkward(features), np.array([[3.4e38, -3.4e38, 3.4e38, 3.4e38, 1e-45, -0.0]])])
    for arguments, text in ((["--verify"], ""), ([], csv(rows)), ([], "1,2,3,4,5\n"), ([], "x" * 2000)):
        done = run(program, text, *arguments)
        assert "runtime error" not in done.stderr
        assert "Sanitizer" not in done.stderr
        assert done.returncode in (0, 1)


@pytest.mark.parametrize("table", ["weight_0", "weight_1", "weight_2", "bias_2", "mean", "sentinels"])
def test_verify_finds_an_altered_number(hybrid: Path, tmp_path: Path, table: str) -> None:
    text = hybrid.read_text(encoding="ascii")
    start = text.index(f" {table}[")
    place = text.index("0x1.", start) + len("0x1.")
    assert text.count("=", start, place) == 1  # in the first line of this table
    altered = text[:place] + ("8" if text[place] != "8" else "0") + text[place + 1 :]
    (tmp_path / "altered.c").write_text(altered)
    program = build(tmp_path / "altered.c", tmp_path)
    done = run(program, "", "--verify")
    assert done.returncode == 1
    assert int(done.stdout.split()[0]) > 0


def csv(rows: NDArray[np.float32] | NDArray[np.float64]) -> str:
    return "".join(",".join(f"{value:.9g}" for value in row) + "\n" for row in rows)


def test_the_program_embeds_rows(hybrid: Path, tmp_path: Path, features: NDArray[np.float64]) -> None:
    rows = awkward(features)
    program = build(hybrid, tmp_path, "-O2")
    done = run(program, csv(rows))
    assert (done.returncode, done.stderr) == (0, "")
    found = np.array([line.split(",") for line in done.stdout.splitlines()], np.float64)
    ours, missing = load(hybrid, tmp_path).run(rows)
    np.testing.assert_array_equal(found[:, :-1].astype(np.float32), ours)
    np.testing.assert_array_equal(found[:, -1], missing)
    assert "-nan" not in done.stdout
    assert run(program, "1 2\t3 ,4,  nan -999.25\r\n1,2,3,4,NaN,-999.25").stdout.count(",48\n") == 2
    assert run(program, "").stdout == ""


@pytest.mark.parametrize(
    "line",
    ["1,2,3,4,5", "1,2,3,4,5,6,7", "1,2,3,4,5,6,", "1,,2,3,4,5", "a,b,c,d,e,f", "", "1;2;3;4;5;6", "1.5.5 2 3 4 5",
     "1,2,3,4,5,6x", "1,2,3,4,5,6\0", "1,2,3,4,5,6" + " " * 2000],
)  # fmt: skip
def test_the_program_names_a_malformed_line(hybrid: Path, tmp_path: Path, line: str) -> None:
    done = run(build(hybrid, tmp_path), f"1,2,3,4,5,6\n{line}\n1,2,3,4,5,6\n")
    assert done.returncode == 1
    assert done.stderr == "error: line 2 is not 6 numbers separated by commas or blanks\n"
    assert done.stdout.count("\n") == 1


def test_threads_do_not_meet(hybrid: Path, tmp_path: Path, features: NDArray[np.float64]) -> None:
    rows = awkward(features)
    library = load(hybrid, tmp_path)
    alone = library.embed(rows)
    with ThreadPoolExecutor(4) as pool:
        for together in pool.map(library.embed, [rows] * 8):  # ctypes releases the interpreter's lock
            np.testing.assert_array_equal(together, alone)


def test_the_page_in_the_docs_compiles_and_runs(root: Path, hybrid: Path, tmp_path: Path) -> None:
    page = (root / "docs" / "c-export.md").read_text(encoding="utf-8")
    host = re.search(r"```c\n(.*?)```", page, re.DOTALL)
    commands = re.findall(r"^(cc .*)$", page, re.MULTILINE)
    assert host
    assert len(commands) >= 2
    (tmp_path / "host.c").write_text(host[1])
    shutil.copy(hybrid, tmp_path / "embed.c")
    for command in commands:
        words = command.partition("  #")[0].split()
        subprocess.run([COMPILER, *words[1:]], cwd=tmp_path, check=True)
    assert run(tmp_path / "embed", "", "--verify").returncode == 0
    assert run(tmp_path / "host", "").returncode == 0


def test_another_language_declares_by_including_it(hybrid: Path, tmp_path: Path) -> None:
    if not shutil.which("g++"):
        pytest.skip("no g++")
    (tmp_path / "host.cpp").write_text(f'#define LITHOVAE_DECLARATIONS\n#include "{hybrid}"\n#include "{hybrid}"\n'
        "int main() { float row[LITHOVAE_N_FEATURES] = {}, out[LITHOVAE_LATENT_DIM];\n"
        "return lithovae_verify() + lithovae_embed(row, out) + (lithovae_feature_names[5][0] != 'B'); }\n")  # fmt: skip
    for command in (
        [COMPILER, "-c", str(hybrid), "-o", "embed.o"],
        ["g++", "-Wall", "-Wextra", "-Werror", "host.cpp", "embed.o", "-o", "host", "-lm"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    assert run(tmp_path / "host", "").returncode == 0


@pytest.mark.parametrize(
    "text",
    ["*/ int main(void) { return 1; } /*", "a *??/\n/ #error", "*\\\n/ #error", "// \\", "Löss\0\x1b \U0001f600 \u202e",
     '"; #include "/etc/passwd"', "x" * 5000, ""],
)  # fmt: skip
def test_hostile_text_stays_in_its_comment(
    shipped: dict[str, Checkpoint], written: Written, tmp_path: Path, text: str
) -> None:
    recipe = shipped["unsup"].recipe | {"name": text}
    write_c(replace(shipped["unsup"], trained_on=text, recipe=recipe), tmp_path / "hostile.c")
    source = (tmp_path / "hostile.c").read_text(encoding="ascii")
    assert source.partition("*/")[2] == written["unsup"][0].read_text(encoding="ascii").partition("*/")[2]
    assert all(char.isprintable() or char == "\n" for char in source)
    command = [COMPILER, *STRICT, "-c", str(tmp_path / "hostile.c"), "-o", str(tmp_path / "embed.o")]
    subprocess.run(command, check=True)


def test_source_that_strays_is_not_written(
    shipped: dict[str, Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nudged(model: VAE) -> FoldedVAE:
        folded = fold(model)
        folded.encoder[0].plain[0, 0] *= 1 + 1e-4
        return folded

    monkeypatch.setattr(c_text, "fold", nudged)
    with pytest.raises(ParityError, match="differ too much from torch"):
        write_c(shipped["semisup"], tmp_path / "embed.c")
    assert list(tmp_path.iterdir()) == []


def test_weights_beyond_float32_are_refused(shipped: dict[str, Checkpoint], tmp_path: Path) -> None:
    model = worn(VAE(6, 3, [8]))
    model.fc_mu.weight.data[:] = 3e38
    with pytest.raises(ParityError):
        write_c(replace(shipped["unsup"], model=model), tmp_path / "embed.c")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("embed.h", "must end in .c"), ("absent/embed.c", "no such folder"), ("folder.c", "is a folder")],
)
def test_places_that_are_refused(shipped: dict[str, Checkpoint], tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.c").mkdir()
    with pytest.raises(OutputError, match=message):
        write_c(shipped["unsup"], tmp_path / name)


def test_without_a_compiler_nothing_is_written(
    root: Path, shipped: dict[str, Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutputError, match="no C compiler on the PATH"):
        write_c(shipped["unsup"], tmp_path / "embed.c")
    arguments = [root / "models" / "unsup.pt", "--out", tmp_path / "bundle", "--c", tmp_path / "embed.c"]
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 1
    assert done.stderr.startswith("error: no C compiler")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_one_or_both(root: Path, tmp_path: Path) -> None:
    checkpoint = str(root / "models" / "unsup.pt")
    done = CliRunner().invoke(app, [checkpoint, "--c", str(tmp_path / "embed.c")])
    assert done.exit_code == 0, done.output
    assert "parity passed" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["embed.c"]
    both = CliRunner().invoke(app, [checkpoint, "--c", str(tmp_path / "embed.c"), "--out", str(tmp_path / "bundle")])
    assert both.exit_code == 0, both.output
    assert both.stdout.count("parity passed") == 2
    assert LithoModel.load(tmp_path / "bundle").latent_dim == 10
    neither = CliRunner().invoke(app, [checkpoint])
    assert neither.exit_code == 1
    assert neither.stderr.startswith("error: nothing to write: give --out FOLDER")
