"""The package says next to nothing twice: repeated blocks of eight lines stay within a small budget."""

import ast
from collections import defaultdict

from tests.contract.source import ROOT, Module, modules

BLOCK_LINES = 8
MAX_REPEATED_SHARE = 0.005  # convention: half a line in a hundred


def test_next_to_no_block_is_repeated():
    lines = {str(module.path.relative_to(ROOT)): _normalised(module) for module in modules()}
    repeated = _repeated(lines)
    share = sum(map(len, repeated.values())) / max(1, sum(map(len, lines.values())))
    listing = [f"{path}: {lines[path][number]}" for path, numbers in repeated.items() for number in sorted(numbers)]
    assert share <= MAX_REPEATED_SHARE, f"{share:.2%} of the lines are repeated:\n" + "\n".join(listing)


def test_the_measure_finds_a_repeated_block():
    block = [f"line {number}" for number in range(BLOCK_LINES)]
    assert _repeated({"a": ["x", *block], "b": [*block, "y"]}) == {"a": set(range(1, 9)), "b": set(range(8))}
    assert _repeated({"a": ["x", *block[1:]], "b": [*block[1:], "y"]}) == {}


def _normalised(module: Module) -> list[str]:
    """The file's statements, one to a line, without imports, docstrings, comments or indentation."""
    tree = ast.parse(module.text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [item for item in body if not _is_skipped(item)]  # type: ignore[attr-defined]
    return [line.strip() for line in ast.unparse(tree).splitlines() if line.strip()]


def _is_skipped(node: ast.stmt) -> bool:
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or isinstance(node, ast.Import | ast.ImportFrom)


def _repeated(lines: dict[str, list[str]]) -> dict[str, set[int]]:
    """The line numbers, by file, that lie in a block of eight lines which stands in more than one place."""
    places: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for path, texts in lines.items():
        for start in range(len(texts) - BLOCK_LINES + 1):
            places[tuple(texts[start : start + BLOCK_LINES])].append((path, start))
    repeated: dict[str, set[int]] = defaultdict(set)
    for found in places.values():
        if len(found) > 1:
            for path, start in found:
                repeated[path].update(range(start, start + BLOCK_LINES))
    return dict(repeated)
