"""A checkpoint of the released network's size with random weights, as from elsewhere: official names, no checksums.

    python benchmarks/random_release.py /data/13b/random.safetensors          # 25.6 GB of bfloat16, once

The values are a function of the key alone. Matrices keep the variance of their input, so that what goes through the
network stays finite; a tensor is cut from one pool of normal numbers at a place of its own.
"""

import argparse
import hashlib
import mmap
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from muybridge.transformer import TransformerConfig
from muybridge.weights.header import Span, encode_header
from muybridge.weights.recognise import build

POOL_VALUES = 2**26
MODULATION_SCALE = 0.3  # of the gates too: each of the 60 blocks changes the stream a little
BIAS_SCALE, NORM_SCALE = 0.02, 0.1
BUFFER_BYTES = 64 * 2**20  # written to the disk at a time, past the page cache, which is others' too
PAGE_BYTES = 4096


def main() -> int:
    """Write the file, unless it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    print(random_release(options.file, TransformerConfig()))
    return 0


def random_release(path: Path, config: TransformerConfig) -> Path:
    """The file at `path`, written where it is missing, or continued where that was interrupted."""
    return random_file(path, {key: tuple(tensor.shape) for key, tensor in build(config).state_dict().items()})


def random_file(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """The same of tensors of these shapes."""
    if path.exists():
        return path
    spans, position = {}, 0
    for key, shape in shapes.items():
        stop = position + 2 * torch.Size(shape).numel()
        spans[key] = Span(dtype=torch.bfloat16, shape=shape, start=position, stop=stop)
        position = stop
    header = encode_header(spans, {})
    part = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    done = part.stat().st_size if part.exists() else 0
    pool = torch.randn(POOL_VALUES, generator=torch.Generator().manual_seed(0))
    with _Direct(part, done // BUFFER_BYTES * BUFFER_BYTES) as file:
        if file.position == 0:
            file.write(memoryview(header))
        for key, span in spans.items():
            skipped = max(0, file.position - len(header) - span.start)
            if span.stop - span.start > skipped:
                data = _drawn(pool, key, shapes[key]).view(torch.uint8)[skipped:]
                file.write(memoryview(data.numpy()))  # type: ignore[arg-type]
                if key.endswith("linear1.weight") or key.endswith("qkv.weight"):
                    print(f"{key}: {file.position / 1e9:.1f} of {position / 1e9:.1f} GB", file=sys.stderr)
    return part.rename(path)


class _Direct:
    """A file written past the page cache, in whole pages; the last is cut to the length."""

    def __init__(self, path: Path, position: int) -> None:
        self.position = position
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_DIRECT", 0), 0o644)
        self._buffer = memoryview(mmap.mmap(-1, BUFFER_BYTES))

    def __enter__(self) -> "_Direct":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush(-(-self._used // PAGE_BYTES) * PAGE_BYTES)
        os.ftruncate(self._handle, self.position)
        os.close(self._handle)

    @property
    def _used(self) -> int:
        return self.position % BUFFER_BYTES

    def write(self, data: memoryview) -> None:
        """Go on with these bytes."""
        while len(data):
            used = self._used
            count = min(len(data), BUFFER_BYTES - used)
            self._buffer[used : used + count] = data[:count]
            self.position += count
            data = data[count:]
            if self._used == 0:
                self._flush(BUFFER_BYTES, before=BUFFER_BYTES)

    def _flush(self, count: int, *, before: int = 0) -> None:
        start = self.position - before - self._used
        os.pwrite(self._handle, self._buffer[:count], start)


def _drawn(pool: Tensor, key: str, shape: tuple[int, ...]) -> Tensor:
    """A tensor's values, flat."""
    num_values, mean, std = torch.Size(shape).numel(), 0.0, BIAS_SCALE
    if len(shape) > 1:
        std = torch.Size(shape[1:]).numel() ** -0.5 * (MODULATION_SCALE if "mod" in key else 1.0)
    elif "norm" in key and key.endswith("weight"):
        mean, std = 1.0, NORM_SCALE
    start = int(hashlib.sha256(key.encode()).hexdigest(), 16) % POOL_VALUES
    is_within = num_values <= POOL_VALUES - start
    values = pool[start : start + num_values] if is_within else torch.cat((pool[start:], pool[:start]))[:num_values]
    drawn = values.mul(std).add_(mean).bfloat16()
    return drawn.repeat(-(-num_values // len(drawn)))[:num_values]  # of the largest, again and again


if __name__ == "__main__":
    sys.exit(main())
