"""The frames of a film that are held in memory, side by side, so that a clip is a view of them and no copy."""

import math

import numpy as np

from muybridge.media.frames import Frames, Picture

# Blocks are asked for in one size, used or not, so that the allocator gives the last film's memory again: pages that
# are touched for the first time take five times as long as the frames that are copied to them (measured, 456x256).
ASKED_BYTES = 2**29


class Reel:
    """The last frames of a film by their numbers in it. Frames come into blocks, which are written once.

    room: frames of a block, of which the ones that are still held are taken over into the next.
    """

    def __init__(self, *, room: int) -> None:
        self._room = room
        self._block: Frames | None = None
        self._base = 0  # number of the block's first frame
        self.first = self.end = 0  # of the frames that are held

    def __len__(self) -> int:
        return self.end - self.first

    def add(self, picture: Picture) -> None:
        """One more frame, copied while the processor still has it at hand."""
        if self._block is None or self.end - self._base == len(self._block):
            self._block = self._next_block(picture)
        self._block[self.end - self._base] = picture
        self.end += 1

    def between(self, first: int, end: int) -> Frames:
        """Frames that are held."""
        assert self._block is not None and self.first <= first <= end <= self.end, "these are not held"
        return self._block[first - self._base : end - self._base]

    def forget(self, before: int) -> None:
        """Let go of the frames before this one, as far as they have come."""
        self.first = min(max(self.first, before), self.end)

    def _next_block(self, picture: Picture) -> Frames:
        shape = (max(self._room, 2 * len(self)), *picture.shape)
        num_bytes = math.prod(shape)
        block = np.empty(max(num_bytes, ASKED_BYTES), np.uint8)[:num_bytes].reshape(shape)
        if len(self):
            block[: len(self)] = self.between(self.first, self.end)
        self._base = self.first
        return block
