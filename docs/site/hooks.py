"""What the site has beyond the pages of ``docs/``.

- Files of the repository that a page links to (``../SECURITY.md``) are part of the site, below ``repository/``, and
  links to them lead there: a link works on GitHub and in the site.
- A paragraph that is one link to a heading of README, followed by ``<!-- include -->``, is replaced by that section.
- ``<!-- commands -->`` is replaced by every command of ``lithovae`` and its options, as the code states them.
- The packages are linked below ``build/packages/lithovae``, where mkdocstrings reads their docstrings.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent.parent
REPOSITORY = "repository"
"""Folder of the site for files of the repository that are not in ``docs/``."""
PACKAGES = ("models", "training", "export", "runtime")
INCLUDE = re.compile(r"^\[[^]]*\]\(([^)#]*README\.md)#([^)]+)\)\s*<!-- include -->$", re.MULTILINE)
COMMANDS = "<!-- commands -->"

_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_CODE = re.compile(r"^([ \t]*)(```|~~~).*?^\1?\2[ \t]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


@event_priority(100)  # before mkdocstrings reads its own
def on_config(config: MkDocsConfig) -> None:
    """Link the packages."""
    links = ROOT / "build" / "packages" / "lithovae"
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [str(links.parent)]
    links.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        _link(links / package, ROOT / package)


def _link(link: Path, target: Path) -> None:
    """Make a link to a folder, or a copy of it where links need a right that the user lacks (Windows)."""
    if link.is_symlink() and link.resolve() != target:  # of a checkout that was moved
        link.unlink()
    try:
        if not link.is_symlink():
            link.symlink_to(target, target_is_directory=True)
    except OSError:
        if not link.is_symlink():  # else another build was faster
            shutil.copytree(target, link, dirs_exist_ok=True)


def _entries(nav: Any) -> Iterator[str]:
    """Yield the pages of the navigation."""
    if isinstance(nav, str):
        yield nav
    for entry in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _entries(entry)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of the repository that pages link to, and those that these link to."""
    seen = {place_of(uri) for uri in (*(file.src_uri for file in files.documentation_pages()), *_entries(config.nav))}
    waiting = list(seen)
    while waiting:
        place = waiting.pop()
        if not place.startswith("docs/") and files.get_file_from_path(uri_of(place)) is None:
            files.append(File.generated(config, uri_of(place), abs_src_path=str(ROOT / place)))
        if not place.endswith(".md"):
            continue
        for target in targets(place):
            if target not in seen and (ROOT / target).is_file():
                seen.add(target)
                waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Insert what is generated, and lead links to where their targets are in the site."""
    place = place_of(page.file.src_uri)
    markdown = _linked(markdown, place, page.file.src_uri)
    included = INCLUDE.sub(lambda found: section_of_readme(found[2], page.file.src_uri), markdown)
    return included.replace(COMMANDS, "\n".join(commands())) if COMMANDS in included else included


def place_of(uri: str) -> str:
    """Return the path in the repository of a file of the site."""
    return uri.removeprefix(f"{REPOSITORY}/") if uri.startswith(f"{REPOSITORY}/") else f"docs/{uri}"


def uri_of(place: str) -> str:
    """Return the path in the site of a file of the repository."""
    return place.removeprefix("docs/") if place.startswith("docs/") else f"{REPOSITORY}/{place}"


def targets(place: str) -> Iterator[str]:
    """Yield the paths in the repository that a page links to."""
    text = _CODE.sub("", (ROOT / place).read_text(encoding="utf-8"))
    for _, target, _ in _LINK.findall(text):
        if not re.match(r"[a-z]+:|#", target):
            yield _resolved(place, target.partition("#")[0])


def _resolved(place: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), target))


def _linked(markdown: str, place: str, uri: str) -> str:
    """Return a page whose relative links, written for its place in the repository, lead from its place in the site."""

    def lead(found: re.Match[str]) -> str:
        path, mark, heading = found[2].partition("#")
        if not path or re.match(r"[a-z]+:", found[2]):
            return found[0]
        target = posixpath.relpath(uri_of(_resolved(place, path)), posixpath.dirname(uri) or ".")
        return f"{found[1]}{target}{mark}{heading}{found[3]}"

    parts, end = [], 0
    for code in _CODE.finditer(markdown):
        parts += [_LINK.sub(lead, markdown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, _LINK.sub(lead, markdown[end:])])


def section_of_readme(heading: str, uri: str) -> str:
    """Return a section of README, without its heading, with links that lead from a page of the site."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for section in re.split(r"^(?=#+ )", text, flags=re.MULTILINE):
        title, _, body = section.partition("\n")
        if slug(title.lstrip("# ")) == heading:
            return _linked(body.strip(), "README.md", uri)
    raise ValueError(f"README.md has no heading #{heading}")


def slug(heading: str) -> str:
    """Return the name of a heading in links, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.casefold()).replace(" ", "-")


def commands() -> Iterator[str]:
    """Yield the reference of the command line, in Markdown: each command, its arguments and options."""
    from lithovae.runtime.cli import app

    for name, command in every_command("lithovae", typer.main.get_command(app)):
        yield f"## `{name}`\n"
        yield f"{_escaped(command.help or '')}\n"
        shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
        if shown:
            yield "| argument or option | meaning |\n|---|---|"
            yield from (_row(parameter) for parameter in shown)
            yield ""


def every_command(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield a command and all commands below it, with their names."""
    yield name, command
    for verb in command.list_commands(None) if hasattr(command, "list_commands") else []:
        yield from every_command(f"{name} {verb}", command.get_command(None, verb))


def _row(parameter: Any) -> str:
    """Return the row of a table for an argument or option."""
    is_option = parameter.param_type_name == "option"
    takes = "" if not is_option or parameter.is_flag else f" {parameter.metavar or _type(parameter)}"
    names = ", ".join(f"`{option}{takes}`" for option in (*parameter.opts, *parameter.secondary_opts))
    if not is_option:
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    said = [_escaped(getattr(parameter, "help", None) or "")]
    if parameter.required:
        said.append("Required.")
    elif is_option and not parameter.is_flag and parameter.default not in (None, [], ()) and parameter.show_default:
        default = parameter.default() if callable(parameter.default) else parameter.default
        said.append(f"Default: `{default}`.")
    return f"| {names} | {' '.join(filter(None, said))} |"


def _type(parameter: Any) -> str:
    return str(parameter.type.name).upper()


def _escaped(text: str) -> str:
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else re.sub(r"([<>*_|\[\]])", r"\\\1", part) for part in parts)
