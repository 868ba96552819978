from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import typer.main

from lithovae.runtime import features
from lithovae.runtime.cli import VERBS, app
from lithovae.runtime.formats.hdf5.column import UNIT_ATTRIBUTES
from lithovae.runtime.formats.hdf5.declared import FILL_ATTRIBUTES
from lithovae.runtime.formats.hdf5.dialects.names import NAME_ATTRIBUTES
from lithovae.runtime.scan.address import ADDRESS


@pytest.fixture(scope="module")
def docs(root: Path) -> str:
    """README and all guides."""
    return "\n".join(path.read_text(encoding="utf-8") for path in [root / "README.md", *(root / "docs").rglob("*.md")])


def test_readme_snippet_runs(root: Path) -> None:
    snippet = re.search(r"```python\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert snippet
    names: dict[str, object] = {}
    exec(snippet[1], names)
    assert [
        getattr(names[name], "shape", None) for name in ("embeddings", "probabilities", "reconstruction", "embedding")
    ] == [
        (1, 10),
        (1, 139),
        (1, 6),
        (10,),
    ]


def test_every_command_and_option_is_documented(docs: str) -> None:
    for command, parameters in commands("lithovae", typer.main.get_command(app)):
        assert re.search(command.replace("lithovae ", "lithovae[ -]"), docs), command
        for option in (option for parameter in parameters for option in parameter.opts if option.startswith("-")):
            assert re.search(rf"(?<!-){option}\b(?!-)", docs), (command, option)


def test_every_verb_has_a_file_of_its_own_that_starts_without_numpy(root: Path) -> None:
    program = "import sys; from lithovae.runtime.cli import app; app(['--help'], standalone_mode=False)\n"
    program += "print(sorted({'numpy', 'h5py', 'onnxruntime', 'torch', 'pandas'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for verb, (module, _) in VERBS.items():
        assert re.search(rf"\b{verb} ", done.stdout), verb
        assert (root / Path(*module.split(".")[1:]).with_suffix(".py")).is_file()


def commands(name: str, command: Any) -> Iterator[tuple[str, list[Any]]]:
    """A command and all commands below it, by name, with their parameters."""
    yield name, command.params
    for verb in command.list_commands(None) if hasattr(command, "list_commands") else []:
        yield from commands(f"{name} {verb}", command.get_command(None, verb))


def test_nothing_promises_a_package_index(docs: str) -> None:
    assert "pip install lithovae" not in docs  # not on PyPI yet; README says how to install from a clone


def test_the_version_is_the_same_everywhere(root: Path) -> None:
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(rf"^version: {re.escape(version)}$", (root / "CITATION.cff").read_text(), re.MULTILINE)
    latest = re.search(r"^## (\S+)", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert latest
    assert latest[1] == version


def test_make_targets_are_those_the_docs_name(root: Path, docs: str) -> None:
    makefile = (root / "Makefile").read_text()
    for target in set(re.findall(r"`make (\w+)", docs)) | {"demo", "test"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_links_lead_somewhere(root: Path) -> None:
    for page in [*root.glob("*.md"), *(root / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if target.startswith("http"):
                continue
            path, _, heading = target.partition("#")
            place = page.parent / path if path else page
            assert place.exists(), (page.name, target)
            assert not heading or heading in headings(place), (page.name, target)


def headings(page: Path) -> set[str]:
    """The headings of a page as GitHub links to them."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.casefold()).replace(" ", "-") for line in lines}


def test_scan_format_names_what_the_code_knows(root: Path) -> None:
    page = (root / "docs" / "scan-format.md").read_text(encoding="utf-8")
    named = {features.letters(word) for word in re.findall(r"`([^`]+)`", page)}
    assert {*NAME_ATTRIBUTES, *FILL_ATTRIBUTES, *UNIT_ATTRIBUTES, *ADDRESS} <= named


def test_aliases_are_written_as_they_are_compared() -> None:
    known = (*features.CATALOGUE, features.DEPTH)
    for quantity in known:
        for alias in (*quantity.aliases, *quantity.aliases_with_unit, *quantity.point_sensor_aliases):
            assert alias == features.letters(alias), alias
        for unit in quantity.units:
            assert unit == features.unit_key(unit), unit
    claimed = Counter(name for quantity in known for name in quantity.names)
    for name in (name for name, n in claimed.items() if n > 1):  # K, by XRF or by gamma: its unit tells which
        rivals = [quantity for quantity in known if name in quantity.names]
        units = [{unit for unit in quantity.units if unit} for quantity in rivals]
        assert all(name in quantity.aliases_with_unit for quantity in rivals), name
        assert set.intersection(*units) == set(), name


def test_docs_and_javascript_have_the_catalogue(root: Path) -> None:
    script = runpy.run_path(str(root / "examples" / "quantities.py"))
    page, data = script["PAGE"].read_text(encoding="utf-8"), script["JSON"].read_text(encoding="utf-8")
    assert page == script["with_tables"](page), "run examples/quantities.py"
    assert data == script["as_json"](), "run examples/quantities.py"
    stated = json.loads(data)
    known = (*features.CATALOGUE, features.DEPTH)
    for quantity, entry in zip(known, (*stated["quantities"], stated["depth"]), strict=True):
        plain = (entry["name"], entry["unit"], tuple(entry["plausible"]), entry["transform"], entry["instrument"])
        own = (quantity.name, quantity.unit, quantity.plausible, quantity.transform, quantity.instrument)
        assert plain == own
        names = (features.letters(entry["name"]), *entry["aliases"], *entry["aliases_with_unit"])
        assert names == quantity.names
        assert tuple(entry["point_sensor_aliases"]) == quantity.point_sensor_aliases
        assert {unit: Fraction(*factor) for unit, factor in entry["units"].items()} == quantity.units
    section = page[page.index(script["BEGIN"]) : page.index(script["END"])]
    words = set(re.findall(r"`([^`]+)`", section))
    for quantity in known:
        if quantity.instrument != "XRF" or quantity.short == "Fe":
            assert {quantity.name, *quantity.names, *quantity.point_sensor_aliases} <= words
            assert {quantity.short} - {""} <= words
    also = re.search(r"Like iron \(Fe\), by their symbols: (.*)\.", section)
    assert also
    assert {*also[1].split(", "), "Fe"} == {*features.ELEMENTS}


def test_errors_are_drawn_as_they_are(root: Path) -> None:
    from lithovae.runtime import errors

    drawn = set(re.findall(r"── (\w+)", errors.__doc__ or ""))
    assert drawn == {cls.__name__ for cls in errors.LithoError.__subclasses__()}
    for cls in errors.LithoError.__subclasses__():
        assert cls.__doc__


def test_public_names_are_pinned() -> None:
    import lithovae.runtime

    assert lithovae.runtime.__all__ == [
        "BundleError",
        "CheckpointError",
        "InputError",
        "LithoError",
        "LithoModel",
        "LithoWarning",
        "OutputError",
        "ParityError",
        "ScanError",
        "Settings",
        "TableError",
        "TrainingError",
        "embed_scan",
        "read",
    ]
    for name in lithovae.runtime.__all__:
        assert getattr(lithovae.runtime, name).__doc__


def test_constraints_pin_every_dependency(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    pinned = set(re.findall(r"^([\w-]+)==", (root / "constraints.txt").read_text(), re.MULTILINE))
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(dependency for group in extras for dependency in group)]
    names = {re.split(r"[\[><=]", dependency)[0] for dependency in wanted} - {"lithovae"}
    assert names <= pinned
    assert "torch==2.13.0" in (root / "constraints.txt").read_text().splitlines()
