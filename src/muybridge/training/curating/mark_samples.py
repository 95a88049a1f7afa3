"""Films with marks and what lies where in them; their summaries, made once and kept in a folder."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.files import atomic_path
from muybridge.curation.marks.network import KINDS, STRIDES
from muybridge.curation.marks.summary import NUM_SIGNED, summary_planes
from muybridge.media.frames import Frames
from muybridge.training.curating.backdrops import NUM_FRAMES, Backdrops, make_backdrops
from muybridge.training.curating.mark_assignment import NO_MARK
from muybridge.training.curating.mark_borders import borders
from muybridge.training.curating.mark_drawing import Overlay, Random, Size, laid_over, logo, watermarks
from muybridge.training.curating.mark_looks import Looks, looks
from muybridge.weights.assets import ensure
from muybridge.worlds.world import Split

SIZES: tuple[Size, ...] = ((144, 256), (192, 256), (192, 192), (256, 144))
MAX_MARKS = 20  # of a film, more are not drawn
PICTURES = 0.15  # of the films are of one frame
MIN_DIFFERENCE = 10.0  # of 255, 4 %: a mark that changes less can hardly be seen, and is not laid over the film
MIN_SIDE_PX = 3  # of a box in the network's input
LEVELS = 255  # of a plane as it is kept
HELD_OUT_BACKDROPS = 0.25  # of as many as there are to learn from
GREY = 0.5  # what is added to planes with a sign to keep them


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """A film uint8 (t, h, w, 3) with its marks: boxes (left, top, right, bottom) in pixels, and kinds."""

    frames: Frames
    boxes: tuple[tuple[int, int, int, int], ...]
    kinds: tuple[str, ...]


def marked(rng: Random, drawn_with: Looks, film: np.ndarray, *, clean_share: float = 0.2) -> Marked:
    """The film, levels 0 to 255 as float, with marks laid over it, and worn as compressed footage is."""
    size = film.shape[1:3]
    film = film.clip(0, 255)
    kept: list[Overlay] = []
    for mark in _drawn(rng, drawn_with, film, clean_share=clean_share)[:MAX_MARKS]:
        left, top, right, bottom = mark.box(size)
        if min(right - left, bottom - top) >= MIN_SIDE_PX and laid_over(film, mark, min_difference=MIN_DIFFERENCE):
            kept.append(mark)
    return Marked(
        frames=worn(rng, film), boxes=tuple(mark.box(size) for mark in kept), kinds=tuple(mark.kind for mark in kept)
    )


def _drawn(rng: Random, drawn_with: Looks, film: np.ndarray, *, clean_share: float) -> list[Overlay]:
    """Borders first: what else there is lies over them."""
    if rng.random() < clean_share:
        return []
    wanted = rng.random(3) < (0.42, 0.45, 0.3)
    if not wanted.any():
        wanted[rng.integers(3)] = True
    found: list[Overlay] = []
    if wanted[2]:
        found += borders(rng, drawn_with, film)
    if wanted[1]:
        found += [logo(rng, drawn_with, film.shape[1:3], len(film)) for _ in range(1 if rng.random() < 0.8 else 2)]
    if wanted[0]:
        found += watermarks(rng, drawn_with, film.shape[1:3])
    return found


def worn(rng: Random, film: np.ndarray) -> Frames:
    """With noise, sometimes a little blurred, and mostly compressed."""
    film = film + rng.uniform(0, 4) * rng.standard_normal(film.shape, np.float32)
    frames = [Image.fromarray(frame) for frame in film.clip(0, 255).astype(np.uint8)]
    if rng.random() < 0.2:
        radius = rng.uniform(0.3, 0.9)
        frames = [frame.filter(ImageFilter.GaussianBlur(radius)) for frame in frames]
    if rng.random() < 0.7:
        frames = [_compressed(frame, int(rng.integers(25, 92))) for frame in frames]
    return np.stack([np.asarray(frame) for frame in frames])


def _compressed(frame: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    frame.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkSamplesConfig:
    """How many films of each shape to learn from and to validate on, and how many backdrops they are laid over."""

    num_train: int = 2000
    num_held_out: int = 60
    num_stills: int = 320
    num_films: int = 120
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.num_train, self.num_held_out, self.num_stills) < 1:
            raise invalid(f"num_train={self.num_train}", "counts are at least 1", "use the defaults")


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkSamples:
    """Summaries of films of one shape, as bytes, without the padding, and their marks."""

    planes: UInt8[Tensor, "n planes h w"]
    boxes: Tensor  # float32 (n, m, 4)
    kinds: Tensor  # int64 (n, m)

    def batch(self, rows: Sequence[int], *, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        """The network's input, padded, float32, with boxes and kinds; made smaller where `scale` is less than 1."""
        numbers = torch.as_tensor(rows)
        planes, boxes = self.planes[numbers].float() / LEVELS, self.boxes[numbers]
        planes[:, :NUM_SIGNED] -= GREY
        if scale != 1:
            size = (round(planes.shape[2] * scale), round(planes.shape[3] * scale))
            planes, boxes = F.interpolate(planes, size, mode="bilinear", antialias=True), boxes * scale
        padding = [-side % STRIDES[-1] for side in planes.shape[2:]]
        return F.pad(planes, (0, padding[1], 0, padding[0])), boxes, self.kinds[numbers]


def mark_samples(config: MarkSamplesConfig, split: Split, folder: Path) -> tuple[MarkSamples, ...]:
    """The samples of every shape in SIZES, from `folder`; they are made first where they are missing."""
    paths = {folder / f"{split}-{rows}x{columns}.safetensors": (rows, columns) for rows, columns in SIZES}
    if missing := [path for path in paths if not path.exists()]:
        drawn_with, share = looks(split, ensure("panoramas")), 1 if split == "train" else HELD_OUT_BACKDROPS
        backdrops = make_backdrops(
            split, drawn_with, num_stills=max(1, round(config.num_stills * share)),
            num_films=round(config.num_films * share), seed=config.seed,
        )  # fmt: skip
        count = config.num_train if split == "train" else config.num_held_out
        for path in missing:
            seed = (config.seed, int(split != "train"), SIZES.index(paths[path]))
            made = _made(drawn_with, backdrops, paths[path], seed=seed, count=count)
            with atomic_path(path) as temporary:
                save_file({"planes": made.planes, "boxes": made.boxes, "kinds": made.kinds}, temporary)
    return tuple(MarkSamples(**load_file(path)) for path in paths)


def _made(drawn_with: Looks, backdrops: Backdrops, size: Size, *, seed: tuple[int, ...], count: int) -> MarkSamples:
    planes, boxes, kinds = [], torch.zeros(count, MAX_MARKS, 4), torch.full((count, MAX_MARKS), NO_MARK)
    for number in range(count):
        rng = np.random.default_rng([*seed, number])
        film = backdrops.film(rng, size, num_frames=1 if rng.random() < PICTURES else NUM_FRAMES)
        sample = marked(rng, drawn_with, film)
        planes.append(as_bytes(sample.frames))
        for index, (box, kind) in enumerate(zip(sample.boxes, sample.kinds, strict=True)):
            boxes[number, index], kinds[number, index] = torch.tensor(box).float(), KINDS.index(kind)
    return MarkSamples(planes=torch.stack(planes), boxes=boxes, kinds=kinds)


def as_bytes(frames: Frames) -> UInt8[Tensor, "planes h w"]:
    """The summary of frames that have the network's size already."""
    planes = summary_planes(torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255)
    planes[:NUM_SIGNED] += GREY
    return (planes * LEVELS).round().clamp(0, LEVELS).byte()
