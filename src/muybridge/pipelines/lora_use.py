"""Which LoRA acts in a film, how strongly, where and when: typed, or in one word of the command line."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from muybridge.core.errors import invalid
from muybridge.flow.schedules import Steps, check_steps, parse_steps
from muybridge.weights.lora.select import check_blocks

MAX_WEIGHT = 100.0  # convention: useful weights lie within 2
SYNTAX = "FILE[:WEIGHT][@BLOCKS][#STEPS]"
_EXAMPLE = "write it like style.safetensors:0.8@double_blocks.0-9,single#1-10"
_WORD = re.compile(
    r"(?P<file>.+?)(?::(?P<weight>[^:@#/\\]*))?(?:@(?P<blocks>[^@#]*))?(?:#(?P<steps>[^#]*))?", re.DOTALL
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraUse:
    """One LoRA file in one film.

    weight: 1 as trained, 0.5 half as strong, negative turns away. blocks: `double_blocks.0-9,single` or with * and ?,
    None for all. steps: the first and the last sampler step that it acts in, counted from 1; None for all, and a last
    of None for all from the first on. ignores_text: leave keys of a text encoder aside, which are refused otherwise.
    sha256: of the file, where it is known; another file is then refused.
    Raises InvalidInput where a value breaks a rule.
    """

    file: str
    weight: float = 1.0
    blocks: str | None = None
    steps: Steps | None = None
    ignores_text: bool = False
    sha256: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.file, str) or not self.file.strip():
            raise invalid(f"lora {self.file!r}", "names no file", _EXAMPLE)
        number = isinstance(self.weight, (int, float)) and not isinstance(self.weight, bool)
        if not number or not math.isfinite(self.weight) or abs(self.weight) > MAX_WEIGHT:
            raise invalid(f"lora weight {self.weight!r}", f"needs a number within {MAX_WEIGHT:g}", "use 0.8")
        if self.blocks is not None:
            check_blocks(self.blocks)
        if self.steps is not None:
            check_steps(self.steps, name="lora steps")

    @classmethod
    def parse(cls, text: str, *, ignores_text: bool = False) -> Self:
        """The use that `FILE[:WEIGHT][@BLOCKS][#STEPS]` means; the whole text is the file where there is one so named.

        Raises InvalidInput.
        """
        if Path(text).expanduser().is_file():
            return cls(file=text, ignores_text=ignores_text)
        match = _WORD.fullmatch(text)
        if match is None:
            raise invalid(f"lora {text!r}", f"is not {SYNTAX}", _EXAMPLE)
        return cls(
            file=match["file"],
            weight=1.0 if match["weight"] is None else _number(match["weight"], text),
            blocks=match["blocks"],
            steps=None if match["steps"] is None else parse_steps(match["steps"], name=f"lora {text!r}"),
            ignores_text=ignores_text,
        )

    @classmethod
    def of(cls, given: object) -> Self:
        """A use, or the text of one. Raises InvalidInput on anything else."""
        if isinstance(given, cls):
            return given
        if isinstance(given, (str, Path)):
            return cls.parse(str(given))
        raise invalid(f"lora {given!r}", "is neither a LoraUse nor text", _EXAMPLE)

    def check_num_steps(self, num_steps: int) -> None:
        """Raises InvalidInput where it would act in a step that the sampler does not take."""
        if self.steps is not None:
            check_steps(self.steps, name=f"lora {Path(self.file).name} in steps", num_steps=num_steps)


def _number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise invalid(f"lora {whole!r}", f"{text!r} is no weight", _EXAMPLE) from None
