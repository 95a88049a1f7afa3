"""A room imports only rooms of strictly lower rank, at the top of the file (docs/explanation/design.md, law 8)."""

import ast

from tests.contract.source import Module, imports, modules, nodes, report

RANKS = {
    "core": 0,
    "media": 1, "ops": 1, "flow": 1,
    "vae": 2, "text": 2, "transformer": 2, "audio": 2,
    "weights": 3, "parallel": 3, "acceleration": 3,
    "worlds": 4, "curation": 4,
    "captioning": 5,
    "data": 6,
    "pipelines": 7,
    "evaluation": 8,
    "training": 9,
    "distillation": 10, "scaling": 10,
    "recipes": 11,
    "serving": 12,
    "cli": 13,
}  # fmt: skip
SURFACE_CLIENTS = {"cli", "serving"}  # may use the package as its users do: `import muybridge`
LAZY_SEAMS = {
    "muybridge.core.lazy",  # PEP 562: neither `import muybridge` nor the help of `train` may bring torch
    "muybridge.cli.app",  # help is answered without importing the verbs
    "muybridge.training.metrics",  # trackers are imported where they are asked for
    "muybridge.worlds.physics.engine",  # an extra, and EGL, which machines without a screen may lack
    "muybridge.ops.attention.optional",  # kernels of other packages, which few machines have
    "muybridge.weights.unpacking",  # converting the text encoder, once ever, needs transformers
    "muybridge.weights.storage.ggml",  # the package gguf takes 0.1 s, and only GGUF files need it
}


def test_every_room_has_a_rank():
    report(
        [f"{module.path}: room {module.room!r} has no rank" for module in modules() if module.room not in {"", *RANKS}]
    )


def test_a_room_imports_only_lower_rooms():
    report(
        [
            f"{module.at(node)}: {module.room} (rank {RANKS[module.room]}) imports {name}"
            for module in modules()
            if module.room in RANKS
            for node, name in imports(module)
            if not _is_lower(module, name)
        ]
    )


def test_the_package_itself_imports_no_room_eagerly():
    report(
        [
            f"{module.at(node)}: imports {name}"
            for module in modules()
            if not module.room and module.name != "muybridge.__main__"
            for node, name in imports(module)
            if node in module.tree.body and name != "muybridge.core.lazy"
        ]
    )


def test_imports_stand_at_the_top():
    report(
        [
            f"{module.at(node)}: {ast.unparse(node)}"
            for module in modules()
            if module.name not in LAZY_SEAMS
            for node in _buried_imports(module)
        ]
    )


def test_modules_are_imported_by_name_only_in_the_lazy_seams():
    report(
        [
            f"{module.at(node)}: {ast.unparse(node)[:80]}"
            for module in modules()
            if module.name not in LAZY_SEAMS
            for node in nodes(module)
            if _is_dynamic_import(node)
        ]
    )


def test_imports_form_no_cycle():
    edges = {module.name: {name for _, name in imports(module)} for module in modules()}
    report([" -> ".join(cycle) for cycle in _cycles(edges)])


def test_the_cycle_finder_finds_cycles():
    assert _cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c", "a"]]
    assert _cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def _is_lower(module: Module, name: str) -> bool:
    """True where `name` is of the same room or of a room of lower rank, or the surface itself for those above it."""
    parts = name.split(".")
    room = parts[1] if len(parts) > 1 else ""
    if not room:
        return module.room in SURFACE_CLIENTS
    return room == module.room or RANKS.get(room, len(RANKS)) < RANKS[module.room]


def _buried_imports(module: Module) -> list[ast.stmt]:
    """Import statements that are neither at the module's level nor under `if TYPE_CHECKING`."""
    top = set(module.tree.body)
    for node in module.tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            top.update(node.body)
        if isinstance(node, ast.Try):  # an extra: its absence becomes an error that names it
            top.update(node.body)
    return [node for node in nodes(module) if isinstance(node, ast.Import | ast.ImportFrom) and node not in top]


def _is_dynamic_import(node: ast.AST) -> bool:
    names = ("importlib.import_module", "import_module", "__import__")
    return isinstance(node, ast.Call) and ast.unparse(node.func) in names


def _cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The cycles that a depth-first walk closes, each from its first module round to it again."""
    found: list[list[str]] = []
    finished: set[str] = set()

    def walk(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append([*trail[trail.index(name) :], name])
        elif name not in finished:
            for following in sorted(edges.get(name, ())):
                walk(following, [*trail, name])
            finished.add(name)

    for name in sorted(edges):
        walk(name, [])
    return found
