"""A released model's file without its size: zeros that take no room on the disk."""

from pathlib import Path

from muybridge.transformer import TransformerConfig
from muybridge.weights.header import DTYPES, Span, encode_header
from muybridge.weights.recognise import build


def sparse_release(
    path: Path, config: TransformerConfig, *, dtype: str = "BF16", without: tuple[str, ...] = ()
) -> Path:
    """A safetensors file of zeros with a transformer of this config, as from elsewhere: no config, no checksums.

    without: beginnings of keys to leave out.
    """
    spans, position = {}, 0
    for key, tensor in build(config).state_dict().items():
        if without and key.startswith(without):
            continue
        stop = position + tensor.numel() * DTYPES[dtype].itemsize
        spans[key] = Span(dtype=DTYPES[dtype], shape=tuple(tensor.shape), start=position, stop=stop)
        position = stop
    header = encode_header(spans, {})
    path.write_bytes(header)
    with path.open("r+b") as file:
        file.truncate(len(header) + position)
    return path
