"""The token refiner: bidirectional attention over the language model's causal states. Paper 4.3.

The released mask lets a valid query see the valid keys only, so dropping the padding gives valid tokens the same states
(and what the released rule gives to padding, attention to token 0, is never read).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.ops.attention import attend
from muybridge.ops.modulation import add_gated
from muybridge.ops.norm import EPSILON
from muybridge.ops.rows import few_rows
from muybridge.transformer.embed import ScalarEmbed


class TextSummary(nn.Module):
    """Two-layer perceptron over the mean of the text states (`c_embedder`)."""

    def __init__(self, text_dim: int, hidden_size: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(text_dim, hidden_size)
        self.linear_2 = nn.Linear(hidden_size, hidden_size)

    def forward(self, mean: Float[Tensor, "b text_dim"]) -> Float[Tensor, "b d"]:
        """Embedding of the mean state."""
        return few_rows(self.linear_2, F.silu(few_rows(self.linear_1, mean)))


class RefinerMLP(nn.Module):
    """Feed-forward layers with SiLU."""

    def __init__(self, hidden_size: int, mlp_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(hidden_size, mlp_dim)
        self.fc2 = nn.Linear(mlp_dim, hidden_size)

    def forward(self, x: Float[Tensor, "b l d"]) -> Float[Tensor, "b l d"]:
        """fc2(silu(fc1(x)))."""
        return self.fc2(F.silu(self.fc1(x)))


class RefinerBlock(nn.Module):
    """Attention then feed-forward, each gated by the conditions; the norms carry their own affine."""

    def __init__(self, hidden_size: int, num_heads: int, mlp_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm1 = nn.LayerNorm(hidden_size, eps=EPSILON)
        self.self_attn_qkv = nn.Linear(hidden_size, 3 * hidden_size)
        self.self_attn_proj = nn.Linear(hidden_size, hidden_size)
        self.norm2 = nn.LayerNorm(hidden_size, eps=EPSILON)
        self.mlp = RefinerMLP(hidden_size, mlp_dim)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(hidden_size, 2 * hidden_size))

    def forward(
        self, x: Float[Tensor, "b l d"], signal: Float[Tensor, "b d"], *, lengths: Sequence[int] | None
    ) -> Float[Tensor, "b l d"]:
        """The block's output; `lengths` as in `attend`."""
        gate_attention, gate_mlp = few_rows(self.adaLN_modulation, signal)[:, None].chunk(2, -1)
        q, k, v = rearrange(
            self.self_attn_qkv(self.norm1(x)), "b l (three heads d) -> three b heads l d", three=3, heads=self.num_heads
        )
        attended = rearrange(attend(q, k, v, lengths=lengths), "b heads l d -> b l (heads d)")
        x = add_gated(x, gate_attention, self.self_attn_proj(attended))
        return add_gated(x, gate_mlp, self.mlp(self.norm2(x)))


class RefinerBlocks(nn.Module):
    """The refiner's blocks, under the released name."""

    def __init__(self, hidden_size: int, num_heads: int, mlp_dim: int, num_blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(RefinerBlock(hidden_size, num_heads, mlp_dim) for _ in range(num_blocks))

    def forward(
        self, x: Float[Tensor, "b l d"], signal: Float[Tensor, "b d"], *, lengths: Sequence[int] | None
    ) -> Float[Tensor, "b l d"]:
        """All blocks in order."""
        for block in self.blocks:
            x = block(x, signal, lengths=lengths)
        return x


class TextRefiner(nn.Module):
    """From the language model's states to the text tokens of the two streams."""

    def __init__(self, text_dim: int, hidden_size: int, *, num_heads: int, mlp_dim: int, num_blocks: int) -> None:
        super().__init__()
        self.input_embedder = nn.Linear(text_dim, hidden_size)
        self.t_embedder = ScalarEmbed(hidden_size)
        self.c_embedder = TextSummary(text_dim, hidden_size)
        self.individual_token_refiner = RefinerBlocks(hidden_size, num_heads, mlp_dim, num_blocks)

    def forward(
        self,
        text: Float[Tensor, "b l text_dim"],
        timestep: Float[Tensor, " b"],
        *,
        lengths: Sequence[int] | None,
    ) -> Float[Tensor, "b l d"]:
        """Refined tokens at `timestep` (0..1000); those after `lengths` are never read and mean nothing."""
        prompts = zip(text, lengths or [text.shape[1]] * len(text), strict=True)
        mean = torch.stack([states[:length].mean(0, dtype=torch.float32) for states, length in prompts])
        signal = self.t_embedder(timestep, dtype=text.dtype) + self.c_embedder(mean.to(text.dtype))
        tokens = self.input_embedder(text)
        return self.individual_token_refiner(tokens, signal, lengths=lengths)
