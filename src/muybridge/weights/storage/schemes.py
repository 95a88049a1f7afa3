"""The table of quantisation schemes, and the one step that makes any checkpoint plain."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.storage import bnb, fp8_map, fp8_plain, quanto, scaled
from muybridge.weights.stored import Packed

# Each takes the entries that are its own and leaves the others; GGUF is a container, decoded where it is opened. The
# order matters only between `scaled` and the two of fp8, whose weights look alike: the more is said, the earlier.
SCHEMES: tuple[Callable[[Checkpoint], Checkpoint], ...] = (
    bnb.fold,  # nf4 and fp4 of bitsandbytes
    quanto.fold,  # int8, int4, int2 and float8 of optimum-quanto
    scaled.fold,  # a scale beside each weight: ComfyUI, Kijai, ModelOpt, musubi-tuner; nvfp4 and mxfp8
    fp8_map.fold,  # the released fp8: scales in a second file
    fp8_plain.fold,  # fp8 as it is
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantisation:
    """What of a checkpoint is quantised, by key. scheme: what most of the parameters are stored as."""

    scheme: str
    tensors: Mapping[str, Packed]

    @property
    def num_quantised(self) -> int:
        """How many tensors."""
        return len(self.tensors)

    @property
    def num_bytes(self) -> int:
        """Their size in the file, scales included."""
        return sum(packed.num_bytes for packed in self.tensors.values())

    def counts(self) -> dict[str, int]:
        """How many tensors by scheme, the commonest first."""
        return dict(Counter(packed.scheme for packed in self.tensors.values()).most_common())


def plain(checkpoint: Checkpoint) -> tuple[Checkpoint, Quantisation | None]:
    """The checkpoint without companions: each quantised tensor under its own key, decoded alone when it is read.

    Scales, maps and markers are folded into the tensors that they belong to; `StoredTensor.packed` keeps what the file
    holds. Nothing is read but what tells a shape. A plain checkpoint comes back as it is, with None.
    Raises WeightsError where a companion is missing, misshapen, belongs to nothing, or names an unknown scheme.
    """
    for fold in SCHEMES:
        checkpoint = fold(checkpoint)
    packed = {key: entry.packed for key, entry in checkpoint.entries.items() if entry.packed is not None}
    if not packed:
        return checkpoint, None
    sizes: Counter[str] = Counter()
    for key, tensor in packed.items():
        sizes[tensor.scheme] += checkpoint.entries[key].num_elements
    return checkpoint, Quantisation(scheme=sizes.most_common(1)[0][0], tensors=packed)
