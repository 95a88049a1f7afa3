"""The package read as syntax trees, once, for the tests that keep the house's rules."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "muybridge"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """One file of the package."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """`muybridge.flow.path`, and `muybridge.flow` for a room's `__init__.py`."""
        parts = self.path.relative_to(PACKAGE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """`flow`; empty for the package's own files."""
        parts = self.path.relative_to(PACKAGE).parts
        return parts[0] if len(parts) > 1 else ""

    def at(self, node: ast.AST) -> str:
        """`src/muybridge/flow/path.py:12`."""
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@functools.cache
def modules() -> tuple[Module, ...]:
    """Every file of the package, in the order of their names."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path=path, text=text, tree=ast.parse(text, filename=str(path))))
    return tuple(found)


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(module.name for module in modules())


@functools.cache
def functions(module: Module) -> tuple[tuple[str, Function, bool], ...]:
    """(qualified name, function, whether it is a method) of every function of a file, nested ones too."""
    return tuple(_functions(module.tree, "", is_class=False))


def _functions(node: ast.AST, prefix: str, *, is_class: bool) -> Iterator[tuple[str, Function, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child, is_class
            yield from _functions(child, f"{prefix}{child.name}.", is_class=False)
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.", is_class=True)
        else:
            yield from _functions(child, prefix, is_class=False)


@functools.cache
def nodes(module: Module) -> tuple[ast.AST, ...]:
    """Everything in a file's tree."""
    return tuple(ast.walk(module.tree))


@functools.cache
def classes(module: Module) -> tuple[ast.ClassDef, ...]:
    """Every class of a file."""
    return tuple(node for node in nodes(module) if isinstance(node, ast.ClassDef))


def imported(module: Module, node: ast.stmt) -> list[str]:
    """The package's own modules that an import statement names: `["muybridge.flow.path"]`; empty for anything else."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.split(".")[0] == "muybridge"]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{module.at(node)}: relative import; write the full name"
        if (node.module or "").split(".")[0] != "muybridge":
            return []
        full = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in _names() else str(node.module) for name in full]
    return []


@functools.cache
def imports(module: Module) -> tuple[tuple[ast.stmt, str], ...]:
    """(statement, module named) of every import of the package's own modules in a file, wherever it stands."""
    statements = [node for node in nodes(module) if isinstance(node, ast.stmt)]
    return tuple((node, name) for node in statements for name in imported(module, node))


def report(violations: list[str]) -> None:
    """Fails with one line for each violation."""
    assert not violations, f"{len(violations)}:\n" + "\n".join(violations)
