"""Randomness as a pure function of named integers, so that nothing random is ever stored (DESIGN law 4)."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

MAX_SEED = 2**63 - 1  # what torch.Generator takes without wrapping


def generator(seed: int, *purpose: int | str) -> torch.Generator:
    """A CPU generator that depends only on `seed` and the words of `purpose`, e.g. (run seed, step, rank, "sigma")."""
    return torch.Generator().manual_seed(mix(seed, *purpose))


def mix(seed: int, *purpose: int | str) -> int:
    """A 63-bit seed from `seed` and `purpose`; equal words give equal seeds on every machine."""
    words = "/".join(str(word) for word in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1


def noise(seeds: Sequence[int], shape: Sequence[int]) -> Float[Tensor, "b *shape"]:
    """Standard normal noise (b, *shape), float32 on the CPU, each sample from its own seed alone."""
    return torch.stack([torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block torch's layers, which take the global generator, draw their first weights from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
