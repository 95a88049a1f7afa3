"""Clips of different sizes, lengths, noise levels and prompts through the network together, each as if it were alone.

Their tokens become one sequence: first the visual tokens of all clips, then the text tokens of all, without padding. A
block does not notice: linear layers and norms go token by token, and what goes by clip is the affair of `Signals`.
Attention stays inside each clip, on its own grid; rotations are those of each grid; shifts, scales and gates are a row
for each run of tokens. So a weight is read once for all clips.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float, Int
from torch import Tensor, nn

from muybridge.core.shapes import token_grid
from muybridge.ops.attention import Attention, Grid
from muybridge.ops.patch import unpatchify
from muybridge.ops.rows import MIN_ROWS
from muybridge.transformer.conditions import Conditions, Made, MakesSignals, Signals, valid_lengths
from muybridge.transformer.model import Transformer

Rows = Literal["img", "txt", "both"]  # what a layer sees: visual tokens, text tokens, or these after those

_STATES = (("text", "text_mask"), ("glyphs", "glyph_mask"), ("vision", "vision_mask"))
_SINGLE = ("pooled", "guidance", "end_sigma")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Clip:
    """One clip's part of a pass, as `Transformer.forward` takes it; b is 1.

    adapters: of which `Adapters` act on it; clips with equal ones are alike.
    """

    latents: Float[Tensor, "1 c t h w"]
    sigma: Float[Tensor, "1"] | Float[Tensor, "1 t"]
    conditions: Conditions
    adapters: Hashable = None

    @property
    def num_levels(self) -> int:
        """Conditioning vectors of its visual tokens."""
        return self.sigma.shape[1] if self.sigma.ndim == 2 else 1

    @property
    def key(self) -> Hashable:
        """What the layout of a pass depends on."""
        return id(self.conditions), tuple(self.latents.shape), self.num_levels, self.adapters


class Adapters(Protocol):
    """Changes of layers that differ from clip to clip, such as LoRAs."""

    def turn_to(self, adapters: Any, /) -> None:
        """Whatever is called now is about clips with these alone."""
        ...

    def spread(self, adapters: Sequence[Any], rows: Mapping[str, Sequence[slice]], /) -> None:
        """Blocks are called now: each clip's adapters act on its rows of what a layer sees."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a clip's tokens are in the joint sequence."""

    grid: Grid
    visual: slice
    text: slice


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedSignals(Signals):
    """Signals of several clips; the grid is one row of all visual tokens.

    frames, clip: the vectors of all clips, (1, g, d) and (1, number of clips, d). The runs say which of them is that of
    each run of tokens, all of one length: `visual` into frames, `text` and `whole` (visual tokens by clip) into clip.
    """

    places: tuple[Place, ...]
    visual: Int[Tensor, " visual_runs"]
    text: Int[Tensor, " text_runs"]
    whole: Int[Tensor, " whole_runs"]

    def of_visual(self, modulation: MakesSignals) -> Made:
        """As in `Signals`."""
        return _of_runs(modulation(self.frames), self.visual)

    def of_text(self, modulation: MakesSignals) -> Made:
        """As in `Signals`."""
        return _of_runs(modulation(self.clip), self.text)

    def of_whole_clip(self, modulation: MakesSignals) -> Made:
        """As in `Signals`."""
        return _of_runs(modulation(self.clip), self.whole)

    def of_both(self, modulation: MakesSignals) -> list[tuple[slice, Made]]:
        """As in `Signals`."""
        has_held = self.frames.shape[1] > self.clip.shape[1]
        made = modulation(torch.cat([self.frames, self.clip], 1) if has_held else self.clip)
        text = self.text + (self.frames.shape[1] if has_held else 0)
        num = self.num_visual
        return [(slice(None, num), _of_runs(made, self.visual)), (slice(num, None), _of_runs(made, text))]

    def attend(self, attention: Attention, query: Tensor, key: Tensor, value: Tensor) -> Float[Tensor, "b heads s d"]:
        """Every clip by itself, on its own grid."""
        out = torch.zeros_like(value.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)
        for place in self.places:
            own = [torch.cat([x[:, :, place.visual], x[:, :, place.text]], 2) for x in (query, key, value)]
            attended = attention(*own, lengths=None, grid=place.grid)
            num = place.visual.stop - place.visual.start
            out[:, :, place.visual], out[:, :, place.text] = attended[:, :, :num], attended[:, :, num:]
        return out


@dataclass(frozen=True, kw_only=True, slots=True)
class _Embedded:
    """Of one clip: conditioning vectors of its frames and of itself, and its text tokens."""

    frames: Float[Tensor, "g d"]
    clip: Float[Tensor, "1 d"]
    txt: Float[Tensor, "l d"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Layout:
    """What stays the same from pass to pass while the clips are the same."""

    clips: tuple[Clip, ...]  # keeps what the key names alive
    groups: Sequence[tuple[Sequence[int], Conditions]]  # clips that are embedded as one batch
    rope: Complex[Tensor, "s half"]
    places: tuple[Place, ...]
    visual: Int[Tensor, " visual_runs"]
    text: Int[Tensor, " text_runs"]
    whole: Int[Tensor, " whole_runs"]


class PackedTransformer:
    """Passes of several clips over one transformer, for drawing: no gradient is recorded."""

    def __init__(self, model: Transformer, *, adapters: Adapters | None = None) -> None:
        self.model = model
        self._adapters = adapters
        self._kept: tuple[Hashable, _Layout | None] = (None, None)

    @torch.inference_mode()
    def __call__(self, clips: Sequence[Clip]) -> list[Float[Tensor, "1 out t h w"]]:
        """The velocity of each clip, in the dtype of its latents. Raises InvalidInput as `Transformer.forward`."""
        model = self.model
        layout = self._layout(clips)
        parts: dict[int, _Embedded] = {}
        visual: dict[int, Tensor] = {}
        for group, conditions in layout.groups:
            if self._adapters is not None:
                self._adapters.turn_to(clips[group[0]].adapters)
            sigma = _levels([clips[i].sigma for i in group])
            parts |= zip(group, _embedded(model, [clips[i] for i in group], sigma, conditions), strict=True)
            visual |= {i: model.img_in(clips[i].latents.to(model.dtype)) for i in group}
        if self._adapters is not None:
            self._adapters.spread([clip.adapters for clip in clips], _rows_of(layout.places))
        every = [parts[i] for i in range(len(clips))]
        signals = PackedSignals(
            frames=torch.cat([part.frames for part in every])[None],
            clip=torch.cat([part.clip for part in every])[None],
            rope=layout.rope,
            grid=(1, 1, layout.places[-1].visual.stop),
            lengths=None,
            chunk_tokens=None if any(clip.adapters for clip in clips) else model.chunk_tokens,  # rows are counted whole
            places=layout.places,
            visual=layout.visual,
            text=layout.text,
            whole=layout.whole,
        )
        txt = torch.cat([part.txt for part in every])
        txt = F.pad(txt, (0, 0, 0, len(layout.rope) - layout.places[-1].visual.stop - len(txt)))
        streams = [torch.cat([visual.pop(i) for i in range(len(clips))], 1), txt[None]]
        patches = model.patches(streams, signals)
        own = [(clip, place.grid, patches[:, place.visual]) for clip, place in zip(clips, layout.places, strict=True)]
        return [
            unpatchify(made, grid, patch_size=model.config.patch_size).to(clip.latents.dtype)
            for clip, grid, made in own
        ]

    def _layout(self, clips: Sequence[Clip]) -> _Layout:
        key = tuple(clip.key for clip in clips)
        kept_key, kept = self._kept
        if kept is None or kept_key != key:
            kept = _laid_out(self.model, clips)
            self._kept = key, kept
        return kept


def rows_of_layer(name: str) -> Rows | None:
    """What a layer of the network sees in a packed pass; None where clips that are alike come to it by themselves."""
    block, _, rest = name.partition(".")
    part = rest.partition(".")[2]
    if block == "double_blocks":
        return "img" if part.startswith("img_") else "txt"
    if block == "single_blocks":
        return "both"
    return "img" if name == "final_layer.linear" else None


def _laid_out(model: Transformer, clips: Sequence[Clip]) -> _Layout:
    for clip in clips:
        model.check(clip.latents, clip.sigma, clip.conditions)
    shapes = [tuple(clip.latents.shape[2:]) for clip in clips]
    grids = [token_grid((t, h, w), model.config.patch_size) for t, h, w in shapes]
    num_visual, num_text = [math.prod(grid) for grid in grids], [_num_text(clip.conditions) for clip in clips]
    visual, text = _slices(num_visual, first=0), _slices(num_text, first=sum(num_visual))
    tables = [model.rope(grid, num_plain=0) for grid in grids]
    padding = max(0, MIN_ROWS - sum(num_text))  # nobody's, for the reason that `ops.rows` gives
    plain = tables[0].new_ones(sum(num_text) + padding, tables[0].shape[1])
    per_vector = [
        n // clip.num_levels for clip, n in zip(clips, num_visual, strict=True) for _ in range(clip.num_levels)
    ]
    device = model.device
    return _Layout(
        clips=tuple(clips),
        groups=_groups(clips),
        rope=torch.cat([*tables, plain]),
        places=tuple(
            Place(grid=grid, visual=own, text=words) for grid, own, words in zip(grids, visual, text, strict=True)
        ),
        visual=_runs(per_vector).to(device),
        text=_runs([*num_text[:-1], num_text[-1] + padding]).to(device),
        whole=_runs(num_visual).to(device),
    )


def _groups(clips: Sequence[Clip]) -> list[tuple[list[int], Conditions]]:
    """Clips under the same adapters whose conditions are of the same kinds, and their conditions as one batch."""
    alike: dict[Hashable, list[int]] = {}
    for index, clip in enumerate(clips):
        kinds = tuple(getattr(clip.conditions, name) is None for name, _ in _STATES)
        alike.setdefault((clip.adapters, kinds), []).append(index)
    return [(group, _batched([clips[i].conditions for i in group])) for group in alike.values()]


def _batched(given: Sequence[Conditions]) -> Conditions:
    """Conditions of single clips as those of a batch, right-padded."""
    if len(given) == 1:
        return given[0]
    fields: dict[str, Tensor | None] = {}
    for name, mask_name in _STATES:
        states = [getattr(each, name) for each in given]
        if states[0] is not None:
            lengths = [_num_valid(each, name, mask_name) for each in given]
            rows = [own[0, :length] for own, length in zip(states, lengths, strict=True)]
            fields[name] = nn.utils.rnn.pad_sequence(rows, batch_first=True)
            fields[mask_name] = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    for name in _SINGLE:
        values = [getattr(each, name) for each in given]
        fields[name] = None if values[0] is None else torch.cat(values)
    return replace(given[0], **fields)


def _num_valid(conditions: Conditions, name: str, mask_name: str) -> int:
    states, mask = getattr(conditions, name), getattr(conditions, mask_name)
    return 0 if states is None else valid_lengths(states, mask, name=mask_name, may_be_empty=name != "text")[0]


def _num_text(conditions: Conditions) -> int:
    """Tokens of the text stream."""
    return sum(_num_valid(conditions, *names) for names in _STATES)


def _levels(sigmas: Sequence[Tensor]) -> Tensor:
    """(b,) where all are; else (b, t), those of shorter clips filled up with their largest, which changes none."""
    if all(sigma.ndim == 1 for sigma in sigmas):
        return torch.cat(list(sigmas))
    rows = [sigma.reshape(-1) for sigma in sigmas]
    longest = max(map(len, rows))
    return torch.stack([torch.cat([row, row.max().expand(longest - len(row))]) for row in rows])


def _embedded(model: Transformer, clips: Sequence[Clip], sigma: Tensor, conditions: Conditions) -> list[_Embedded]:
    """Of each clip of a group."""
    frames, clip, clip_sigma = model.signal_vectors(sigma, conditions)
    txt, lengths = model.text_tokens(conditions, clip_sigma)
    lengths = lengths or [txt.shape[1]] * len(clips)
    return [
        _Embedded(frames=frames[i, : each.num_levels], clip=clip[i], txt=txt[i, : lengths[i]])
        for i, each in enumerate(clips)
    ]


def _rows_of(places: Sequence[Place]) -> dict[str, list[slice]]:
    """The rows of each clip by what a layer sees; where it sees both, there are two for each, all visual ones first."""
    num_visual = places[-1].visual.stop
    text = [place.text for place in places]
    visual = [place.visual for place in places]
    alone = [slice(own.start - num_visual, own.stop - num_visual) for own in text]
    return {"img": visual, "txt": alone, "both": [*visual, *text]}


def _slices(lengths: Sequence[int], *, first: int) -> list[slice]:
    ends = [first]
    for length in lengths:
        ends.append(ends[-1] + length)
    return [slice(start, stop) for start, stop in zip(ends, ends[1:], strict=False)]


def _runs(num_tokens: Sequence[int]) -> Int[Tensor, " runs"]:
    """Which vector is that of each run, where vector i is that of num_tokens[i] tokens: runs as long as possible."""
    length = math.gcd(*num_tokens)
    return torch.arange(len(num_tokens)).repeat_interleave(torch.tensor(num_tokens) // length)


def _of_runs(made: Made, runs: Tensor) -> Made:
    return tuple(signal.index_select(1, runs) for signal in made)
