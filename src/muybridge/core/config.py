"""Frozen dataclass configs to and from plain dicts, strictly, and dotted overrides."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, Union

from muybridge.core.errors import InvalidInput

C = TypeVar("C")


def to_dict(config: Any) -> dict[str, Any]:
    """A JSON-ready dict of a config dataclass; tuples become lists. Fields without a repr, such as pixels, stay out."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config) if field.repr}


def changes(config: Any) -> dict[str, Any]:
    """The same of the fields alone that are not at their default."""
    plain = to_dict(config)
    return {
        field.name: plain[field.name]
        for field in dataclasses.fields(config)
        if field.name in plain and getattr(config, field.name) != _default(field)
    }


def from_dict(cls: type[C], values: Mapping[str, Any]) -> C:
    """The config of type `cls` from a dict such as `to_dict` gives.

    Raises InvalidInput on an unknown or missing field, or a value of the wrong type.
    """
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            raise InvalidInput(f"{cls.__name__}.{name}: no such field; {_nearest(name, names)}.")
    try:
        return cls(**{name: _typed(hints[name], value, f"{cls.__name__}.{name}") for name, value in values.items()})
    except TypeError as error:
        raise InvalidInput(f"{cls.__name__}: {error}.") from None


def override(config: C, changes: Mapping[str, Any]) -> C:
    """The config with dotted fields replaced: `override(run, {"optimizer.lr": 1e-4})`."""
    for path, value in changes.items():
        config = _override_one(config, path.split("."), value)
    return config


def completed(values: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """`values`, such as `to_dict` once gave, with every field that they lack at its default in `config`'s type.

    Fields without a default stay missing.
    """
    whole = dict(values)
    for field in dataclasses.fields(config):
        inner = getattr(config, field.name)
        if field.name not in whole and (default := _default(field)) is not dataclasses.MISSING:
            whole[field.name] = _plain(default)
        elif dataclasses.is_dataclass(inner) and isinstance(whole.get(field.name), Mapping):
            whole[field.name] = completed(whole[field.name], inner)
    return whole


def parse_overrides(items: list[str]) -> dict[str, str]:
    """`["optimizer.lr=1e-4"]` as a dict; raises InvalidInput on an item without `=`."""
    for item in items:
        if "=" not in item:
            raise InvalidInput(f"{item}: an override is NAME=VALUE; write it like steps=100.")
    return dict(item.split("=", 1) for item in items)


def _override_one(config: Any, path: list[str], value: Any) -> Any:
    names = [field.name for field in dataclasses.fields(config)]
    name = path[0]
    if name not in names:
        raise InvalidInput(f"{type(config).__name__}.{name}: no such field; {_nearest(name, names)}.")
    if len(path) > 1:
        return dataclasses.replace(config, **{name: _override_one(getattr(config, name), path[1:], value)})
    hint = typing.get_type_hints(type(config))[name]
    return dataclasses.replace(config, **{name: _typed(hint, value, f"{type(config).__name__}.{name}")})


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}" if close else f"choose from {', '.join(names)}"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _typed(hint: Any, value: Any, where: str) -> Any:
    """`value` as the annotated type; strings (from a command line) are parsed, nothing else is coerced."""
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        return _typed_union(typing.get_args(hint), value, where)
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else from_dict(typing.cast(type, hint), value)  # type: ignore[arg-type]
    if origin is typing.Literal:
        if value in typing.get_args(hint):
            return value
        raise InvalidInput(f"{where}={value!r}: use one of {', '.join(map(repr, typing.get_args(hint)))}.")
    if origin is tuple:
        return _typed_tuple(typing.get_args(hint), value, where)
    return _typed_scalar(hint, value, where)


def _typed_union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    is_none = value is None or (value == "none" and str not in options)
    if is_none and type(None) in options:
        return None
    *others, last = (option for option in options if option is not type(None))
    for option in others:
        try:
            return _typed(option, value, where)
        except InvalidInput:
            continue  # the next one may fit
    return _typed(last, value, where)


def _typed_tuple(items: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if isinstance(value, str):
        value = [part for part in value.strip("()[] ").split(",") if part.strip()]
    if not isinstance(value, (list, tuple)):
        raise InvalidInput(f"{where}={value!r}: give a list of values.")
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_typed(items[0], item, where) for item in value)
    if len(items) != len(value):
        raise InvalidInput(f"{where}={value!r}: needs {len(items)} values.")
    return tuple(_typed(hint, item, where) for hint, item in zip(items, value, strict=True))


def _typed_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and hint in (int, float, bool):
        return _parsed(hint, value.strip(), where)
    if isinstance(hint, type) and (not isinstance(value, hint) or (hint is int and isinstance(value, bool))):
        raise InvalidInput(f"{where}={value!r}: {_rule(hint)}.")
    return value


def _parsed(hint: type, text: str, where: str) -> Any:
    if hint is bool:
        if text.lower() in ("true", "yes", "1", "false", "no", "0"):
            return text.lower() in ("true", "yes", "1")
        raise InvalidInput(f"{where}={text!r}: needs true or false.")
    try:
        return hint(text)
    except ValueError:
        raise InvalidInput(f"{where}={text!r}: {_rule(hint)}.") from None


def _rule(hint: type) -> str:
    examples = {int: "needs a whole number; write it like 100", float: "needs a number; write it like 1e-3"}
    return examples.get(hint, f"needs {hint.__name__}; give one")
