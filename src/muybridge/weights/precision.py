"""The precisions that `convert` can write beside the plain ones, what each may lose, and the check of what it lost.

Only the linear layers of the blocks are quantised; everything else keeps every bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.core.files import OnBytes
from muybridge.weights.layouts import Entries
from muybridge.weights.storage.write import fp8_cast, fp8_scaled, int8_rows, is_block_linear, nf4
from muybridge.weights.stored import StoredTensor

_COMPUTE = 2.0**-8  # what is quantised is computed with in bfloat16, and rounded to it when it is read
_E4M3 = 2.0**-4 + _COMPUTE  # half of its last place, of a value
_SMALLEST = 2.0**-10  # half of the smallest value of e4m3, and about the largest value of a scaled one over that of all


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """How blocks' linear layers are stored. quantise: entries to entries, in safetensors; None where GGUF does it.

    A value may differ by `relative` of itself, `of_largest` of the largest in its tensor, and `absolute`.
    """

    title: str
    quantise: Callable[[Entries], Entries] | None = None
    relative: float = 0.0
    of_largest: float = 0.0
    absolute: float = 0.0

    def largest_error(self, expected: Tensor) -> Tensor:
        """By how much each value may differ."""
        magnitude = expected.abs()
        return self.relative * magnitude + self.of_largest * magnitude.max() + self.absolute


PLAIN = Precision(title="as it is")
PRECISIONS: dict[str, Precision] = {  # of_largest: half a step, and for Q4_0 and Q5_0 a whole one at the far end
    "fp8": Precision(
        title="e4m3, values over 448 refused", quantise=fp8_cast, relative=_E4M3, absolute=_SMALLEST
    ),
    "fp8-scaled": Precision(
        title="e4m3 and a scale per tensor (ComfyUI)", quantise=fp8_scaled, relative=_E4M3, of_largest=_SMALLEST / 448
    ),
    "fp8-scaled-rows": Precision(
        title="e4m3 and a scale per row", quantise=partial(fp8_scaled, per_row=True), relative=_E4M3,
        of_largest=_SMALLEST / 448,
    ),
    "int8": Precision(
        title="int8 and a scale per row (optimum-quanto)", quantise=int8_rows, relative=_COMPUTE, of_largest=0.0065
    ),
    "nf4": Precision(title="4.5 bits (bitsandbytes)", quantise=nf4, relative=_COMPUTE, of_largest=0.153),
    "q8_0": Precision(title="GGUF, 8.5 bits a value", relative=_COMPUTE, of_largest=0.0045),
    "q5_1": Precision(title="GGUF, 6 bits", relative=_COMPUTE, of_largest=0.035),
    "q5_0": Precision(title="GGUF, 5.5 bits", relative=_COMPUTE, of_largest=0.064),
    "q4_1": Precision(title="GGUF, 5 bits", relative=_COMPUTE, of_largest=0.07),
    "q4_0": Precision(title="GGUF, 4.5 bits", relative=_COMPUTE, of_largest=0.127),
    "bf16": Precision(title="GGUF", relative=_COMPUTE),
    "f16": Precision(title="GGUF", relative=_COMPUTE, absolute=2.0**-25),
    "f32": Precision(title="GGUF"),
}  # fmt: skip


def check_read_back(
    written: Entries, expected: Entries, precision: Precision, *, file: Path, on_bytes: OnBytes
) -> float:
    """The largest error found, in parts of the largest value of its tensor; one tensor of each in memory at a time.

    Raises WeightsError where a key is missing or strange, or a tensor lost more than its precision may.
    """
    if strange := sorted(written.keys() ^ expected.keys()):
        raise WeightsError(f"{file}: {strange[0]!r} was lost or invented on the way; keep the source and report this.")
    worst = 0.0
    for key, entry in expected.items():
        allowed = precision if is_block_linear(key, entry) else PLAIN
        worst = max(worst, _error(written[key], entry, allowed, file=file, key=key))
        on_bytes(entry.num_bytes)
    return worst


def _error(written: StoredTensor, expected: StoredTensor, allowed: Precision, *, file: Path, key: str) -> float:
    values = expected.read().float()
    if not values.numel():
        return 0.0
    error = (written.read().float() - values).abs()
    largest = float(error.max() / values.abs().max().clamp(min=1e-30))
    if bool((error <= allowed.largest_error(values)).all()):
        return largest
    rule = f"{key!r} lost {largest:.2g} of its largest value, more than this precision may"
    raise WeightsError(f"{file}: {rule}; choose another, such as fp8-scaled, and if it stays check the disk.")
