"""The velocities of one run, in files: replaying them takes the run to where it was stopped, to the bit.

A sampler, a step cache and held frames are functions of the velocities that they are given. So nothing of theirs is
kept: a run that starts again from its noise and finds its velocities is soon where it was, whatever they remember, and
no sampler knows that it can be stopped. A velocity is written once and read once. Of the released model at 720p and
129 frames one takes 15 MB, or 30 MB under classifier-free guidance, where bfloat16 does not give it back exactly; a
state of the sampler would take up to three times 30 MB, again and again.
"""

import hashlib
import itertools
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.core.files import atomic_path
from muybridge.flow.samplers import Velocity

WRITE_EVERY_S = 5.0  # convention: the work that SIGKILL or a power cut may cost; Ctrl-C and SIGTERM cost none

_log = logging.getLogger(__name__)


class RunRecord:
    """The velocities of one film in one run of one sampler, by the evaluation's number from 0.

    A context manager: what waits to be written is written when the block ends, however it ends. A velocity is found
    again only where the latents that it belongs to are the same to the bit; a damaged file is computed anew.
    """

    def __init__(self, folder: Path, *, every_s: float = WRITE_EVERY_S) -> None:
        """`folder` is made when something is written. every_s: 0 writes each velocity at once."""
        self._folder, self._every_s = folder, every_s
        self._waiting: dict[int, tuple[Tensor, str]] = {}
        self._written_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def find(self, index: int, x: Float[Tensor, "c t h w"]) -> Float[Tensor, "c t h w"] | None:
        """The velocity at the latents x, on the CPU, if it was computed before."""
        path = self._path(index)
        if not path.exists():
            return None
        try:
            velocity, said = read_tensor(path)
        except (OSError, SafetensorError, ValueError) as error:
            _log.warning("%s: damaged (%s); computed again", path, error)
            return None
        if said.get("x") != digest(x):
            _log.warning("%s: belongs to other latents; computed again", path)
            return None
        return velocity.to(x.dtype)

    def add(self, index: int, x: Float[Tensor, "c t h w"], velocity: Float[Tensor, "c t h w"]) -> None:
        """Keep a velocity that was computed; written now and then. Raises RunFailed where the disk takes no more."""
        self._waiting[index] = velocity.detach().to("cpu", copy=True), digest(x)
        if time.monotonic() - self._written_s >= self._every_s:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Raises RunFailed where the disk takes no more; what is written stays."""
        for index in list(self._waiting):
            velocity, of_latents = self._waiting.pop(index)
            write_tensor(self._path(index), _smallest(velocity), said={"x": of_latents})
        self._written_s = time.monotonic()

    def _path(self, index: int) -> Path:
        return self._folder / f"{index:04d}.safetensors"


class Replay:
    """A run of films from the records of an earlier one, as far as those go; without records, just a run."""

    def __init__(self, records: Sequence[RunRecord] = ()) -> None:
        """`records`: one for each film of the batch, or none."""
        self._records = records
        self.is_found = False  # the last velocity was not computed but found

    def around(self, velocity: Velocity) -> Velocity:
        """The velocity of one run of one sampler, found where each film of the batch has it, else computed and kept.

        It goes around what computes, networks and guidance, and inside of all that remembers, such as a step cache.
        """
        if not self._records:
            return velocity
        indices = itertools.count()

        def replayed(x: Float[Tensor, "b *rest"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b *rest"]:
            index = next(indices)
            found = [record.find(index, own) for record, own in zip(self._records, x, strict=True)]
            known = [each for each in found if each is not None]
            self.is_found = len(known) == len(found)
            if self.is_found:
                return torch.stack(known).to(x.device)
            computed = velocity(x, sigma)
            for record, own, its in zip(self._records, x, computed, strict=True):
                record.add(index, own, its)
            return computed

        return replayed


def write_tensor(path: Path, tensor: Tensor, *, said: dict[str, str]) -> None:
    """Write a tensor with a digest of it and what is `said` of it, safe from a power cut. Raises RunFailed."""
    try:
        with atomic_path(path, is_durable=True) as temporary:
            save_file({"tensor": tensor.contiguous()}, temporary, metadata={**said, "digest": digest(tensor)})
    except (OSError, SafetensorError, InvalidInput) as error:
        reason = "no more can be written" if isinstance(error, InvalidInput) else str(error)
        raise RunFailed(f"{path}: {reason}; make room there, then run the same again to continue.") from None


def read_tensor(path: Path) -> tuple[Tensor, dict[str, str]]:
    """A tensor on the CPU and what was said of it. Raises OSError, SafetensorError or ValueError on damage."""
    with safe_open(path, framework="pt") as file:
        said, tensor = file.metadata() or {}, file.get_tensor("tensor")
    if said.get("digest") != digest(tensor):
        raise ValueError("its digest differs")
    return tensor, said


def digest(tensor: Tensor) -> str:
    """Of dtype, shape and every bit."""
    flat = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
    return hashlib.blake2b(flat.numpy().data, key=f"{tensor.dtype}{tuple(tensor.shape)}".encode()).hexdigest()[:32]


def _smallest(velocity: Tensor) -> Tensor:
    """In bfloat16 where that gives every bit back, as where the network computed in it."""
    small = velocity.to(torch.bfloat16)
    return small if torch.equal(small.to(velocity.dtype), velocity) else velocity
