"""The site of `make docs`: built strictly, complete, readable without a network; and what its pages quote."""

from __future__ import annotations

import ast
import html
import importlib
import os
import pkgutil
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

import lithovae.runtime
from lithovae.runtime.cli import app

PACKAGES = ("runtime", "models", "training", "export")


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a link that leads nowhere, or a page that is not in the navigation, ends the build."""
    pytest.importorskip("mkdocs")
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(root / "docs/site/mkdocs.yml")]
    done = subprocess.run(
        [*command, "-d", str(place)], capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place


@pytest.fixture(scope="module")
def hooks(root: Path) -> dict[str, Any]:
    pytest.importorskip("mkdocs")
    return runpy.run_path(str(root / "docs" / "site" / "hooks.py"))


def text_of(page: Path) -> str:
    """The words of a page of the site."""
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_the_site_has_every_page(root: Path, site: Path) -> None:
    for page in (root / "docs").rglob("*.md"):
        assert (site / page.relative_to(root / "docs").with_suffix(".html")).is_file(), page
    assert "What it is not good for" in text_of(site / "index.html")
    assert "What is promised" in text_of(site / "repository" / "SECURITY.html")


def test_the_site_needs_no_network(site: Path) -> None:
    fetched = re.compile(r"<(?:script|img|iframe)[^>]+src=[\"']?(?:https?:)?//|<link[^>]+href=[\"']?(?:https?:)?//")
    for page in site.rglob("*.html"):
        assert not fetched.search(page.read_text(encoding="utf-8")), page
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style


def test_links_of_the_site_lead_somewhere(site: Path) -> None:
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html") if page.name != "404.html"}
    names = {page: {*re.findall(r"\bid=\"?([^\"\s>]+)", text)} for page, text in pages.items()}
    for page, text in pages.items():
        for target in map(html.unescape, re.findall(r"<a\b[^>]*?\bhref=\"([^\"]*)\"", text)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, heading = target.partition("#")
            place = (page.parent / path).resolve() if path else page
            place = place / "index.html" if place.is_dir() else place
            assert place.is_file(), (page.name, target)
            assert not heading or place not in names or heading in names[place] | {"__skip"}, (page.name, target)


def test_the_reference_has_every_command_and_option(site: Path) -> None:
    page = (site / "reference" / "cli.html").read_text(encoding="utf-8")
    sections = {section.partition('"')[0]: section for section in re.split(r"<h2 id=\"", page)}
    for command, parameters in commands("lithovae", typer.main.get_command(app)):
        section = sections[command.replace(" ", "-")]
        for option in (option for parameter in parameters for option in parameter.opts if option.startswith("-")):
            assert re.search(rf"(?<!-){option}\b(?!-)", section), (command, option)


def commands(name: str, command: Any) -> Iterator[tuple[str, list[Any]]]:
    """A command and all commands below it, by name, with their parameters."""
    yield name, [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    for verb in command.list_commands(None) if hasattr(command, "list_commands") else []:
        yield from commands(f"{name} {verb}", command.get_command(None, verb))


def test_the_reference_has_every_public_name(root: Path, site: Path) -> None:
    page = (site / "reference" / "api.html").read_text(encoding="utf-8")
    shown = {*re.findall(r"\bid=\"?(lithovae\.[\w.]+)", page)}
    for name in lithovae.runtime.__all__:
        assert f"lithovae.runtime.{name}" in shown, f"add `::: lithovae.runtime.{name}` to docs/reference/api.md"
    for name in ("LithoModel.embed", "LithoModel.classify", "LithoModel.live", "LithoModel.reconstruct"):
        assert any(each.endswith(f".{name}") for each in shown), name
    for package in PACKAGES:
        module = importlib.import_module(f"lithovae.{package}")
        for name in getattr(module, "__all__", ()):
            assert f"{module.__name__}.{name}" in shown, name
    wanted = re.findall(r"^::: (\S+)", (root / "docs" / "reference" / "api.md").read_text(encoding="utf-8"), re.M)
    assert {*wanted} <= shown


def test_modules_that_the_reference_names_are_there(root: Path) -> None:
    for path in re.findall(r"^::: (\S+)", (root / "docs" / "reference" / "api.md").read_text(encoding="utf-8"), re.M):
        module, _, name = path.rpartition(".")
        assert getattr(importlib.import_module(module), name).__doc__, path
    assert {each.name for each in pkgutil.iter_modules(lithovae.runtime.__path__)} >= {"errors", "features"}


def test_a_link_works_on_github_and_in_the_site(hooks: dict[str, Any]) -> None:
    linked = hooks["_linked"]
    others = "[b](live.md) `[c](../x.md)` [d](https://e.org) [e](#here)\n```\n[f](../y.md)\n```\n"
    found = linked(f"[a](../SECURITY.md#how) {others}", "docs/page.md", "page.md")
    assert found == f"[a](repository/SECURITY.md#how) {others}"
    assert linked("[a](../../SECURITY.md)", "docs/guides/p.md", "guides/p.md") == "[a](../repository/SECURITY.md)"
    assert linked("[a](docs/live.md)", "README.md", "repository/README.md") == "[a](../live.md)"


def test_a_section_of_readme_that_is_gone_ends_the_build(hooks: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"README\.md has no heading #gone"):
        hooks["section_of_readme"]("gone", "index.md")


def test_messages_that_are_quoted_are_in_the_code(root: Path) -> None:
    page = (root / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| (`.+?`) \| ", page[page.index("## Messages") :], re.MULTILINE)
    assert len(quoted) > 30
    known = "\n".join(texts(root))
    for message in quoted:
        plain = re.sub(r"^(`+) ?(.*?) ?\1$", r"\2", message)
        pattern = "[^\n]*?".join(map(re.escape, plain.split("…")))
        assert re.search(pattern, known), message


def texts(root: Path) -> Iterator[str]:
    """Every text in the code, in a line of its own; `…` for a value that is filled in."""
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                    yield "".join(parts).replace("\n", " ")
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value.replace("\n", " ")


@pytest.fixture
def core(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the tutorial begins in."""
    folder = Path(shutil.copytree(root / "examples" / "core", tmp_path / "core"))
    monkeypatch.chdir(folder)
    return folder


