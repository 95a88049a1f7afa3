"""The documentation says what the package does today: generated pages, commands, Python, links."""

import ast
import functools
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from muybridge.cli.app import VERBS
from tests.contract.source import ROOT, report

REFERENCE = ROOT / "docs" / "reference"
OUTSIDE = re.compile(r"^(https?:|mailto:|#)")
MACHINE_PATH = re.compile(r"(?<![\w.~$}/-])/(?:work|home|root|Users|mnt)/\w+")
SECTIONS = set(
    "1 2 3 3.1 3.2 4 4.1 4.1.1 4.1.2 4.2 4.3 4.4 4.4.1 4.4.2 4.5 4.5.1 4.5.2 4.5.3 4.6 4.7 "
    "5 5.1 5.2 5.3 5.3.1 5.3.2 5.3.3 5.3.4 6 6.1 7 7.1 7.1.1 7.1.2 7.2 7.2.1 7.2.2 7.3 7.3.1 7.3.2 7.3.3 8".split()
)  # of arXiv 2412.03603v4
UNFINISHED = re.compile(r"\b(TODO|FIXME|TBD|lorem ipsum)\b", re.IGNORECASE)


def test_the_reference_is_what_the_source_says():
    wanted = _generator().pages()
    stale = [
        str(path.relative_to(ROOT))
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    left = [str(path.relative_to(ROOT)) for path in REFERENCE.glob("*.md") if path not in wanted]
    assert not stale + left, f"run `make docs`: {stale + left}"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_shown_at_work(verb):
    assert any(words[1] == verb for _, words in _commands("muybridge"))


def test_commands_shown_exist_with_their_options():
    report(
        [
            f"{page}: {shlex.join(words)}: {problem}"
            for page, words in _commands("muybridge")
            if (problem := _command_problem(words))
        ]
    )


def test_make_targets_shown_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    report(
        [
            f"{page}: make {word}"
            for page, words in _commands("make")
            for word in words[1:]
            if "=" not in word and word not in targets
        ]
    )


def test_python_shown_uses_names_that_exist():
    report([f"{page}: {name}" for page, code in _blocks("python") for name in _missing_names(code)])


def test_cited_sections_of_the_paper_exist():
    cited = re.compile(r"\b[Pp]aper (\d+(?:\.\d+)*)(?:, (\d+(?:\.\d+)*))?")
    report(
        [
            f"{path.relative_to(ROOT)}: section {section}"
            for path in _texts()
            if REFERENCE not in path.parents
            for found in cited.findall(path.read_text(encoding="utf-8"))
            for section in found
            if section and section not in SECTIONS
        ]
    )


def test_links_lead_somewhere():
    report([f"{page}: {link}" for page, link, target in _links() if not target.exists()])


def test_every_page_can_be_reached():
    linked = {target.resolve() for _, _, target in _links()}
    report([page for page, _ in _pages() if page not in ("README.md", "CHANGELOG.md") and ROOT / page not in linked])


def test_no_page_names_somebody_s_machine_or_is_unfinished():
    report(
        [
            f"{path.relative_to(ROOT)}: {found[0]}"
            for path in _texts()
            if (text := path.read_text(encoding="utf-8"))
            for pattern in (MACHINE_PATH, UNFINISHED)
            if (found := pattern.search(text))
        ]
    )


def test_the_ranks_in_the_design_are_those_enforced():
    from tests.contract.test_layering import RANKS

    page = (ROOT / "docs/explanation/design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", page, re.MULTILINE)
    shown = {room: int(rank) for rank, rooms in rows for room in re.findall(r"`([a-z]+)`(?=[:;]|$)", rooms)}
    present = {path.parent.name for path in (ROOT / "src/muybridge").glob("*/__init__.py")}
    assert shown == {room: rank for room, rank in RANKS.items() if room in present}


@functools.cache
def _pages() -> tuple[tuple[str, str], ...]:
    """(path from the root, text) of the pages that people write."""
    paths = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return tuple((str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in paths if path.exists())


def _links() -> Iterator[tuple[str, str, Path]]:
    """(page, link as written, file it leads to) of every link that stays in the tree."""
    for page, text in _pages():
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if not OUTSIDE.match(link):
                yield page, link, (ROOT / page).parent / link.split("#")[0]


def _texts() -> list[Path]:
    """Every text file that ships, but for this one, which has to spell out what it looks for."""
    folders = [ROOT / name for name in ("src", "docs", "benchmarks", "examples")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".md", ".sh", ".json")]
    return [*files, *(ROOT / name for name in ("README.md", "CHANGELOG.md", "Makefile", "pyproject.toml"))]


def _blocks(language: str) -> Iterator[tuple[str, str]]:
    for page, text in _pages():
        if not page.startswith("docs/reference/"):
            yield from ((page, code) for code in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL))


def _commands(program: str) -> Iterator[tuple[str, list[str]]]:
    """(page, words) of the program's command lines in the shell blocks; pipelines and redirections are cut off."""
    for page, code in _blocks("sh"):
        for line in code.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if program in words[:3]:
                words = words[words.index(program) :]
                yield page, words[: next((i for i, word in enumerate(words) if word in ("|", ">", "&&")), None)]


def _command_problem(words: list[str]) -> str:
    verb, given = words[1], [word.split("=")[0] for word in words[2:] if re.match(r"--?[a-z]", word)]
    if verb not in VERBS:
        return "" if verb in ("--help", "--version") else "no such verb"
    page = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    section = page.split(f"## muybridge {verb}\n")[1].split("\n## ")[0]
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", section))
    return ", ".join(option for option in given if option not in known)


def _missing_names(code: str) -> list[str]:
    """Names that a snippet imports from the package, or reads off it, and the package does not have."""
    wanted: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "muybridge":
            wanted.extend((str(node.module), alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "muybridge":
            wanted.append(("muybridge", node.attr))
    return [f"{module}.{name}" for module, name in wanted if not hasattr(importlib.import_module(module), name)]


@functools.cache
def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_reference", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
