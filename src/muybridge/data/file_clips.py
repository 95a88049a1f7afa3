"""Pixel batches of the films and pictures of a data set, for training a VAE.   Paper 4.1."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import MediaError, RunFailed, invalid
from muybridge.core.seeding import generator, mix
from muybridge.data.buckets import Bucket, BucketsConfig
from muybridge.data.clips import ClipsConfig
from muybridge.data.order import Draw, Order
from muybridge.data.planning import DataConfig, OnProgress, plan
from muybridge.data.probes import ProbeCache
from muybridge.data.record import Record, Source
from muybridge.data.report import Report
from muybridge.data.samples import resized
from muybridge.media.frames import from_uint8
from muybridge.media.geometry import fill_box
from muybridge.media.probe import Facts
from muybridge.media.sampling import read_at

log = logging.getLogger(__name__)

MAX_INTERVAL = 8  # paper 4.1: every 1st to 8th frame, drawn at random
HELD_OUT_EVERY, MAX_HELD_OUT = 20, 16  # convention: one film in twenty, while that is not many
MAX_SUBSTITUTES = 8  # unreadable samples in a row before the data is called bad


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """A film or picture that batches draw from."""

    record: Record
    facts: Facts


class FileClips:
    """Batches as `ClipStream` gives, cut from files: square clips, every n-th batch pictures.

    Batch `step` is a pure function of (seed, step): which files, which stretch of each, at which frame interval, which
    crop. Every film is seen once a round, none lost in between; pictures likewise. Where there are no pictures, frames
    of films stand in. A file that turns out unreadable is replaced by another one, logged once, and listed in
    `failures`.
    """

    def __init__(self, clips: Sequence[Clip], config: ClipsConfig, *, seed: int, max_interval: int = MAX_INTERVAL):
        """Raises InvalidInput where there is no film to draw from, or no picture and pictures alone are asked for."""
        self.config = config
        self.seed = seed
        self.max_interval = max_interval
        self.failures: dict[str, str] = {}
        self._films = [clip for clip in clips if not clip.facts.is_picture]
        self._pictures = [clip for clip in clips if clip.facts.is_picture] or self._films
        if not self._films:
            raise invalid("a data set without films", "a video VAE learns from films", "add some")
        self._orders: dict[tuple[bool, int], Order] = {}

    def batch(self, step: int, *, batch_size: int) -> Float[Tensor, "b 3 f y x"]:
        """Pixels in [-1, 1]; all clips, or all pictures. Raises RunFailed where nothing can be read any more."""
        draw, is_images = self._draw(step, batch_size)
        pairs = zip(draw.samples, draw.rounds, strict=True)
        return torch.stack([self._readable(sample, turn, is_images) for sample, turn in pairs])

    def rows(self, step: int, *, batch_size: int, rank: int, world_size: int) -> Float[Tensor, "b 3 f y x"]:
        """The part of the batch that one rank trains on; all ranks' parts together are the batch."""
        draw, is_images = self._draw(step, batch_size)
        own = draw.share(rank, world_size)
        pairs = zip(own.samples, own.rounds, strict=True)
        return torch.stack([self._readable(sample, turn, is_images) for sample, turn in pairs])

    def _draw(self, step: int, batch_size: int) -> tuple[Draw, bool]:
        """The samples of a step, and whether they are pictures."""
        every = self.config.images_every
        is_images = every > 0 and step % every == every - 1
        num_images = step // every if every else 0  # image batches before this one
        turn = num_images if is_images else step - num_images
        size = batch_size * self.config.images_per_clip if is_images else batch_size
        key = is_images, size
        if key not in self._orders:
            pool = self._pictures if is_images else self._films
            self._orders[key] = Order([len(pool)], [size], seed=self.seed + is_images)
        return self._orders[key].at(turn), is_images

    def _readable(self, sample: int, turn: int, is_image: bool) -> Float[Tensor, "3 f y x"]:
        """The sample's pixels, or those of the next one that can be read."""
        pool = self._pictures if is_image else self._films
        for offset in range(min(MAX_SUBSTITUTES, len(pool))):
            clip = pool[(sample + offset) % len(pool)]
            try:
                return self._pixels(clip, turn, is_image)
            except (MediaError, OSError) as error:
                if clip.record.id not in self.failures:
                    self.failures[clip.record.id] = str(error)
                    log.warning("unreadable id=%s replaced_by=next reason=%s", clip.record.id, error)
        raise RunFailed(f"{MAX_SUBSTITUTES} files in a row cannot be read, such as {clip.record.id}; check the disk.")

    def _pixels(self, clip: Clip, turn: int, is_image: bool) -> Float[Tensor, "3 f y x"]:
        """A stretch of the clip, its place, interval and crop drawn from (seed, file, round)."""
        draw = generator(self.seed, clip.record.id, turn, "picture" if is_image else "clip")
        num_frames = 1 if is_image else self.config.num_frames
        facts, size = clip.facts, self.config.size_px
        longest = max(1, (facts.num_frames - 1) // max(1, num_frames - 1))
        interval = _integer(draw, 1, min(self.max_interval, longest)) if num_frames > 1 else 1
        first = _integer(draw, 0, facts.num_frames - 1 - interval * (num_frames - 1))
        across, down = torch.rand(2, generator=draw).tolist()
        bucket = Bucket(num_frames=num_frames, width_px=size, height_px=size)

        def fit(picture: np.ndarray) -> np.ndarray:
            height, width = picture.shape[:2]
            left, top, right, bottom = fill_box(width, height, to_width_px=size, to_height_px=size)
            x, y = 2 * left * across, 2 * top * down  # the centred crop's margin is half of what there is
            return resized(picture, (x, y, x + right - left, y + bottom - top), bucket)

        spacing_s = facts.duration_s / max(1, facts.num_frames - 1)
        times = [(first + interval * index) * spacing_s for index in range(num_frames)]
        media = clip.record.media
        return from_uint8(read_at(media.name, times, fit=fit, data=media.data()))


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFootage:
    """Films and pictures of a data set; of the films, some are held out, chosen by their names."""

    clips: tuple[Clip, ...]
    held_out_films: tuple[Clip, ...]
    max_interval: int = MAX_INTERVAL

    def stream(self, config: ClipsConfig, *, seed: int) -> FileClips:
        """Batches of training pixels, at frame intervals from 1 to `max_interval`."""
        return FileClips(self.clips, config, seed=seed, max_interval=self.max_interval)

    def held_out(self, num_clips: int, *, size_px: int, num_frames: int) -> Float[Tensor, "b 3 f y x"]:
        """One clip of each of the first held-out films, every frame of a stretch."""
        config = ClipsConfig(size_px=size_px, num_frames=num_frames, images_every=0)
        clips = FileClips(self.held_out_films[:num_clips], config, seed=0, max_interval=1)
        return clips.batch(0, batch_size=min(num_clips, len(self.held_out_films)))


def open_footage(
    source: Source,
    *,
    size_px: int,
    num_frames: int,
    probes: ProbeCache,
    max_interval: int = MAX_INTERVAL,
    on_progress: OnProgress | None = None,
) -> tuple[FileFootage, Report]:
    """The films and pictures of a source that are large and long enough, and the report of all its inputs.

    Captions play no part. A twentieth of the films, but one at least and MAX_HELD_OUT at most, is held out. Raises
    InvalidInput where fewer than two films are left.
    """
    buckets = BucketsConfig(resolutions=((size_px, size_px),), num_aspects=1, frames=(1, num_frames))
    planned = plan(source, DataConfig(buckets=buckets, needs_captions=False), probes=probes, on_progress=on_progress)
    clips = []
    for sample in planned.samples:
        facts = probes.facts(sample.record.media)
        if isinstance(facts, Facts):
            clips.append(Clip(record=sample.record, facts=facts))
    films = sorted((clip for clip in clips if not clip.facts.is_picture), key=lambda clip: mix(0, clip.record.id))
    if len(films) < 2:
        given, remedy = f"{len(films)} of {len(planned.report.rows)} inputs", f"{size_px} px and {num_frames} frames"
        raise invalid(given, "are films of use; two are needed, one of them held out", f"add some of {remedy} or more")
    apart = films[: min(MAX_HELD_OUT, max(1, len(films) // HELD_OUT_EVERY))]
    names = {clip.record.id for clip in apart}
    train = tuple(clip for clip in clips if clip.record.id not in names)
    return FileFootage(clips=train, held_out_films=tuple(apart), max_interval=max_interval), planned.report


def _integer(draw: torch.Generator, low: int, high: int) -> int:
    """Uniform over low..high."""
    return int(torch.randint(low, high + 1, (), generator=draw))
