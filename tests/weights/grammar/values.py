"""Numbers, names and JSON that no sound file holds."""

import json
from random import Random
from typing import Any

NUMBERS = (
    0, -1, 1, 2, 3, 7, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**60, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), 10**40,
    0.5, -0.0, 1e308, float("nan"), float("inf"), True, False, None, "4", "", [], {}, [1], {"a": 1},
)  # fmt: skip
COUNTS = (0, 1, 2, 3, 2**8, 2**16, 2**20, 2**31 - 1, 2**32, 2**48, 2**53, 2**60, 2**63 - 1)
NAMES = (
    "", ".", "..", "/", "../x", "a\nb", "a\0b", "\ud800", "\u202e", "x" * 100_000, "__metadata__", "weight",
    "double_blocks.99999999999999999999.img_mod.linear.weight", "double_blocks.-1.img_mod.linear.weight",
    "double_blocks.0.img_mod.linear.weight.weight", "model.diffusion_model.", "lora_unet_", ".lora_A.weight", "\x1b[2J",
    "double_blocks.٣.img_mod.linear.weight", "single_blocks.0", "vae.", "text_encoders.", "scaled_fp8",
)  # fmt: skip


def number(rng: Random) -> Any:
    """Anything where a number should stand."""
    return rng.choice(NUMBERS)


def name(rng: Random) -> str:
    """A key nobody writes."""
    return rng.choice(NAMES)


def shape(rng: Random) -> list[Any]:
    """A list where a shape should stand: rank 0, empty, inflated, with what is no number."""
    draw = rng.random()
    if draw < 0.3:
        return []
    if draw < 0.6:
        return [rng.choice(COUNTS) for _ in range(rng.choice((1, 2, 3, 5, 100)))]
    return [number(rng) for _ in range(rng.randint(1, 6))]


def nested(rng: Random) -> str:
    """JSON text that nests, ends early, repeats its keys, or is of another type."""
    depth = rng.choice((1, 50, 900, 5_000, 100_000))
    return rng.choice((
        "[" * depth, "[" * depth + "]" * depth, '{"a":' * depth, '{"a":' * depth + "1" + "}" * depth,
        "null", "1", '"text"', "[1]", "{", "", "{}", '{"a": 1, "a": 2}', "1" * 5_000, '{"a": ' + "9" * 5_000 + "}",
        "NaN", '{"a": NaN}', "\ufeff{}", '{"\\ud800": "\\udfff"}', "{\"a\": 1e999999}",
    ))  # fmt: skip


def lied(rng: Random, fields: dict[str, Any]) -> dict[str, Any]:
    """A map with one value changed, removed, or nested."""
    fields = json.loads(json.dumps(fields))
    if fields:
        at = rng.choice(sorted(fields))
        change = rng.random()
        if change < 0.2:
            del fields[at]
        else:
            fields[at] = number(rng) if change < 0.8 else [fields[at]] * rng.choice((1, 3, 1000))
    return fields
