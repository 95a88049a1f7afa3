"""Writes docs/reference anew: the command line from its own --help, the rooms from their signatures and docstrings.

python docs/generate.py
"""

import ast
import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

from muybridge.cli import main as command_line
from muybridge.cli.app import VERBS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "muybridge"
REFERENCE = ROOT / "docs" / "reference"
MEASURED = ("layouts.md", "loras.md")  # written by benchmarks that run the peers too; taken as they are
NOTE = "<!-- Written by docs/generate.py from the source; change the source, then run `make docs`. -->"


def pages() -> dict[Path, str]:
    """Every page of the reference, by its path."""
    rooms = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    texts = {"cli.md": _command_page(), **{f"{room}.md": _room_page(room) for room in rooms if room != "cli"}}
    texts["index.md"] = _index_page([*texts, *MEASURED])
    written = {REFERENCE / name: f"{NOTE}\n\n{text.strip()}\n" for name, text in texts.items()}
    return written | {REFERENCE / name: (REFERENCE / name).read_text(encoding="utf-8") for name in MEASURED}


def _index_page(names: list[str]) -> str:
    lines = [f"- [{Path(name).stem}]({name})" for name in sorted(names)]
    return "\n".join(["# Reference", "", *lines])


def _command_page() -> str:
    sections = [f"## muybridge {verb}\n\n{_help([verb, '--help'])}" for verb in VERBS]
    return "\n\n".join(["# Command line", _help(["--help"]), *sections])


def _help(argv: list[str]) -> str:
    """What the command prints at a width of 80 columns, as a block."""
    before, os.environ["COLUMNS"] = os.environ.get("COLUMNS"), "80"
    try:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            command_line(argv)
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    lines = [line.rstrip() for line in output.getvalue().strip().splitlines()]
    return "```text\n" + "\n".join(lines) + "\n```"


def _room_page(room: str) -> str:
    init = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    sections = [f"# {room}", ast.get_docstring(init) or ""]
    for path in sorted((PACKAGE / room).rglob("*.py")):
        if path.name != "__init__.py":
            sections.extend(_module_sections(path))
    return "\n\n".join(section for section in sections if section)


def _module_sections(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    yield f"## {name}"
    yield ast.get_docstring(tree) or ""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and _is_public(node.name):
            yield f"### {node.name}\n\n{_block(_signature(node))}\n\n{ast.get_docstring(node) or ''}"
        elif isinstance(node, ast.ClassDef) and _is_public(node.name):
            yield _class_section(node)


def _class_section(node: ast.ClassDef) -> str:
    """A class with its fields and its public methods that say something."""
    bases = f"({', '.join(map(ast.unparse, node.bases))})" if node.bases else ""
    fields = [f"    {ast.unparse(item)}" for item in node.body if isinstance(item, ast.AnnAssign)]
    head = _block("\n".join([f"class {node.name}{bases}", *fields]))
    parts = [f"### {node.name}", head, ast.get_docstring(node) or ""]
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and (_is_public(item.name) or item.name == "__call__"):
            text = " ".join((ast.get_docstring(item) or "").split())
            parts.append(f"- `{_signature(item)}`" + (f": {text}" if text else ""))
    return "\n\n".join(part for part in parts if part)


def _signature(node: ast.FunctionDef) -> str:
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){result}"


def _block(text: str) -> str:
    return f"```python\n{text}\n```"


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def main() -> None:
    """Write the pages and remove those that no longer belong."""
    wanted = pages()
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for path in set(REFERENCE.glob("*.md")) - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    print(f"{len(wanted)} pages in {REFERENCE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
