"""The kinds of block and the final layer. Paper 4.2: dual-stream, then single-stream."""

from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.ops.attention import Attention, attend
from muybridge.ops.modulation import add_gated, norm_and_modulate
from muybridge.ops.norm import RMSNorm
from muybridge.ops.rows import few_rows
from muybridge.transformer.conditions import Signals

Stream = Literal["img", "txt"]
Heads = tuple[  # queries, keys, values
    Float[Tensor, "b heads s d"], Float[Tensor, "b heads s d"], Float[Tensor, "b heads s d"]
]


class Modulation(nn.Module):
    """`num_signals` vectors per conditioning vector: SiLU, then one linear layer."""

    def __init__(self, hidden_size: int, num_signals: int) -> None:
        super().__init__()
        self.num_signals = num_signals
        self.linear = nn.Linear(hidden_size, num_signals * hidden_size)

    def forward(self, vectors: Float[Tensor, "b g d"]) -> tuple[Float[Tensor, "b g d"], ...]:
        """Shift, scale and gate (twice when six)."""
        return few_rows(self.linear, F.silu(vectors)).chunk(self.num_signals, -1)


class MLP(nn.Module):
    """Feed-forward layers with tanh-GELU."""

    def __init__(self, hidden_size: int, mlp_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(hidden_size, mlp_dim)
        self.fc2 = nn.Linear(mlp_dim, hidden_size)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """fc2(gelu(fc1(x)))."""
        return self.fc2(gelu(self.fc1(x)))


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
        img_shift1, img_scale1, img_gate1, img_shift2, img_scale2, img_gate2 = self.img_mod(signals.frames)
        txt_shift1, txt_scale1, txt_gate1, txt_shift2, txt_scale2, txt_gate2 = self.txt_mod(signals.clip)
        img_heads = self._project("img", norm_and_modulate(img, img_shift1, img_scale1))
        txt_heads = self._project("txt", norm_and_modulate(txt, txt_shift1, txt_scale1))
        img_attended, txt_attended = self._attend(img_heads, txt_heads, signals)
        img = add_gated(img, img_gate1, self.img_attn_proj(img_attended))
        txt = add_gated(txt, txt_gate1, self.txt_attn_proj(txt_attended))
        img = add_gated(img, img_gate2, self.img_mlp(norm_and_modulate(img, img_shift2, img_scale2)))
        txt = add_gated(txt, txt_gate2, self.txt_mlp(norm_and_modulate(txt, txt_shift2, txt_scale2)))
        return img, txt

    def _add_projection(self, stream: Stream, width: int) -> None:
        self.add_module(f"{stream}_attn_qkv", nn.Linear(width, 3 * width))

    def _project(self, stream: Stream, x: Float[Tensor, "b s d"]) -> Heads:
        return split_heads(self.get_submodule(f"{stream}_attn_qkv")(x), self.num_heads)

    def _attend(
        self, img: Heads, txt: Heads, signals: Signals
    ) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b l d"]]:
        (img_q, img_k, img_v), (txt_q, txt_k, txt_v) = img, txt
        rope = signals.rope[: signals.num_visual]
        img_q, img_k = self.img_attn_q_norm(img_q, rope), self.img_attn_k_norm(img_k, rope)
        txt_q, txt_k = self.txt_attn_q_norm(txt_q), self.txt_attn_k_norm(txt_k)
        q, k, v = (torch.cat(parts, 2) for parts in ((img_q, txt_q), (img_k, txt_k), (img_v, txt_v)))
        attended = join_heads(self.attention(q, k, v, lengths=signals.lengths, grid=signals.grid))
        return attended[:, : signals.num_visual].contiguous(), attended[:, signals.num_visual :].contiguous()


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

    def forward(self, x: Float[Tensor, "b s d"], *, signals: Signals) -> Float[Tensor, "b s d"]:
        """The stream after the block."""
        modulated, gates = self._modulate(x, signals)
        projected = self.linear1(modulated)
        qkv, hidden = projected.split([3 * self.hidden_size, self.mlp_dim], -1)
        q, k, v = split_heads(qkv, self.num_heads)
        q, k = self.q_norm(q, signals.rope), self.k_norm(k, signals.rope)
        attended = join_heads(self.attention(q, k, v, lengths=signals.lengths, grid=signals.grid))
        change = self.linear2(self._beside(attended, hidden, projected))
        if len(gates) == 1:
            return add_gated(x, gates[0], change)
        parts = zip(self._parts(x, signals), gates, self._parts(change, signals), strict=True)
        return torch.cat([add_gated(*part) for part in parts], 1)

    def _beside(self, attended: Tensor, hidden: Tensor, projected: Tensor) -> Tensor:
        """[attended | gelu(hidden)], where `projected` is [q | k | v | hidden].

        Where no gradient is recorded the values have served, so they make room for what was attended, and the two
        stand side by side without a copy of the widest buffer (measured: 5 % of the block's linear layers).
        """
        width = self.hidden_size
        hidden = gelu(hidden)
        if hidden.requires_grad or attended.requires_grad:
            return torch.cat([attended, hidden], -1)
        projected[..., 2 * width : 3 * width] = attended
        return projected[..., 2 * width :]

    def _modulate(self, x: Tensor, signals: Signals) -> tuple[Tensor, list[Tensor]]:
        """Modulated tokens and the gates: of the whole stream, or of the visual and the text tokens."""
        if signals.frames.shape[1] == 1:  # frames share one signal, which is the clip's own
            shift, scale, gate = self.modulation(signals.clip)
            return norm_and_modulate(x, shift, scale), [gate]
        all_signals = self.modulation(torch.cat([signals.frames, signals.clip], 1))
        shifts, scales, gates = ((signal[:, :-1], signal[:, -1:]) for signal in all_signals)
        parts = zip(self._parts(x, signals), shifts, scales, strict=True)
        return torch.cat([norm_and_modulate(*part) for part in parts], 1), list(gates)

    def _parts(self, x: Tensor, signals: Signals) -> tuple[Tensor, Tensor]:
        return x[:, : signals.num_visual], x[:, signals.num_visual :]


class FinalLayer(nn.Module):
    """From tokens to patches of velocity."""

    def __init__(self, hidden_size: int, patch_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_size, patch_dim)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(hidden_size, 2 * hidden_size))

    def forward(self, x: Float[Tensor, "b n d"], signal: Float[Tensor, "b 1 d"]) -> Float[Tensor, "b n p"]:
        """Patches, channel outermost; `signal` is the clip's own, also where frames are held."""
        shift, scale = few_rows(self.adaLN_modulation, signal).chunk(2, -1)
        return self.linear(norm_and_modulate(x, shift, scale))


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
