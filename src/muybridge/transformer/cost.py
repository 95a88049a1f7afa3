"""What a transformer costs, in closed form: parameters, floating-point operations and memory. Paper 4.2."""

from collections.abc import Iterator

import torch

from muybridge.core.counting import Layer, attention_flops, total_flops, total_parameters
from muybridge.ops.pieces import CHUNK_TOKENS
from muybridge.ops.rope import MIN_PLAIN
from muybridge.ops.rows import MIN_ROWS
from muybridge.transformer.adapters import sibling_parts
from muybridge.transformer.config import TransformerConfig
from muybridge.transformer.embed import NUM_FREQUENCIES
from muybridge.transformer.sources import GLYPH_WIDTH, NUM_SOURCES


def num_parameters(config: TransformerConfig) -> int:
    """Parameters of `Transformer(config)`, without building it."""
    norms = config.head_dim * (4 * config.num_double_blocks + 2 * config.num_single_blocks)
    norms += 4 * config.hidden_size * config.num_refiner_blocks  # two layer norms, weight and bias
    if config.glyph_dim:  # three more, and a vector for each source
        norms += 2 * (config.glyph_dim + config.vision_dim + config.hidden_size) + NUM_SOURCES * config.hidden_size
    with torch.device("meta"):
        parts = sum(parameter.numel() for part in sibling_parts(config).values() for parameter in part.parameters())
    return total_parameters(_layers(config, visual=0, sources=(1, 1, 1), batch=1, signals=1)) + norms + parts


def modulation_parameters(config: TransformerConfig) -> int:
    """Parameters of the blocks' and the final layer's modulation, which `acceleration.modulation` puts away."""
    signals = 12 * config.num_double_blocks + 3 * config.num_single_blocks + 2
    return signals * config.hidden_size * (config.hidden_size + 1)