def tutorial(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The commands of the tutorial, and what it shows of their output, by verb."""
    page = (root / "docs" / "tutorial.md").read_text(encoding="utf-8")
    lines = re.findall(r"^lithovae .*", page, re.MULTILINE)
    outputs = dict(re.findall(r"<!-- output: (\w+) -->\n```\n(.*?)```", page, re.DOTALL))
    return {line.split()[1]: line for line in lines}, outputs


def invoke(command: str) -> str:
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, f"{command}: {done.output}"
    return done.output


def test_the_tutorial_shows_what_its_commands_print(root: Path, core: Path) -> None:
    lines, outputs = tutorial(root)
    assert [*lines] == ["pack", "inspect", "run"]
    for verb in ("pack", "inspect"):
        assert invoke(lines[verb]) == outputs[verb], verb


def test_the_tutorial_leads_to_intervals_and_a_picture(root: Path, core: Path) -> None:
    options = {option for name, parameters in commands("", typer.main.get_command(app)) if name == " run"
               for parameter in parameters for option in parameter.opts}  # fmt: skip
    lines, _ = tutorial(root)
    if lacking := {word for word in shlex.split(lines["run"]) if word.startswith("--")} - options:
        pytest.skip(f"lithovae run has no {', '.join(sorted(lacking))} yet")
    for verb in ("pack", "inspect", "run"):
        invoke(lines[verb])
    assert "<html" in (core / "log.html").read_text(encoding="utf-8").casefold()
    page = (root / "docs" / "tutorial.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=core)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "133 of 142 bins were measured whole"
    assert len(said) > 2  # several intervals


def test_the_tables_of_the_tutorial_are_those_of_the_script(root: Path, tmp_path: Path) -> None:
    runpy.run_path(str(root / "examples" / "write_tables.py"))["write_tables"](tmp_path / "core")
    for path in (root / "examples" / "core").iterdir():
        assert (tmp_path / "core" / path.name).read_bytes() == path.read_bytes(), "run examples/write_tables.py"
