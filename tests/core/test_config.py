"""Configs go to dicts and back, and nothing wrong gets in."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from muybridge.core.config import from_dict, override, parse_overrides, to_dict
from muybridge.core.errors import InvalidInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.98)
    kind: Literal["adamw", "muon"] = "adamw"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outer:
    steps: int = 10
    is_fast: bool = False
    name: str | None = None
    sizes: tuple[int, ...] = (64,)
    inner: Inner = field(default_factory=Inner)


def test_a_dict_gives_the_config_back() -> None:
    config = Outer(steps=3, name="none", sizes=(1, 2), inner=Inner(kind="muon"))
    assert from_dict(Outer, to_dict(config)) == config


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [("steps", "7", 7), ("is_fast", "true", True), ("sizes", "64,128", (64, 128)), ("name", "horse", "horse")],
)
def test_words_of_a_command_line_are_read_by_their_type(path: str, text: str, value: object) -> None:
    assert getattr(override(Outer(), {path: text}), path) == value


def test_a_dotted_name_reaches_the_inner_config() -> None:
    changed = override(Outer(), parse_overrides(["inner.lr=2e-4", "inner.betas=0.8,0.9"]))
    assert changed.inner == Inner(lr=2e-4, betas=(0.8, 0.9))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stepz": 1}, "did you mean steps"),
        ({"steps": "many"}, "Outer.steps='many'"),
        ({"steps": True}, "needs a whole number"),
        ({"inner.kind": "sgd"}, "adamw"),
        ({"inner.betas": "0.9"}, "2 values"),
        ({"is_fast": "perhaps"}, "true or false"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        override(Outer(), changes)


def test_an_override_without_a_value_is_refused() -> None:
    with pytest.raises(InvalidInput, match="NAME=VALUE"):
        parse_overrides(["steps"])