def activation_bytes(
    config: TransformerConfig,
    *,
    num_visual_tokens: int,
    num_text_tokens: int,
    batch_size: int = 1,
    value_bytes: int = 2,
    chunk_tokens: int | None = CHUNK_TOKENS,
) -> int:
    """Peak of what a forward pass without gradients holds beside its weights and inputs, attention's kernel free.

    chunk_tokens: as `Transformer.chunk_tokens`.
    """
    tokens, ratio = num_visual_tokens + max(num_text_tokens, MIN_ROWS), config.mlp_ratio
    num_pieces = 1 if chunk_tokens is None else -(-tokens // chunk_tokens)
    piece, is_whole = tokens / num_pieces, num_pieces == 1
    projected = 9.4 if value_bytes < 4 else 6  # widths of a piece whose queries are normed, in float32 (measured)
    hidden = 2 * ratio + 1 if config.num_single_blocks else ratio + 3  # in a single block it is put beside the attended
    if is_whole and config.num_single_blocks:  # at once: what both halves make, and norms in float32 (measured)
        hidden = ratio + (9 if value_bytes < 4 else 7)
    stages = (
        5 * tokens,  # attention: the stream, queries, keys, values, and what was attended
        (1 if is_whole else 4) * tokens + projected * piece,  # the stream and, after the first piece, the same three
        (2 if is_whole else 3) * tokens + hidden * piece,  # the stream, what was attended and the result
    )
    rope = (num_visual_tokens + MIN_PLAIN) * config.head_dim * 4
    return int(batch_size * max(stages) * config.hidden_size * value_bytes) + rope


def forward_flops(
    config: TransformerConfig,
    *,
    num_visual_tokens: int,
    num_text_tokens: int,
    num_glyph_tokens: int = 0,
    num_vision_tokens: int = 0,
    batch_size: int = 1,
    num_signals: int = 1,
) -> int:
    """Operations of one forward pass over a batch whose samples all have this many tokens.

    num_signals: 1 where a clip has one sigma, else its latent frames. Counts what `torch.utils.flop_counter` counts:
    matrix products and attention. Training takes about three times as many.
    """
    sources = (num_text_tokens, num_glyph_tokens, num_vision_tokens)
    layers = _layers(config, visual=num_visual_tokens, sources=sources, batch=batch_size, signals=num_signals)
    tokens, width = num_visual_tokens + sum(sources), config.hidden_size
    num_joint = config.num_double_blocks + config.num_single_blocks
    attention = num_joint * attention_flops(tokens, tokens, width=width)
    attention += config.num_refiner_blocks * attention_flops(num_text_tokens, num_text_tokens, width=width)
    frames = _scalar_embed(width, batch_size * num_signals) if num_signals > 1 else ()  # beside the clip's own sigma
    return total_flops(layers) + total_flops(frames) + batch_size * attention


def _layers(
    config: TransformerConfig, *, visual: int, sources: tuple[int, int, int], batch: int, signals: int
) -> Iterator[Layer]:
    """Every linear layer with the rows it sees; sources: tokens of text, glyphs and vision, padded as the network does.

    Attention alone leaves the padding out.
    """
    width, text = config.hidden_size, _padded(sum(sources))
    patch_inputs = config.patch_dim // config.out_channels * config.in_channels
    yield _linear(patch_inputs, width, batch * visual)
    yield from _scalar_embed(width, batch)
    for _ in range(config.has_guidance + config.has_end_sigma):
        yield from _scalar_embed(width, batch)
    if config.pooled_dim:
        yield from _perceptron((config.pooled_dim, width, width), _padded(batch))
    yield from _refiner(config, _padded(sources[0]), batch)
    yield from _further_sources(config, sources, batch)
    for _ in range(config.num_double_blocks):
        yield from _stream(config, batch * visual, num_signals=batch * signals)
        yield from _stream(config, batch * text, num_signals=batch)
    for _ in range(config.num_single_blocks):
        yield _linear(width, 3 * width, _padded(batch * (signals + 1 if signals > 1 else 1)))
        yield _linear(width, 3 * width + config.mlp_dim, batch * (visual + text))
        yield _linear(width + config.mlp_dim, width, batch * (visual + text))
    yield _linear(width, 2 * width, _padded(batch))
    yield _linear(width, config.patch_dim, batch * visual)


def _refiner(config: TransformerConfig, text: int, batch: int) -> Iterator[Layer]:
    width, rows = config.hidden_size, batch * text
    yield _linear(config.text_dim, width, rows)
    yield from _scalar_embed(width, batch)
    yield from _perceptron((config.text_dim, width, width), _padded(batch))
    for _ in range(config.num_refiner_blocks):
        yield _linear(width, 2 * width, _padded(batch))
        yield from _attention_and_mlp(config, rows)


def _further_sources(config: TransformerConfig, sources: tuple[int, int, int], batch: int) -> Iterator[Layer]:
    """Embeddings of glyphs and of what a picture shows."""
    _, glyphs, vision = sources
    if config.glyph_dim and glyphs:
        yield from _perceptron((config.glyph_dim, GLYPH_WIDTH, GLYPH_WIDTH), batch * _padded(glyphs))
        yield _linear(GLYPH_WIDTH, config.hidden_size, batch * _padded(glyphs))
    if config.vision_dim and vision:
        yield from _perceptron((config.vision_dim, config.vision_dim, config.hidden_size), batch * _padded(vision))


def _stream(config: TransformerConfig, rows: int, *, num_signals: int) -> Iterator[Layer]:
    """One stream of a double block."""
    yield _linear(config.hidden_size, 6 * config.hidden_size, _padded(num_signals))
    yield from _attention_and_mlp(config, rows)


def _attention_and_mlp(config: TransformerConfig, rows: int) -> Iterator[Layer]:
    width = config.hidden_size
    yield _linear(width, 3 * width, rows)
    yield _linear(width, width, rows)
    yield from _perceptron((width, config.mlp_dim, width), rows)


def _scalar_embed(width: int, rows: int) -> Iterator[Layer]:
    return _perceptron((2 * NUM_FREQUENCIES, width, width), _padded(rows))


def _perceptron(widths: tuple[int, int, int], rows: int) -> Iterator[Layer]:
    yield _linear(widths[0], widths[1], rows)
    yield _linear(widths[1], widths[2], rows)


def _linear(num_inputs: int, num_outputs: int, rows: int) -> Layer:
    return Layer(num_inputs=num_inputs, num_outputs=num_outputs, num_rows=rows)


def _padded(rows: int) -> int:
    """Rows that `ops.rows.few_rows` computes."""
    return max(rows, MIN_ROWS)
