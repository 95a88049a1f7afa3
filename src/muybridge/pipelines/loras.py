"""The LoRAs of a pipeline: read once, swapped between films without building the model anew."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from muybridge.ops.adapted import Dial
from muybridge.pipelines.identity import found_file
from muybridge.pipelines.lora_use import SYNTAX, LoraUse
from muybridge.transformer import Transformer
from muybridge.weights.lora import ActiveLora, Lora, LoraStack, read_lora

REMEDY = f"name the file itself, such as adapter_model.safetensors, as {SYNTAX}"


class LoraShelf:
    """LoRA files by their content, and those that act on one transformer now."""

    def __init__(self, transformer: Transformer) -> None:
        self._stack = LoraStack(transformer)
        self._loras: dict[tuple[str, bool], Lora] = {}
        self._dials: dict[tuple[int, str | None], Dial] = {}

    def identified(self, use: LoraUse) -> LoraUse:
        """The use with its file's full path and hash, so that it can be repeated from anywhere.

        Raises InvalidInput where there is no such file, or it is not the one that the hash says.
        """
        path, digest = found_file(use.file, option="lora", known=use.sha256, remedy=REMEDY)
        return replace(use, file=path, sha256=digest)

    def check(self, uses: Sequence[LoraUse]) -> None:
        """Read and fit them all. Raises WeightsError or InvalidInput where one cannot act on the transformer."""
        with self.active(uses):
            pass

    @contextmanager
    def active(self, uses: Sequence[LoraUse]) -> Iterator[Callable[[int], None] | None]:
        """The uses act inside; gives what makes them those of a sampler step (from 1), None where all steps are alike.

        Outside the transformer is as it was; what was fitted stays at hand for the next film with the same.
        """
        self._stack.set([self.read(use) for use in uses])
        try:
            yield self._stack.at_step if any(use.steps for use in uses) else None
        finally:
            self._stack.mute()

    def share(self, uses: Sequence[ActiveLora]) -> None:
        """Have all of these at hand, off, for films that share passes; those of one file and blocks are one."""
        apart = {_place(use): use for use in uses}
        self._stack.set(list(apart.values()))
        self._stack.mute()
        self._dials = dict(zip(apart, self._stack.dials, strict=True))

    def dial(self, use: ActiveLora) -> Dial:
        """How strongly one acts that is at hand."""
        return self._dials[_place(use)]

    def can_share(self, uses: Sequence[LoraUse]) -> bool:
        """Whether these can act on some films of a pass and not on others: not where they change norms."""
        if not uses:
            return True
        with self.active(uses):
            return self._stack.is_linear_in_blocks

    def read(self, use: LoraUse) -> ActiveLora:
        """The use with what is in its file, which is read once."""
        found = self.identified(use)
        key = (found.sha256 or "", use.ignores_text)
        if key not in self._loras:
            self._loras[key] = read_lora(found.file, text_encoder="ignore" if use.ignores_text else "refuse")
        return ActiveLora(lora=self._loras[key], weight=use.weight, blocks=use.blocks, steps=use.steps)


def _place(use: ActiveLora) -> tuple[int, str | None]:
    """What changes of layers are known by, however strong they are."""
    return id(use.lora), use.blocks
