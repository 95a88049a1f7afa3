"""Lengths, depths, signatures and names stay within the house's budgets (docs/contributing.md)."""

import ast
import re
from collections.abc import Iterator

from tests.contract.source import PACKAGE, ROOT, Function, classes, functions, modules, nodes, report

MAX_FUNCTION_LINES = 80
MAX_FILE_LINES = 400
MAX_NESTING = 3
MAX_ARGUMENTS = 8
MAX_POSITIONAL = 2
MAX_NETWORK_FIELDS = 20

SETTLED_OPTIONS = {
    "muybridge.flow.samplers": {"on_step"},  # a sampler is any function called (velocity, x, sigmas, on_step)
    "muybridge.vae.tiling": {"tiling"},  # public, called (vae, pixels, tiling)
}
SURFACE = {("muybridge.cli.generate", "command"), ("muybridge.pipelines.pipeline", "Pipeline.__call__")}
NETWORK_ROOMS = {"vae", "text", "transformer", "audio"}
CONFIG_NAMES = re.compile(r"(Config|Request|Settings|Tiling|Recipe)$")
FORBIDDEN_WORDS = {"cfg", "args", "kwargs", "util", "utils", "helper", "helpers", "manager", "misc"}
CFG_SCALE_ROOMS = {"pipelines", "cli", "recipes"}  # `cfg` is the public name of the true guidance scale, and only that

BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.Match)
DECLARATIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.If)

DEEP = """\
def deep(a, b, c=1, *, d):
    for x in a:
        if x:
            pass
        elif b:
            with c:
                while d:
                    pass
"""


def test_functions_are_short():
    """The two that take every option list one a line: of these what follows the signature is counted."""
    report(
        [
            f"{module.at(node)}: {name} has {lines} lines"
            for module in modules()
            for name, node, _ in functions(module)
            if (lines := _lines(node, is_listing=(module.name, name) in SURFACE)) > MAX_FUNCTION_LINES
        ]
    )


def test_files_are_short():
    report(
        [
            f"{module.path.relative_to(ROOT)}: {len(module.text.splitlines())} lines"
            for module in modules()
            if len(module.text.splitlines()) > MAX_FILE_LINES
        ]
    )


def test_blocks_nest_at_most_three_deep():
    report(
        [
            f"{module.at(node)}: {name} nests {depth} deep"
            for module in modules()
            for name, node, _ in functions(module)
            if (depth := _nesting(node)) > MAX_NESTING
        ]
    )


def test_functions_take_few_arguments():
    """A command's options are its arguments, and the Python call takes the same ones: those two may have more."""
    report(
        [
            f"{module.at(node)}: {name} takes {len(_arguments(node, is_method))} arguments"
            for module in modules()
            for name, node, is_method in functions(module)
            if len(_arguments(node, is_method)) > MAX_ARGUMENTS and not _is_surface(module.room, name, node)
        ]
    )


def test_options_are_keyword_only():
    """Two arguments may go by position, and with them any operand that has no default; options may not."""
    report(
        [
            f"{module.at(node)}: {name}({', '.join(sorted(options))}) by position"
            for module in modules()
            for name, node, is_method in functions(module)
            if (options := _positional_options(node, is_method) - SETTLED_OPTIONS.get(module.name, set()))
        ]
    )


def test_everything_is_annotated():
    report(
        [
            f"{module.at(node)}: {name} leaves {missing} without a type"
            for module in modules()
            for name, node, is_method in functions(module)
            if (missing := _unannotated(node, is_method))
        ]
    )


def test_dataclasses_are_frozen_and_slotted():
    report(
        [
            f"{module.at(node)}: {node.name} needs {', '.join(sorted(wanted))}"
            for module in modules()
            for node in classes(module)
            if (wanted := _missing_dataclass_options(node))
        ]
    )


def test_network_configs_are_flat():
    report(
        [
            f"{module.at(node)}: {node.name} has {len(_fields(node))} fields"
            for module in modules()
            if module.room in NETWORK_ROOMS
            for node in classes(module)
            if node.name.endswith("Config") and len(_fields(node)) > MAX_NETWORK_FIELDS
        ]
    )


def test_names_say_what_they_name():
    in_code = [
        f"{module.at(node)}: {name}"
        for module in modules()
        for name, node in _defined_names(module.tree)
        if _forbidden_words(name, module.room)
    ]
    in_paths = [str(path) for path in PACKAGE.rglob("*") if _forbidden_words(path.stem, "")]
    report(in_code + in_paths)


def test_only_core_env_reads_the_environment():
    report(
        [
            f"{module.at(node)}: {ast.unparse(node)}"
            for module in modules()
            if module.name != "muybridge.core.env"
            for node in nodes(module)
            if _reads_environment(node)
        ]
    )


def test_only_the_command_line_prints():
    report(
        [
            f"{module.at(node)}: {ast.unparse(node)[:60]}"
            for module in modules()
            if module.room != "cli"
            for node in nodes(module)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
        ]
    )


def test_nothing_read_from_disk_can_run_code():
    """Pickles only through torch's restricted reader; no eval, exec or shell."""
    banned = {"eval", "exec", "os.system", "pickle.load", "pickle.loads", "marshal.loads", "yaml.load"}
    report(
        [
            f"{module.at(node)}: {ast.unparse(node)[:80]}"
            for module in modules()
            for node in nodes(module)
            if isinstance(node, ast.Call) and (ast.unparse(node.func) in banned or _is_unsafe_load(node))
        ]
    )


