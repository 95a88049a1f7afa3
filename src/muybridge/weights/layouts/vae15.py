"""Where each layout keeps each module of HunyuanVideo-1.5's VAE."""

from collections.abc import Iterator

from muybridge.weights.layouts.table import Row, Table, identity, renamed, same

_RESNET = {name: name for name in ("norm1.gamma!", "conv1.conv", "norm2.gamma!", "conv2.conv")}
_ATTENTION = {"norm.gamma!": "norm.gamma!", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "proj_out"}


def _diffusers() -> Iterator[Row]:
    for side, levels, sampler in (("encoder", "down", "downsample"), ("decoder", "up", "upsample")):
        theirs = f"{side}.{levels}_blocks.{{i}}."
        yield from same(f"{side}.conv_in.conv", f"{side}.conv_out.conv", f"{side}.norm_out.gamma!")
        yield from renamed(_RESNET, official=f"{side}.{levels}.{{i}}.block.{{j}}.", theirs=theirs + "resnets.{j}.")
        yield Row(f"{side}.{levels}.{{i}}.{sampler}.conv.conv", (f"{theirs}{sampler}rs.0.conv.conv",))
        for resnet in range(2):
            middle = (f"{side}.mid.block_{resnet + 1}.", f"{side}.mid_block.resnets.{resnet}.")
            yield from renamed(_RESNET, official=middle[0], theirs=middle[1])
        yield from renamed(_ATTENTION, official=f"{side}.mid.attn_1.", theirs=f"{side}.mid_block.attentions.0.")


_DIFFUSERS = Table(layout="diffusers", rows=tuple(_diffusers()))
TABLES: tuple[Table, ...] = (identity(_DIFFUSERS), _DIFFUSERS)
