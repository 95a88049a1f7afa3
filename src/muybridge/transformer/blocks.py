"""The kinds of block and the final layer. Paper 4.2: dual-stream, then single-stream.

Where no gradient is recorded a block goes through its tokens in pieces of `Signals.chunk_tokens`, and the pieces of
both streams meet in one memory for queries, keys and values. At its fullest, in attention, it then holds five values a
token and channel: the stream, those three, and what was attended (measured: benchmarks/transformer.py).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Complex, Float
from torch import Tensor, nn

from muybridge.ops.attention import Attention, attend
from muybridge.ops.modulation import add_gated, norm_and_modulate
from muybridge.ops.norm import RMSNorm
from muybridge.ops.outputs import outputs
from muybridge.ops.pieces import by_pieces, pieces
from muybridge.ops.rows import few_rows
from muybridge.transformer.conditions import Made, Signals

Stream = Literal["img", "txt"]
Heads = tuple[  # queries, keys, values
    Float[Tensor, "b heads s d"], Float[Tensor, "b heads s d"], Float[Tensor, "b heads s d"]
]


class Modulation(nn.Module):
    """`num_signals` vectors per conditioning vector: SiLU, then one linear layer, of which `layer` is the name."""

    def __init__(self, hidden_size: int, num_signals: int, *, layer: str = "linear") -> None:
        super().__init__()
        self.num_signals = num_signals
        self.layer = layer
        self.add_module(layer, nn.Linear(hidden_size, num_signals * hidden_size))

    def forward(self, vectors: Float[Tensor, "b g d"]) -> Made:
        """Shift, scale and gate (twice when six)."""
        return few_rows(self.get_submodule(self.layer), F.silu(vectors)).chunk(self.num_signals, -1)


class MLP(nn.Module):
    """Feed-forward layers with tanh-GELU."""

    def __init__(self, hidden_size: int, mlp_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(hidden_size, mlp_dim)
        self.fc2 = nn.Linear(mlp_dim, hidden_size)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """fc2(gelu(fc1(x)))."""
        return self.fc2(gelu(self.fc1(x)))


class Part(NamedTuple):
    """Tokens of the joint sequence, and how their queries, keys and values are made."""

    tokens: Float[Tensor, "b n d"]
    signals: Made  # shift and scale
    rope: Complex[Tensor, "n half"] | None
    heads: Callable[[Tensor, Tensor, Tensor, Tensor | None], Heads]  # of (tokens, shift, scale, rope)


class DoubleBlock(nn.Module):
    """Two streams with their own weights that meet in one attention; visual tokens come first."""

    attention: Attention = staticmethod(attend)  # another one is set from outside

    def __init__(self, hidden_size: int, num_heads: int, mlp_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        head_dim = hidden_size // num_heads
        self.img_mod = Modulation(hidden_size, 6)
        self._add_projection("img", hidden_size)
        self.img_attn_q_norm = RMSNorm(head_dim)
        self.img_attn_k_norm = RMSNorm(head_dim)
        self.img_attn_proj = nn.Linear(hidden_size, hidden_size)
        self.img_mlp = MLP(hidden_size, mlp_dim)
        self.txt_mod = Modulation(hidden_size, 6)
        self._add_projection("txt", hidden_size)
        self.txt_attn_q_norm = RMSNorm(head_dim)
        self.txt_attn_k_norm = RMSNorm(head_dim)
        self.txt_attn_proj = nn.Linear(hidden_size, hidden_size)
        self.txt_mlp = MLP(hidden_size, mlp_dim)

    def forward(
        self, img: Float[Tensor, "b n d"], txt: Float[Tensor, "b l d"], *, signals: Signals
    ) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b l d"]]:
        """Both streams after attention and feed-forward."""
        of_img, of_txt = signals.of_visual(self.img_mod), signals.of_text(self.txt_mod)
        rope = signals.rope[: signals.num_visual]
        parts = (
            Part(tokens=img, signals=of_img[:2], rope=rope, heads=partial(self.make_heads, "img")),
            Part(tokens=txt, signals=of_txt[:2], rope=None, heads=partial(self.make_heads, "txt")),
        )
        attended = attend_jointly(self.attention, parts, signals)
        img_attended, txt_attended = attended.split([img.shape[1], txt.shape[1]], 1)
        chunk = signals.chunk_tokens
        img = by_pieces(partial(self.finish, "img"), (img, img_attended), signals=of_img[2:], chunk_tokens=chunk)
        txt = by_pieces(partial(self.finish, "txt"), (txt, txt_attended), signals=of_txt[2:], chunk_tokens=chunk)
        return img, txt

    def _add_projection(self, stream: Stream, width: int) -> None:
        self.add_module(f"{stream}_attn_qkv", nn.Linear(width, 3 * width))

    def _project(self, stream: Stream, x: Float[Tensor, "b s d"]) -> Heads:
        return split_heads(self.get_submodule(f"{stream}_attn_qkv")(x), self.num_heads)

    def make_heads(self, stream: Stream, x: Tensor, shift: Tensor, scale: Tensor, rope: Tensor | None) -> Heads:
        """Queries, keys and values of some tokens of a stream, whichever they are."""
        q, k, v = self._project(stream, norm_and_modulate(x, shift, scale))
        q_norm, k_norm = (self.get_submodule(f"{stream}_attn_{part}_norm") for part in "qk")
        return q_norm(q, rope), k_norm(k, rope), v

    def finish(self, stream: Stream, x: Tensor, attended: Tensor, *made: Tensor) -> Tensor:
        """Some tokens of a stream with what they attended to, and then with what its feed-forward makes of that."""
        gate, shift, scale, mlp_gate = made
        x = add_gated(x, gate, self.get_submodule(f"{stream}_attn_proj")(attended.contiguous()))
        return add_gated(x, mlp_gate, self.get_submodule(f"{stream}_mlp")(norm_and_modulate(x, shift, scale)))


class SplitDoubleBlock(DoubleBlock):
    """A double block with a layer each for queries, keys and values, as HunyuanVideo-1.5 keeps them."""

    def _add_projection(self, stream: Stream, width: int) -> None:
        for part in "qkv":
            self.add_module(f"{stream}_attn_{part}", nn.Linear(width, width))

    def _project(self, stream: Stream, x: Float[Tensor, "b s d"]) -> Heads:
        q, k, v = (
            rearrange(
                self.get_submodule(f"{stream}_attn_{part}")(x), "b s (heads d) -> b heads s d", heads=self.num_heads
            )
            for part in "qkv"
        )
        return q, k, v


class SingleBlock(nn.Module):
    """One stream of visual then text tokens; attention and feed-forward run side by side from one linear layer."""

    attention: Attention = staticmethod(attend)  # as in `DoubleBlock`

    def __init__(self, hidden_size: int, num_heads: int, mlp_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.hidden_size = hidden_size
        self.mlp_dim = mlp_dim
        self.linear1 = nn.Linear(hidden_size, 3 * hidden_size + mlp_dim)
        self.linear2 = nn.Linear(hidden_size + mlp_dim, hidden_size)
        self.q_norm = RMSNorm(hidden_size // num_heads)
        self.k_norm = RMSNorm(hidden_size // num_heads)
        self.modulation = Modulation(hidden_size, 3)
        self.always_halves = False  # `make_heads` and `finish` also where all tokens are one piece

    def forward(self, x: Float[Tensor, "b s d"], *, signals: Signals) -> Float[Tensor, "b s d"]:
        """The stream after the block."""
        streams = self._streams(x, signals)
        is_short = signals.chunk_tokens is None or x.shape[1] <= signals.chunk_tokens
        if torch.is_grad_enabled() or (is_short and not self.always_halves):
            return self._at_once(streams, signals)
        parts = [
            Part(tokens=tokens, signals=made[:2], rope=rope, heads=self.make_heads) for tokens, rope, made in streams
        ]
        attended = attend_jointly(self.attention, parts, signals)
        changed = [
            by_pieces(self.finish, (tokens, own), signals=made, chunk_tokens=signals.chunk_tokens)
            for (tokens, _, made), own in zip(
                streams, attended.split([len(each[1]) for each in streams], 1), strict=True
            )
        ]
        return changed[0] if len(changed) == 1 else torch.cat(changed, 1)

    def _streams(self, x: Tensor, signals: Signals) -> list[tuple[Tensor, Tensor, Made]]:
        """Tokens that share signals, their rotations and the signals: all, or the visual and the text tokens."""
        return [(x[:, part], signals.rope[part], made) for part, made in signals.of_both(self.modulation)]

    def _at_once(self, streams: list[tuple[Tensor, Tensor, Made]], signals: Signals) -> Tensor:
        """The whole stream through whole layers: as the backward pass wants it, and the fastest for few tokens."""
        projected = self.linear1(joined([norm_and_modulate(tokens, *made[:2]) for tokens, _, made in streams]))
        qkv, hidden = projected.split([3 * self.hidden_size, self.mlp_dim], -1)
        q, k, v = split_heads(qkv, self.num_heads)
        q, k = self.q_norm(q, signals.rope), self.k_norm(k, signals.rope)
        attended = join_heads(signals.attend(self.attention, q, k, v))
        change = self.linear2(self._beside(attended, hidden, projected))
        lengths = [tokens.shape[1] for tokens, _, _ in streams]
        parts = zip(streams, change.split(lengths, 1), strict=True)
        return joined([add_gated(tokens, made[2], own) for (tokens, _, made), own in parts])

    def _beside(self, attended: Tensor, hidden: Tensor, projected: Tensor) -> Tensor:
        """[attended | gelu(hidden)], where `projected` is [q | k | v | hidden].

        Without gradients the values have served, and make room for what was attended: the widest buffer is not copied
        (measured: 5 % of the block's linear layers).
        """
        hidden, width = gelu(hidden), self.hidden_size
        if torch.is_grad_enabled():
            return torch.cat([attended, hidden], -1)
        projected[..., 2 * width : 3 * width] = attended
        return projected[..., 2 * width :]

    def make_heads(self, x: Tensor, shift: Tensor, scale: Tensor, rope: Tensor | None) -> Heads:
        """Queries, keys and values of some tokens, whichever they are."""
        qkv = outputs(self.linear1, norm_and_modulate(x, shift, scale), first=0, num=3 * self.hidden_size)
        q, k, v = split_heads(qkv, self.num_heads)
        return self.q_norm(q, rope), self.k_norm(k, rope), v

    def finish(self, x: Tensor, attended: Tensor, *made: Tensor) -> Tensor:
        """Some tokens with what the second layer makes of what was attended and of the feed-forward's hidden values."""
        shift, scale, gate = made
        hidden = partial(outputs, self.linear1, first=3 * self.hidden_size, num=self.mlp_dim)
        both = torch.cat([attended, gelu(hidden(norm_and_modulate(x, shift, scale)))], -1)
        return add_gated(x, gate, self.linear2(both))


class FinalLayer(nn.Module):
    """From tokens to patches of velocity."""

    def __init__(self, hidden_size: int, patch_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_size, patch_dim)
        self.adaLN_modulation = Modulation(hidden_size, 2, layer="1")  # released: after a SiLU, which has no weights

    def forward(self, x: Float[Tensor, "b n d"], signals: Signals) -> Float[Tensor, "b n p"]:
        """Patches, channel outermost; the signal is the clip's own, also where frames are held."""
        made = signals.of_whole_clip(self.adaLN_modulation)
        return by_pieces(self._patches, (x,), signals=made, chunk_tokens=signals.chunk_tokens)

    def _patches(self, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        return self.linear(norm_and_modulate(x, shift, scale))


def attend_jointly(attention: Attention, parts: Sequence[Part], signals: Signals) -> Float[Tensor, "b s width"]:
    """What each token of the joined parts attends to; their queries, keys and values are gone when it returns."""
    make = _cat_heads if torch.is_grad_enabled() else partial(_fill_heads, chunk_tokens=signals.chunk_tokens)
    return join_heads(signals.attend(attention, *make(parts)))


def _cat_heads(parts: Sequence[Part]) -> Heads:
    heads = [part.heads(part.tokens, part.signals[0], part.signals[1], part.rope) for part in parts]
    q, k, v = (torch.cat(each, 2) for each in zip(*heads, strict=True))
    return q, k, v


def _fill_heads(parts: Sequence[Part], *, chunk_tokens: int | None) -> Heads:
    """Each piece's own are written to their place in one memory."""
    room: Heads | None = None
    start = 0
    for part in parts:
        shift, scale = part.signals
        for tokens, runs in pieces(part.tokens.shape[1], shift.shape[1], chunk_tokens):
            rope = None if part.rope is None else part.rope[tokens]
            made = part.heads(part.tokens[:, tokens], shift[:, runs], scale[:, runs], rope)
            room = room or _room(made[2], sum(each.tokens.shape[1] for each in parts))
            for to, heads in zip(room, made, strict=True):
                to[:, :, start + tokens.start : start + tokens.stop] = heads
            del made, heads  # or they would be there while the next piece is made
        start += part.tokens.shape[1]
    assert room is not None
    return room


def _room(like: Float[Tensor, "b heads _ d"], num_tokens: int) -> Heads:
    """Memory for queries, keys and values: on a CPU a head's tokens lie together, elsewhere a token's heads."""
    b, heads, _, d = like.shape
    if like.device.type == "cpu":
        q, k, v = like.new_empty(3, b, heads, num_tokens, d)
    else:
        q, k, v = like.new_empty(3, b, num_tokens, heads, d).transpose(2, 3)
    return q, k, v


def joined(parts: Sequence[Float[Tensor, "b _ d"]]) -> Float[Tensor, "b s d"]:
    """One part as it is, several one after the other."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), 1)


def gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Tanh-GELU, in the memory of `x` where no gradient is recorded."""
    if x.requires_grad:
        return F.gelu(x, approximate="tanh")
    return torch.ops.aten.gelu_(x, approximate="tanh")


def split_heads(qkv: Float[Tensor, "b s qkv"], num_heads: int) -> Heads:
    """Queries, keys and values (views) of a fused projection whose rows are all q, all k, all v."""
    q, k, v = rearrange(qkv, "b s (three heads d) -> three b heads s d", three=3, heads=num_heads)
    return q, k, v


def join_heads(attended: Float[Tensor, "b heads s d"]) -> Float[Tensor, "b s width"]:
    """The heads side by side; no copy, as `attend` leaves each token's heads together."""
    return attended.transpose(1, 2).flatten(2)
