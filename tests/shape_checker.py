"""Array annotations enforced on every call while tests run; other annotations are not.

A general run-time type checker would also refuse the wrong types that some tests pass on purpose, and cannot judge
plain Protocols; the shapes are what the annotations promise and what a static checker cannot see. Functions without
array annotations are left as they are: jaxtyping's own import hook wraps every one of them, which made the suite's
plain Python nine times as slow.
"""

import ast
import functools
import sys
import types
import typing
from collections.abc import Sequence
from dataclasses import is_dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import Any

from jaxtyping import AbstractArray, config, jaxtyped

_IMPORT = ast.parse("from tests.shape_checker import enforced as _enforced_shapes").body
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def enforce_shapes(package: str) -> None:
    """Modules of a package that are imported from now on raise TypeError where arrays break their annotations."""
    sys.meta_path.insert(0, _Finder(package))


def enforced(given: Any) -> Any:
    """A function, or a dataclass whose fields are arrays, raising TypeError where a jaxtyping annotation is broken."""
    if isinstance(given, type):
        if is_dataclass(given) and "__init__" in vars(given):
            given.__init__ = enforced(given.__init__)
        return given
    hints = {name: hint for name, hint in given.__annotations__.items() if _is_array(hint)}
    return _checking(given, hints) if hints else given


def _checking(function: Any, hints: dict[str, Any]) -> Any:
    names = function.__code__.co_varnames[: function.__code__.co_argcount]

    @jaxtyped(typechecker=None)  # the names of dimensions hold within one call
    @functools.wraps(function)
    def checked(*given: Any, **named: Any) -> Any:
        for name, value in (*zip(names, given, strict=False), *named.items()):
            if name in hints:
                _check(name, value, hints[name])
        result = function(*given, **named)
        if "return" in hints:
            _check("the result", result, hints["return"])
        return result

    @functools.wraps(function)
    def chosen(*given: Any, **named: Any) -> Any:
        return function(*given, **named) if config.jaxtyping_disable else checked(*given, **named)

    return chosen


def _check(name: str, value: Any, hint: Any) -> None:
    if not isinstance(value, hint):
        shape = tuple(getattr(value, "shape", ())) or type(value).__name__
        raise TypeError(f"{name} is {getattr(value, 'dtype', '')} {shape}, not {hint}")


def _is_array(hint: Any) -> bool:
    """True for `Float[Tensor, "b c"]` and for `Float[Tensor, "b c"] | None`."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        return bool(options) and all(map(_is_array, options))
    return isinstance(hint, type) and issubclass(hint, AbstractArray)


class _Finder(MetaPathFinder):
    """Has the package's modules loaded by `_Loader`."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.split(".")[0] != self._package:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Decorates every function and class of a module with `enforced`; compiles it anew each time."""

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), path)
        for node in ast.walk(tree):
            if isinstance(node, _FUNCTIONS):
                node.decorator_list.append(_decorator(node))  # before others, which may take annotations away
            elif isinstance(node, ast.ClassDef) and node.decorator_list:
                node.decorator_list.insert(0, _decorator(node))  # after `dataclass`
        first = next((at for at, node in enumerate(tree.body) if not _comes_first(node)), len(tree.body))
        tree.body[first:first] = _IMPORT
        return compile(tree, path, "exec", dont_inherit=True)


def _decorator(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.expr:
    return ast.copy_location(ast.Name("_enforced_shapes", ast.Load()), node)


def _comes_first(node: ast.stmt) -> bool:
    """The docstring, and imports from the future."""
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or (isinstance(node, ast.ImportFrom) and node.module == "__future__")
