"""Films of `gallop` with and without a step cache, from the same noise: what was computed and how near they come.

Dense films and their velocities are kept in files, rows of results in a JSON lines file, so that an interrupted
benchmark goes on where it was left.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import muybridge
from benchmarks.made_films import spread_scenes
from muybridge.core.files import atomic_path
from muybridge.core.seeding import noise
from muybridge.core.shapes import latent_shape
from muybridge.flow.samplers import Velocity, sampler
from muybridge.flow.timesteps import inference_sigmas
from muybridge.media.frames import to_uint8
from muybridge.pipelines.denoise import Plan, Prompts, guided_velocity
from muybridge.recipes.gallop import flow_world
from muybridge.text.encoder import TextStates
from muybridge.weights.assets import ensure
from muybridge.worlds.sprites import SpritesWorld

NUM_TEST = 50
NUM_CALIBRATION = 24  # further prompts, never among those that are tested
TEXT = ("states", "mask", "pooled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a wrapped velocity came to: network evaluations it computed, and the PSNR it estimates of itself."""

    computed: float
    estimated_psnr_db: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What a way to cache is given."""

    pipe: muybridge.Pipeline
    plan: Plan

    @property
    def sigmas(self) -> Tensor:
        """The noise levels of the run."""
        return inference_sigmas(self.plan.num_steps, shift=self.plan.shift)


Wrap = Callable[[Run, Velocity], AbstractContextManager[tuple[Velocity, Callable[[], Outcome]]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to cache at one setting: inside `wrap` the velocity it gives is sampled once, then asked what it did.

    identity: of what was measured for it beforehand; rows made with another are made anew.
    """

    method: str
    setting: str
    wrap: Wrap
    identity: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One film made in one way."""

    method: str
    setting: str
    index: int
    computed: float
    psnr_db: float
    estimated_psnr_db: float | None
    seconds: float
    identity: str

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells it from other rows."""
        return (self.method, self.setting, self.identity, self.index)


class Bench:
    """A pipeline, the prompts of the benchmark and the folder that keeps what was made."""

    def __init__(
        self, pipe: muybridge.Pipeline, folder: Path, *, num_prompts: int = NUM_TEST + NUM_CALIBRATION
    ) -> None:
        world = SpritesWorld(flow_world(), ensure("fluent-emoji-anim", on_progress=print))
        self.prompts = [world.captions(scene)[0] for scene in spread_scenes(world, num_prompts)]
        self.pipe, self.folder = pipe, folder
        request = pipe.requests(["any"], muybridge.Settings(seed=0))[0]
        self.plan = Plan.of(request)
        self.negative = request.negative_prompt
        channels = pipe.components.transformer.config.in_channels
        self.shape = latent_shape(request.num_frames, request.height, request.width, channels=channels)

    def dense(self, index: int) -> dict[str, Tensor]:
        """Text states, velocities (steps, c, t, h, w), latents and pixels of the film without a cache."""
        path = self.folder / "dense" / f"{index:03d}.safetensors"
        if not path.exists():
            made = self._make_dense(index)
            with atomic_path(path) as temporary:
                save_file(made, temporary)
        return load_file(path)

    @torch.inference_mode()
    def made(self, way: Way, index: int) -> Row:
        """One film in one way, against the dense one."""
        dense = self.dense(index)
        with way.wrap(Run(pipe=self.pipe, plan=self.plan), self.velocity(dense)) as (velocity, outcome):
            started = time.process_time()
            latents = self.sample(velocity, index)
            seconds = time.process_time() - started
            found = outcome()
        return Row(
            method=way.method,
            setting=way.setting,
            index=index,
            computed=found.computed,
            psnr_db=psnr_db(self.pixels(latents), dense["pixels"]),
            estimated_psnr_db=found.estimated_psnr_db,
            seconds=round(seconds, 3),
            identity=way.identity,
        )

    def rows(self, ways: Sequence[Way], indices: Sequence[int], *, file: Path) -> list[Row]:
        """The rows of all ways and prompts; those in `file` are read, the others made and added, prompt by prompt."""
        wanted = {(way.method, way.setting, way.identity, index): (way, index) for index in indices for way in ways}
        rows = [row for row in read_rows(file) if row.key in wanted]
        known = {row.key for row in rows}
        missing = [made for key, made in wanted.items() if key not in known]
        file.parent.mkdir(parents=True, exist_ok=True)
        for number, (way, index) in enumerate(missing):
            row = self.made(way, index)
            rows.append(row)
            with file.open("a") as lines:
                lines.write(json.dumps(asdict(row)) + "\n")
            print(f"{number + 1} of {len(missing)}: {row}", file=sys.stderr, flush=True)
        return rows

    def velocity(self, dense: dict[str, Tensor]) -> Velocity:
        """The guided velocity under the film's prompt."""
        positive, negative = (
            TextStates(**{name: dense[prefix + name] for name in TEXT}) for prefix in ("", "negative_")
        )  # fmt: skip
        return guided_velocity(
            self.pipe.components.transformer, Prompts(positive=positive, negative=negative), self.plan
        )

    def sample(self, velocity: Velocity, index: int) -> Tensor:
        """Latents (c, t, h, w); the seed is the index."""
        sigmas = inference_sigmas(self.plan.num_steps, shift=self.plan.shift)
        return sampler(self.plan.sampler)(velocity, noise([index], self.shape), sigmas)[0]

    def pixels(self, latents: Tensor) -> Tensor:
        """Decoded, (t, h, w, 3) uint8, not steadied."""
        return torch.from_numpy(to_uint8(self.pipe.decode(latents[None])[0]).copy())

    @torch.inference_mode()
    def _make_dense(self, index: int) -> dict[str, Tensor]:
        encode = self.pipe.components.text.encode
        made: dict[str, Tensor] = {}
        for prefix, prompt in (("", self.prompts[index]), ("negative_", self.negative)):
            states = encode([prompt], num_frames=2)
            made |= {prefix + name: getattr(states, name).clone() for name in TEXT}
        inner, velocities = self.velocity(made), []

        def recorded(x: Tensor, sigma: Tensor) -> Tensor:
            velocities.append(inner(x, sigma))
            return velocities[-1]

        latents = self.sample(recorded, index)
        return made | {
            "velocities": torch.cat(velocities),
            "latents": latents.clone(),
            "pixels": self.pixels(latents),
        }


def read_rows(file: Path) -> Iterator[Row]:
    """The rows of a JSON lines file, none where there is no such file."""
    if file.exists():
        for line in file.read_text().splitlines():
            yield Row(**json.loads(line))


def psnr_db(pixels: Tensor, other: Tensor) -> float:
    """PSNR of uint8 pixels."""
    error = float((pixels.float() - other.float()).square().mean())
    return 99.0 if error == 0 else float(10 * torch.log10(torch.tensor(255**2 / error)))


@contextmanager
def open_gate(
    gate: AbstractContextManager, velocity: Velocity, *, spent: float = 0.0, num_evaluations: int
) -> Iterator[tuple[Velocity, Callable[[], Outcome]]]:
    """A gate as a `Wrap` gives it; a step left out still costs the share `spent` of an evaluation."""
    with gate as opened:

        def outcome() -> Outcome:
            skipped = num_evaluations - opened.num_computed
            return Outcome(computed=opened.num_computed + spent * skipped)

        yield opened.around(velocity), outcome
