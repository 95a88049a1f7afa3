"""What HunyuanVideo-1.5 is told beside the prompt's states: quoted words letter by letter, and what a picture shows.

The glyphs are states of ByT5, the semantics those of SigLIP. Each becomes tokens of the text stream, marked by an
embedding of its source.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.ops.rows import MIN_ROWS

GLYPH_WIDTH = 2048  # released: between ByT5's states and the tokens, whatever the hidden size
NUM_SOURCES = 3
TEXT, GLYPHS, VISION = range(NUM_SOURCES)  # released: rows of `cond_type_embedding`


class GlyphEmbed(nn.Module):
    """From ByT5's states to tokens (`byt5_in`)."""

    def __init__(self, glyph_dim: int, hidden_size: int) -> None:
        super().__init__()
        self.layernorm = nn.LayerNorm(glyph_dim)
        self.fc1 = nn.Linear(glyph_dim, GLYPH_WIDTH)
        self.fc2 = nn.Linear(GLYPH_WIDTH, GLYPH_WIDTH)
        self.fc3 = nn.Linear(GLYPH_WIDTH, hidden_size)

    def forward(self, glyphs: Float[Tensor, "b l glyph_dim"]) -> Float[Tensor, "b l d"]:
        """Layer norm, then three linear layers with GELU in between."""
        return self.fc3(F.gelu(self.fc2(F.gelu(self.fc1(self.layernorm(glyphs))))))


class VisionEmbed(nn.Module):
    """From the states of an image encoder to tokens (`vision_in`)."""

    def __init__(self, vision_dim: int, hidden_size: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.LayerNorm(vision_dim),
            nn.Linear(vision_dim, vision_dim),
            nn.GELU(),
            nn.Linear(vision_dim, hidden_size),
            nn.LayerNorm(hidden_size),
        )

    def forward(self, vision: Float[Tensor, "b l vision_dim"]) -> Float[Tensor, "b l d"]:
        """Layer norm, two linear layers with GELU in between, layer norm."""
        return self.proj(vision)


class SourceEmbed(nn.Module):
    """A vector for each source of tokens, zero at first as released (`cond_type_embedding`)."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(NUM_SOURCES, hidden_size))

    def forward(self, tokens: Float[Tensor, "b l d"], source: int) -> Float[Tensor, "b l d"]:
        """Tokens marked as those of `source`."""
        return tokens + self.weight[source]


def trimmed(states: Float[Tensor, "b l d"], lengths: Sequence[int]) -> tuple[Float[Tensor, "b m d"], list[int] | None]:
    """States cut to the longest sample, and the samples' lengths: None where all tokens are valid.

    Short ones are padded to `MIN_ROWS` tokens, for the reason that `ops.rows` gives.
    """
    width = max(*lengths, MIN_ROWS)
    states = F.pad(states[:, :width], (0, 0, 0, max(0, width - states.shape[1])))
    return states, None if min(lengths) == width else list(lengths)


def joined(
    sources: Sequence[tuple[Float[Tensor, "b _ d"], Sequence[int]]],
) -> tuple[Float[Tensor, "b l d"], list[int] | None]:
    """The valid tokens of all sources, one source after the other in each sample; `trimmed`."""
    tokens, lengths = zip(*sources, strict=True)
    samples = [
        torch.cat([source[i, : length[i]] for source, length in zip(tokens, lengths, strict=True)])
        for i in range(len(tokens[0]))
    ]
    return trimmed(nn.utils.rnn.pad_sequence(samples, batch_first=True), [len(sample) for sample in samples])
