"""The checker behind jaxtyping's import hook: array annotations are enforced on every call, other annotations are not.

A general run-time type checker would also refuse the wrong types that some tests pass on purpose, and cannot judge
plain Protocols; the shapes are what the annotations promise and what a static checker cannot see.
"""

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from jaxtyping import AbstractArray


def check_shapes(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, raising TypeError where an argument or the result breaks its jaxtyping annotation."""
    signature = inspect.signature(function)
    hints = {name: p.annotation for name, p in signature.parameters.items() if _is_array(p.annotation)}
    result_hint = signature.return_annotation if _is_array(signature.return_annotation) else None
    if not hints and result_hint is None:
        return function

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        for name, hint in hints.items():
            if name in given:
                _check(name, given[name], hint)
        result = function(*args, **kwargs)
        if result_hint is not None:
            _check("the result", result, result_hint)
        return result

    return checked


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
