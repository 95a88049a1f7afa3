"""Decoded films steadied along their motion: a decoder's errors sit on its grid and shimmer as things move across it.

What moves is decoded anew at every place of the grid of latent cells, each time with other errors, which the eye sees
as flicker. The mean of a frame and its neighbours, carried along the motion, keeps the thing and loses the errors: for
gallop's VAE it halves the flicker and brings films nearer to their originals at once (docs/log.md). Codecs do the same
before and after they code (temporal filtering in AV1 and VVC encoders). Not in the paper.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import product

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor

from muybridge.core.errors import invalid

BLOCK_PX = 8  # of one motion; a latent cell's side
REACH_PX = 6  # of the search: what moves further between two frames stays as it is
MARGIN = 1e-4  # by which a longer way has to be better, so that plain ground stands still

Strength = Callable[[int], float]  # of a frame by its number, above 0


def steadied(pixels: Float[Tensor, "b 3 f y x"], strength: float) -> Float[Tensor, "b 3 f y x"]:
    """Each frame averaged with the one before and the one after, moved onto it block by block.

    pixels: in [-1, 1], sides multiples of 8. strength: the difference of colour, of a range of 2, at which a
    neighbour's weight has fallen to 1/e; 0 gives the film back. One frame's neighbours at a time, so memory is that of
    a few frames. Computed in float32 at least, in which it comes back. Raises InvalidInput on a negative strength, and
    on sides that blocks do not fill.
    """
    _check(pixels, strength)
    if strength == 0 or pixels.shape[2] == 1:
        return pixels
    return torch.stack(list(_steady_frames(pixels.unbind(2), lambda _index: strength)), dim=2)


def steadied_stream(
    chunks: Iterable[Float[Tensor, "b 3 k y x"]], strength: float | Strength
) -> Iterator[Float[Tensor, "b 3 k y x"]]:
    """As `steadied`, bitwise, of a film that comes in chunks of any length, as soon as the frame after is known.

    strength: of all frames, or of each by its number from 0. Memory is that of a chunk and a few frames. Raises as
    `steadied`, with the first chunk.
    """
    of_frame: Strength = strength if callable(strength) else lambda _index: strength

    def checked() -> Iterator[Tensor]:
        for chunk in chunks:
            _check(chunk, of_frame(0))
            yield chunk

    if strength == 0:
        yield from checked()
        return
    frames = (frame for chunk in checked() for frame in chunk.unbind(2))
    yield from (frame[:, :, None] for frame in _steady_frames(frames, of_frame))


def _check(pixels: Tensor, strength: float) -> None:
    if not strength >= 0:
        raise invalid(f"steady={strength}", "must be 0 (off) or above", "use 0.2")
    height, width = pixels.shape[3:]
    if height % BLOCK_PX or width % BLOCK_PX:
        raise invalid(f"a film of {width}x{height}", f"sides are multiples of {BLOCK_PX}", "crop it, or use steady=0")


def _steady_frames(
    frames: Iterable[Float[Tensor, "b 3 y x"]], strength: Strength
) -> Iterator[Float[Tensor, "b 3 y x"]]:
    """Each frame when the next is there."""
    before: list[Tensor] = []
    frame: Tensor | None = None
    index = 0
    for following in frames:
        following = following.to(torch.promote_types(following.dtype, torch.float32))
        if frame is not None:
            yield _averaged(frame, [*before, following], strength(index))
            before, index = [frame], index + 1
        frame = following
    if frame is not None:
        yield _averaged(frame, before, strength(index))


def _averaged(frame: Tensor, neighbours: list[Tensor], strength: float) -> Tensor:
    """The frame and its neighbours, each pixel weighed by how well its surroundings match."""
    total, weights = frame.clone(), torch.ones_like(frame[:, :1])
    for neighbour in neighbours:
        moved = _carried(neighbour, motion(frame, neighbour))
        mismatch = F.avg_pool2d((frame - moved).abs().mean(dim=1, keepdim=True), 5, 1, 2, count_include_pad=False)
        weight = torch.exp(-((mismatch / strength) ** 2))
        total, weights = total + weight * moved, weights + weight
    return total / weights


def motion(frame: Float[Tensor, "b 3 y x"], other: Float[Tensor, "b 3 y x"]) -> Int[Tensor, "b 2 h w"]:
    """Where each block of `frame` lies in `other`, (down, right) in px: the best match of it and its neighbours.

    Exhaustive within `REACH_PX`, by mean absolute difference of grey, shorter ways first.
    """
    grey, padded = frame.mean(1, keepdim=True), F.pad(other.mean(1, keepdim=True), (REACH_PX,) * 4, mode="replicate")
    height, width = grey.shape[2:]
    best = torch.full_like(F.avg_pool2d(grey, BLOCK_PX), torch.inf)
    found = torch.zeros(len(frame), 2, *best.shape[2:], dtype=torch.long, device=frame.device)
    ways = product(range(-REACH_PX, REACH_PX + 1), repeat=2)
    for down, right in sorted(ways, key=lambda way: (way[0] ** 2 + way[1] ** 2, way)):
        moved = padded[:, :, REACH_PX + down :, REACH_PX + right :][:, :, :height, :width]
        cost = F.avg_pool2d(F.avg_pool2d((grey - moved).abs(), BLOCK_PX), 3, 1, 1, count_include_pad=False)
        is_better = cost < best - MARGIN
        best = torch.where(is_better, cost, best)
        found = torch.where(is_better, found.new_tensor([down, right]).view(1, 2, 1, 1), found)
    return found


def _carried(picture: Float[Tensor, "b 3 y x"], ways: Int[Tensor, "b 2 h w"]) -> Float[Tensor, "b 3 y x"]:
    """The picture's pixels from where the blocks' ways point; beyond an edge, the edge's."""
    height, width = picture.shape[2:]
    down, right = repeat(ways, "b d h w -> d b (h p) (w q)", p=BLOCK_PX, q=BLOCK_PX)
    rows = (torch.arange(height, device=ways.device)[:, None] + down).clamp(0, height - 1)
    columns = (torch.arange(width, device=ways.device) + right).clamp(0, width - 1)
    places = rearrange(rows * width + columns, "b y x -> b 1 (y x)").expand(-1, picture.shape[1], -1)
    return rearrange(picture, "b c y x -> b c (y x)").gather(2, places).view_as(picture)
