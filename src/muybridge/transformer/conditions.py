"""What the video is conditioned on, and what the blocks are told about it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Complex, Float, Integer
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.ops.attention import Attention, Grid
from muybridge.transformer.config import TransformerConfig

Mask = Bool[Tensor, "b l"] | Integer[Tensor, "b l"]
Made = tuple[Float[Tensor, "b g d"], ...]  # shifts, scales and gates, one for each run of tokens
MakesSignals = Callable[[Tensor], Made]  # of conditioning vectors (b, g, d)


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """What a network takes beside the latents; what it has no use for (`TransformerConfig` tells) is not given.

    text: states of the language model; text_mask: True (or 1, as tokenizers give it) where a token is part of the
    prompt, right-padded, None when all are; pooled: the pooled embedding; guidance: the embedded guidance scale such as
    6.0; end_sigma: where the step ends, for networks that predict its mean velocity. glyphs, vision: states of quoted
    words and of the condition's picture, None where there are none; their masks are like the text's, and may be empty.
    """

    text: Float[Tensor, "b l text_dim"]
    pooled: Float[Tensor, "b pooled_dim"] | None = None
    text_mask: Bool[Tensor, "b l"] | Integer[Tensor, "b l"] | None = None
    guidance: Float[Tensor, " b"] | None = None
    glyphs: Float[Tensor, "b g glyph_dim"] | None = None
    glyph_mask: Bool[Tensor, "b g"] | Integer[Tensor, "b g"] | None = None
    vision: Float[Tensor, "b v vision_dim"] | None = None
    vision_mask: Bool[Tensor, "b v"] | Integer[Tensor, "b v"] | None = None
    end_sigma: Float[Tensor, " b"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Signals:
    """What every block receives beside its tokens.

    frames: conditioning vectors of the visual tokens, one per latent frame or one (g = 1) for the whole clip;
    clip: those of the text tokens; rope: `ops.rope.rope_table` of visual then text tokens; grid: of the visual
    tokens; lengths: valid tokens of each sample (visual and text), None when all are valid; chunk_tokens: how many
    tokens a block takes at a time where no gradient is recorded, None for all.
    """

    frames: Float[Tensor, "b g d"]
    clip: Float[Tensor, "b clips d"]  # one, but in a packed pass
    rope: Complex[Tensor, "s half"]
    grid: Grid
    lengths: Sequence[int] | None
    chunk_tokens: int | None

    @property
    def num_visual(self) -> int:
        """Tokens before the text."""
        return math.prod(self.grid)

    def of_visual(self, modulation: MakesSignals) -> Made:
        """What a layer makes for the visual tokens, in equal runs of them."""
        return modulation(self.frames)

    def of_text(self, modulation: MakesSignals) -> Made:
        """What a layer makes for the text tokens."""
        return modulation(self.clip)

    def of_whole_clip(self, modulation: MakesSignals) -> Made:
        """What a layer makes for the visual tokens where held frames make no difference."""
        return modulation(self.clip)

    def of_both(self, modulation: MakesSignals) -> list[tuple[slice, Made]]:
        """What one layer makes for the joint sequence: all of it, or the visual and the text tokens."""
        if self.frames.shape[1] == 1:  # frames share one signal, which is the clip's own
            return [(slice(None), modulation(self.clip))]
        made = modulation(torch.cat([self.frames, self.clip], 1))
        visual, text = tuple(signal[:, :-1] for signal in made), tuple(signal[:, -1:] for signal in made)
        return [(slice(None, self.num_visual), visual), (slice(self.num_visual, None), text)]

    def attend(self, attention: Attention, query: Tensor, key: Tensor, value: Tensor) -> Float[Tensor, "b heads s d"]:
        """What the joint sequence's tokens attend to."""
        return attention(query, key, value, lengths=self.lengths, grid=self.grid)


def check_conditions(conditions: Conditions, config: TransformerConfig, num_samples: int) -> None:
    """Raises InvalidInput where an input is missing, is not for this network, or has another shape than it needs."""
    given, b = conditions, num_samples
    _check_states("text", given.text, given.text_mask, shape=(b, config.text_dim))
    for name, states, mask, dim in (
        ("glyphs", given.glyphs, given.glyph_mask, config.glyph_dim),
        ("vision", given.vision, given.vision_mask, config.vision_dim),
    ):
        if states is not None and not dim:
            raise invalid(f"{name} {tuple(states.shape)}", "this network takes none", "leave them out")
        if states is not None:
            _check_states(name, states, mask, shape=(b, dim))
    if config.pooled_dim or given.pooled is not None:
        shape = None if given.pooled is None else tuple(given.pooled.shape)
        if shape != (b, config.pooled_dim):
            rule = f"must be ({b}, {config.pooled_dim})"
            raise invalid(f"pooled {shape}", rule, "use this model's text encoder")
    if config.has_guidance:
        _check_scalars("guidance", given.guidance, b, rule="this network embeds the guidance scale", example="6.0")
    if config.has_end_sigma:
        _check_scalars("end_sigma", given.end_sigma, b, rule="this network embeds where a step ends", example="0.0")


def valid_lengths(
    states: Float[Tensor, "b l d"], mask: Mask | None, *, name: str, may_be_empty: bool = False
) -> list[int]:
    """Valid tokens of each sample: all where there is no mask. Reads the mask back to the host.

    Raises InvalidInput, with `name`, unless every row is some True (or 1), or none where it may be empty, and then only
    False (or 0).
    """
    if mask is None:
        return [states.shape[1]] * len(states)
    if mask.is_floating_point() or mask.is_complex():
        raise invalid(f"{name} of {mask.dtype}", "must be bool, or whole numbers 0 and 1", "pass mask.bool()")
    if mask.dtype != torch.bool and not bool(((mask == 0) | (mask == 1)).all()):
        raise invalid(name, "holds numbers other than 0 and 1", "give 1 for prompt, 0 for padding")
    mask = mask.bool()
    lengths = mask.sum(1)
    is_prefix = (mask == (torch.arange(mask.shape[1], device=mask.device) < lengths[:, None])).all(1)
    for sample, (length, fits) in enumerate(torch.stack([lengths, is_prefix.long()], 1).tolist()):
        if length == 0 and not may_be_empty:
            raise invalid(f"{name}[{sample}]", "has no valid token", "keep at least one, also for an empty prompt")
        if not fits:
            raise invalid(f"{name}[{sample}]", "has a hole", "put the valid tokens first, padding after")
    return [int(length) for length in lengths.tolist()]


def _check_states(name: str, states: Tensor, mask: Mask | None, *, shape: tuple[int, int]) -> None:
    b, dim = shape
    if states.ndim != 3 or states.shape[0] != b or states.shape[2] != dim or states.shape[1] == 0:
        rule = f"must be ({b}, l, {dim}) with l > 0"
        raise invalid(f"{name} {tuple(states.shape)}", rule, "use this model's text encoder")
    if mask is not None and mask.shape != states.shape[:2]:
        given = f"{name}_mask" if name == "text" else f"mask of {name}"
        raise invalid(f"{given} {tuple(mask.shape)}", f"must be {tuple(states.shape[:2])}", "one bool per token")


def _check_scalars(name: str, values: Tensor | None, num_samples: int, *, rule: str, example: str) -> None:
    if values is None:
        raise invalid(f"{name}=None", rule, f"give one per clip, such as {example}")
    if tuple(values.shape) != (num_samples,):
        raise invalid(f"{name} {tuple(values.shape)}", f"must be ({num_samples},)", "give one per clip")
