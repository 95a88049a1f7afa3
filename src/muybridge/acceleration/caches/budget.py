"""What a user asks of a step cache: a quality to keep, or a speed to reach."""

import re
from dataclasses import dataclass
from typing import Literal, Self

from muybridge.core.errors import invalid

Kind = Literal["psnr", "speed"]

MIN_PSNR_DB, MAX_PSNR_DB = 15.0, 60.0  # below, another film; above, the rounding of pixels to 8 bits (59 dB)
MIN_SPEED, MAX_SPEED = 1.0, 8.0  # convention: beyond 8, fewer steps are the better way

_NUMBER = r"(\d{1,3}(?:\.\d{1,3})?)"
_OPTIONS: dict[str, tuple[Kind, re.Pattern[str], str]] = {  # by the option's name: what it asks, how, an example
    "quality": ("psnr", re.compile(rf"psnr>={_NUMBER}"), "psnr>=32"),
    "speed": ("speed", re.compile(rf"{_NUMBER}x"), "2x"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """`psnr`: at least so many dB against the film without a cache. `speed`: so many times fewer evaluations.

    Raises InvalidInput where the value is out of range.
    """

    kind: Kind
    value: float

    def __post_init__(self) -> None:
        if self.kind not in ("psnr", "speed"):
            raise invalid(f"budget {self.kind!r}", "is psnr or speed", "write psnr>=32 or speed=2x")
        is_psnr = self.kind == "psnr"
        low, high = (MIN_PSNR_DB, MAX_PSNR_DB) if is_psnr else (MIN_SPEED, MAX_SPEED)
        if not low <= self.value <= high:
            example = "quality psnr>=32" if is_psnr else "speed 2x"
            raise invalid(str(self), f"must lie from {low:g} to {high:g}", f"use {example}")

    def __str__(self) -> str:
        return f"psnr>={self.value:g}" if self.kind == "psnr" else f"speed={self.value:g}x"

    def options(self) -> dict[str, str]:
        """The option that asks for it, and its value: what `of` takes back."""
        return {"quality": str(self)} if self.kind == "psnr" else {"speed": f"{self.value:g}x"}

    @classmethod
    def parse(cls, text: str) -> Self:
        """The budget that `str` writes so: `psnr>=32` or `speed=2x`; raises InvalidInput on anything else."""
        if text.startswith("speed="):
            return cls._read("speed", text.removeprefix("speed="))
        return cls._read("quality", text)

    @classmethod
    def of(cls, *, quality: str | None = None, speed: str | None = None) -> Self | None:
        """The budget of the two options, at most one of which is given: quality "psnr>=32", speed "2x"; None for none.

        Raises InvalidInput.
        """
        if quality is not None and speed is not None:
            rule = "one follows from the other, so only one can be asked for"
            raise invalid(f"quality={quality} and speed={speed}", rule, "leave one out")
        if quality is not None:
            return cls._read("quality", quality)
        return None if speed is None else cls._read("speed", speed)

    @classmethod
    def _read(cls, option: str, text: str) -> Self:
        kind, pattern, example = _OPTIONS[option]
        found = pattern.fullmatch(text.strip())
        if found is None:
            raise invalid(f"{option}={text!r}", f"is written like {example}", f"use {example}")
        return cls(kind=kind, value=float(found[1]))
