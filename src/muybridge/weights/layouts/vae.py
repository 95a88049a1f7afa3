"""Where each layout keeps each module of the causal 3D VAE. The released names are diffusers' too."""

from collections.abc import Iterator

from muybridge.weights.layouts.table import Row, Table, identity, renamed, same

_NUM_BLOCKS = 4  # ComfyUI knows no other number, and counts the decoder's from the output
_RESNET = {
    "norm1": "norm1",
    "norm2": "norm2",
    "conv1.conv": "conv1.conv",
    "conv2.conv": "conv2.conv",
    "conv_shortcut.conv": "nin_shortcut.conv",
}
_ATTENTION = {"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def _comfy() -> Iterator[Row]:
    """ComfyUI's names inside, those of latent diffusion; attention is a convolution there."""
    yield from same("quant_conv", "post_quant_conv")
    for side in ("encoder", "decoder"):
        yield from same(f"{side}.conv_in.conv", f"{side}.conv_out.conv")
        yield Row(f"{side}.conv_norm_out", (f"{side}.norm_out",))
        for resnet in range(2):
            yield from renamed(
                _RESNET, official=f"{side}.mid_block.resnets.{resnet}.", theirs=f"{side}.mid.block_{resnet + 1}."
            )
        attention = (f"{side}.mid_block.attentions.0.", f"{side}.mid.attn_1.")
        yield Row(attention[0] + "group_norm", (attention[1] + "norm",))
        yield from (Row(attention[0] + ours, (attention[1] + name,), "conv") for ours, name in _ATTENTION.items())
    for block in range(_NUM_BLOCKS):
        down, up = f"encoder.down.{block}", f"decoder.up.{_NUM_BLOCKS - 1 - block}"
        yield from renamed(_RESNET, official=f"encoder.down_blocks.{block}.resnets.{{i}}.", theirs=down + ".block.{i}.")
        yield from renamed(_RESNET, official=f"decoder.up_blocks.{block}.resnets.{{i}}.", theirs=up + ".block.{i}.")
        yield Row(f"encoder.down_blocks.{block}.downsamplers.0.conv.conv", (f"{down}.downsample.conv.conv",))
        yield Row(f"decoder.up_blocks.{block}.upsamplers.0.conv.conv", (f"{up}.upsample.conv.conv",))


def _official() -> Iterator[Row]:
    """Any number of blocks, and what our own VAEs have beside the released one's."""
    yield from same("quant_conv", "post_quant_conv", "linear_in", "linear_out.conv")
    for side, blocks, resampler in (
        ("encoder", "down_blocks", "downsamplers"),
        ("decoder", "up_blocks", "upsamplers"),
    ):
        yield from same(*(f"{side}.{name}" for name in ("conv_in.conv", "conv_out.conv", "conv_norm_out")))
        yield from same(*(f"{side}.mid_block.resnets.{{i}}.{name}" for name in _RESNET))
        yield from same(*(f"{side}.mid_block.attentions.0.{name}" for name in ("group_norm", *_ATTENTION)))
        yield from same(*(f"{side}.{blocks}.{{i}}.resnets.{{j}}.{name}" for name in _RESNET))
        yield Row(f"{side}.{blocks}.{{i}}.{resampler}.0.conv.conv", (f"{side}.{blocks}.{{i}}.{resampler}.0.conv.conv",))


_DIFFUSERS = Table(layout="diffusers", rows=tuple(_official()), class_name="AutoencoderKLHunyuanVideo")
TABLES: tuple[Table, ...] = (
    identity(_DIFFUSERS),
    _DIFFUSERS,
    Table(layout="comfy", rows=tuple(_comfy())),
)