def test_no_stub_is_left():
    stub = re.compile(r"\bTODO\b|\bFIXME\b|\bXXX\b|raise NotImplementedError|pass  # stub")
    report(
        [
            f"{module.path.relative_to(ROOT)}:{number}: {line.strip()}"
            for module in modules()
            for number, line in enumerate(module.text.splitlines(), 1)
            if stub.search(line)
        ]
    )


def test_every_file_and_public_name_says_what_it_is():
    files = [f"{module.at(module.tree)}: no docstring" for module in modules() if not ast.get_docstring(module.tree)]
    names = [
        f"{module.at(node)}: {node.name} has no docstring"
        for module in modules()
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    report(files + names)


def test_importing_does_no_work():
    """At a module's level stand imports, definitions and constants; no bare call, loop or context."""
    report(
        [
            f"{module.at(node)}: {ast.unparse(node)[:80]}"
            for module in modules()
            for node in module.tree.body
            if not isinstance(node, DECLARATIONS) and not _is_docstring(node) and not _guards_an_extra(node)
        ]
    )


def test_the_measures_measure():
    node = ast.parse(DEEP).body[0]
    assert isinstance(node, ast.FunctionDef)
    assert (_lines(node), _lines(node, is_listing=True), _nesting(node)) == (8, 7, 4)
    assert len(_arguments(node, False)) == 4 and _positional_options(node, False) == {"c"}
    assert _unannotated(node, False) == ["a", "b", "c", "d", "the result"]
    assert _forbidden_words("parse_args", "core") and not _forbidden_words("arguments", "core")


def _lines(node: Function, *, is_listing: bool = False) -> int:
    """is_listing: without its signature."""
    start = node.body[0].lineno if is_listing else node.lineno
    return (node.end_lineno or start) - start + 1


def _nesting(node: ast.AST) -> int:
    """How deep the blocks below `node` nest; an `elif` stands beside its `if`, a nested function starts anew."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, _nesting(child) + (isinstance(child, BLOCKS) and not is_elif))
    return deepest


def _positional(node: Function, is_method: bool) -> list[ast.arg]:
    """Arguments that may go by position, without self or cls."""
    names = [*node.args.posonlyargs, *node.args.args]
    is_static = any(ast.unparse(decorator) == "staticmethod" for decorator in node.decorator_list)
    return names[1:] if is_method and not is_static else names


def _arguments(node: Function, is_method: bool) -> list[ast.arg]:
    return _positional(node, is_method) + node.args.kwonlyargs


def _positional_options(node: Function, is_method: bool) -> set[str]:
    """Names after the second that may go by position although they have a default."""
    names = _positional(node, is_method)
    first_default = len(names) - len(node.args.defaults)
    return {name.arg for name in names[max(MAX_POSITIONAL, first_default) :]}


def _is_surface(room: str, name: str, node: Function) -> bool:
    is_command = room == "cli" and all(argument.annotation for argument in node.args.kwonlyargs)
    return is_command or (room == "pipelines" and name.endswith(".__call__"))


def _unannotated(node: Function, is_method: bool) -> list[str]:
    variadic = [argument for argument in (node.args.vararg, node.args.kwarg) if argument]
    missing = [argument.arg for argument in _arguments(node, is_method) + variadic if argument.annotation is None]
    return missing + (["the result"] if node.returns is None and node.name != "__init__" else [])


def _missing_dataclass_options(node: ast.ClassDef) -> set[str]:
    """Dataclass options that the class should set and does not; empty for other classes."""
    names = ("dataclass", "dataclasses.dataclass")
    decorators = [decorator for decorator in node.decorator_list if ast.unparse(decorator).split("(")[0] in names]
    if not decorators:
        return set()
    call = decorators[0]
    chosen = {k.arg for k in call.keywords if ast.unparse(k.value) == "True"} if isinstance(call, ast.Call) else set()
    wanted = {"frozen", "slots"} | ({"kw_only"} if CONFIG_NAMES.search(node.name) else set())
    return wanted - chosen


def _fields(node: ast.ClassDef) -> list[str]:
    targets = [item.target for item in node.body if isinstance(item, ast.AnnAssign)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _defined_names(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Every name that a file defines: functions, classes, arguments, variables, attributes of self."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.arg):
            yield node.arg, node
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr, node


def _forbidden_words(name: str, room: str) -> set[str]:
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
    allowed = {"cfg"} if room in CFG_SCALE_ROOMS else set()
    return words & FORBIDDEN_WORDS - allowed


def _reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom) and node.module == "os":
        return any(alias.name in ("environ", "getenv", "putenv") for alias in node.names)
    return isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv", "os.putenv")


def _is_unsafe_load(node: ast.Call) -> bool:
    is_safe = any(keyword.arg == "weights_only" and ast.unparse(keyword.value) == "True" for keyword in node.keywords)
    return ast.unparse(node.func) == "torch.load" and not is_safe


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _guards_an_extra(node: ast.stmt) -> bool:
    """`try: import extra / except ImportError`, and nothing else in it."""
    if not isinstance(node, ast.Try):
        return False
    return all(isinstance(item, ast.Import | ast.ImportFrom) for item in node.body) and all(
        handler.type is not None and ast.unparse(handler.type) in ("ImportError", "ModuleNotFoundError")
        for handler in node.handlers
    )
