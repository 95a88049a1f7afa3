"""Training a probe to tell what a world's clips show, from clips that are worsened on purpose."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.core.seeding import generator
from muybridge.data.world import World
from muybridge.evaluation.accuracy import mean_recall, share_right
from muybridge.evaluation.degrade import degraded
from muybridge.evaluation.probes import ATTRIBUTES, ClipProbe, ProbeConfig, judge, prepared, targets

BALANCED = ("camera", "motion", "subject")  # in turns: worlds draw some of their values ten times as often as others


def facts_of(scene: Any) -> dict[str, str]:
    """A scene's attributes as a probe names them."""
    return {name: getattr(scene, name) for name in ATTRIBUTES}


class ProbeTask:
    """Cross-entropy of every attribute; clips, their wear and the labels' balance are functions of (seed, step)."""

    critic: None = None

    def __init__(
        self,
        world: World,
        *,
        probe: ProbeConfig,
        num_frames: int,
        num_scenes: int,
        num_held_out: int,
        seed: int,
        num_micro_batches: int = 1,
    ) -> None:
        """num_scenes: distinct training scenes; num_held_out: scenes of combinations that are never trained on."""
        self.world, self.probe, self.num_frames = world, probe, num_frames
        self.num_scenes, self.num_held_out = num_scenes, num_held_out
        self.seed, self.num_micro_batches = seed, num_micro_batches

    def loss(self, model: ClipProbe, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """The sum over attributes, a mean over the rows of `step` that `micro` names."""
        draw = generator(self.seed, step, "probe")
        scenes = [self._scene(draw, row) for row in range(batch_size * self.num_micro_batches)]
        rows = slice(micro * batch_size, (micro + 1) * batch_size)
        pixels = degraded(self._pixels(scenes[rows]), generator=generator(self.seed, step, micro, "wear"))
        wanted = targets([facts_of(scene) for scene in scenes[rows]], self.probe)
        logits = model(pixels)
        terms = {name: F.cross_entropy(logits[name], wanted[name]) for name in ATTRIBUTES}
        figures = {name: float(term.detach()) for name, term in terms.items()}
        return torch.stack(list(terms.values())).sum(), figures

    @torch.no_grad()
    def validate(self, model: ClipProbe) -> dict[str, float]:
        """On held-out combinations: the share that is right of every attribute, and the mean over its values."""
        scenes = [self.world.scene(index, split="held_out") for index in range(self.num_held_out)]
        asked = [facts_of(scene) for scene in scenes]
        was_training = model.training
        seen = judge(model.eval(), [self._film(scene) for scene in scenes])
        model.train(was_training)
        right = {name: share_right(asked, seen, name).value for name in ATTRIBUTES}
        return right | {f"{name}_recall": mean_recall(asked, seen, name) for name in ATTRIBUTES}

    @cached_property
    def _pools(self) -> dict[str, list[list[Any]]]:
        """The training scenes by each value of the balanced attributes."""
        pools: dict[str, dict[str, list[Any]]] = {name: {} for name in BALANCED}
        for index in range(self.num_scenes):
            scene = self.world.scene(index)
            for name in BALANCED:
                pools[name].setdefault(getattr(scene, name), []).append(scene)
        return {name: [pool for _, pool in sorted(values.items())] for name, values in pools.items()}

    def _scene(self, draw: torch.Generator, row: int) -> Any:
        first, second = torch.rand(2, generator=draw).tolist()
        pools = self._pools[BALANCED[row % len(BALANCED)]]
        pool = pools[int(first * len(pools))]
        return pool[int(second * len(pool))]

    def _film(self, scene: Any) -> Any:
        return self.world.render(scene, size_px=self.probe.size_px, num_frames=self.num_frames)

    def _pixels(self, scenes: Sequence[Any]) -> Float[Tensor, "b 3 t y x"]:
        return torch.stack([prepared(self._film(scene), self.probe) for scene in scenes])
