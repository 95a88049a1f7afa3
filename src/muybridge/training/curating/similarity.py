"""The stage that trains the small VideoCLIP on clips of the worlds, their captions, and copies of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.core.seeding import generator, seeded
from muybridge.curation.similarity.videoclip import VideoClip, VideoClipConfig, padded, prepared
from muybridge.text.gallop import TextStatistics
from muybridge.training.config import RunConfig
from muybridge.training.curating.wear import copied, lightly_worn
from muybridge.training.curating.world_clips import CaptionedClips, WorldClips, WorldClipsConfig
from muybridge.training.self_trained import trained
from muybridge.training.trainer import OnStep
from muybridge.weights.small import load_small, save_small

VIDEOCLIP_FILE = "videoclip.safetensors"
TEMPERATURE, COPY_TEMPERATURE = 0.07, 0.1  # arXiv 2103.00020's first one; a softer one where few can be confused
RANKS = (1, 5)
VALIDATION_BATCH = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoClipStage:
    """Training of the two towers; `copy_share` of a batch is compared with copies too."""

    network: VideoClipConfig = field(default_factory=VideoClipConfig)
    clips: WorldClipsConfig = field(default_factory=WorldClipsConfig)
    copy_share: float = 0.5
    copy_weight: float = 0.5
    run: RunConfig = field(default_factory=RunConfig)

    def train(self, folder: Path, *, on_step: OnStep | None = None) -> Path:
        """Draw the clips in `folder` where they are missing, train, and write the network with its retrieval rates."""
        clips = WorldClips(self.clips, folder / "clips")
        task = VideoClipTask(clips.train(), clips.held_out(), stage=self)
        with seeded(self.run.seed):
            network = VideoClip(self.network)
        statistics = TextStatistics.measure(task.some_states())
        network.text.mean.copy_(statistics.mean)
        network.text.std.copy_(statistics.std)
        averaged = trained(network, task, self, folder, on_step=on_step)
        path = folder / VIDEOCLIP_FILE
        save_small(averaged, path, config=self.network)
        shipped = load_small(path, VideoClipConfig, VideoClip)  # judged as it will be read, rounded to int8
        save_small(averaged, path, config=self.network, accuracy=task.validate(shipped))
        return path


class VideoClipTask:
    """Captions against clips and clips against their copies; what is drawn is a function of (seed, step)."""

    critic: None = None

    def __init__(self, train: Sequence[CaptionedClips], held_out: CaptionedClips, *, stage: VideoClipStage) -> None:
        self.parts, self._held_out, self.stage = train, held_out, stage

    def loss(self, model: VideoClip, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy of finding the caption of a clip, the clip of a caption, and the copy of a clip.

        A micro-batch is told apart among its own rows only.
        """
        draw = generator(self.stage.run.seed, step, micro, "videoclip")
        clips, states = self._batch(batch_size, draw)
        size = {"num_frames": self.stage.network.num_frames, "draw": draw}
        num_copied = max(2, round(self.stage.copy_share * batch_size))
        views = torch.cat([lightly_worn(clips, **size), copied(clips[:num_copied], **size)])
        seen = model.visual(views)
        told = model.text(*padded(states))
        text = _contrast(seen[:batch_size], told, TEMPERATURE)
        copy = _contrast(seen[:num_copied], seen[batch_size:], COPY_TEMPERATURE)
        return text + self.stage.copy_weight * copy, {"text": float(text.detach()), "copy": float(copy.detach())}

    @torch.no_grad()
    def validate(self, model: VideoClip) -> dict[str, float]:
        """On held-out combinations: how often the right clip of all is among the first for a caption, and so on."""
        was_training = model.training
        model.eval()
        seen, copies, told = self._vectors(model)
        model.train(was_training)
        rates = {}
        for name, asked, among in (("text_to_clip", told, seen), ("clip_to_text", seen, told), ("copy", copies, seen)):
            rates |= {f"{name}_r{rank}": _recall(asked, among, rank) for rank in RANKS}
        return rates

    def some_states(self) -> list[Float[Tensor, "l e"]]:
        """States of captions of the first part, to standardise by."""
        return [self.parts[0].caption(clip, 0) for clip in range(len(self.parts[0].clips))]

    def _batch(self, batch_size: int, draw: torch.Generator) -> tuple[Tensor, list[Tensor]]:
        """Clips of any parts, no clip twice in a batch, and one wording of each."""
        num_captions = self.parts[0].num_captions
        places = torch.randperm(sum(self._lengths), generator=draw)[:batch_size].tolist()
        wordings = torch.randint(num_captions, (batch_size,), generator=draw).tolist()
        rows = [divmod(place, self._lengths[0]) for place in places]
        clips = torch.stack([self.parts[part].clips[row] for part, row in rows])
        states = [self.parts[part].caption(row, wording) for (part, row), wording in zip(rows, wordings, strict=True)]
        return clips, states

    @cached_property
    def _lengths(self) -> list[int]:
        lengths = [len(part.clips) for part in self.parts]
        assert len(set(lengths)) == 1, "parts are equally long"
        return lengths

    def _vectors(self, model: VideoClip) -> tuple[Tensor, Tensor, Tensor]:
        """Of held-out clips, of copies of them, and of their first captions."""
        seen, copies, told = list[Tensor](), list[Tensor](), list[Tensor]()
        whole, draw = self._held_out, generator(0, "videoclip validation")
        for start in range(0, len(whole.clips), VALIDATION_BATCH):
            clips = whole.clips[start : start + VALIDATION_BATCH]
            films = torch.stack([prepared(clip.numpy(), self.stage.network) for clip in clips])
            seen.append(model.visual(films))
            copies.append(model.visual(copied(clips, num_frames=self.stage.network.num_frames, draw=draw)))
            states = [whole.caption(start + row, 0) for row in range(len(clips))]
            told.append(model.text(*padded(states)))
        return torch.cat(seen), torch.cat(copies), torch.cat(told)


def _contrast(first: Float[Tensor, "b d"], second: Float[Tensor, "b d"], temperature: float) -> Tensor:
    """Symmetric cross-entropy of finding row i of one among the rows of the other."""
    logits = first @ second.T / temperature
    wanted = torch.arange(len(logits))
    return 0.5 * (F.cross_entropy(logits.float(), wanted) + F.cross_entropy(logits.T.float(), wanted))


def _recall(asked: Float[Tensor, "n d"], among: Float[Tensor, "n d"], rank: int) -> float:
    """The share of rows whose own one is among the first `rank`."""
    cosines = asked @ among.T
    own = cosines.diagonal()[:, None]
    return float(((cosines > own).sum(1) < rank).float().mean())
