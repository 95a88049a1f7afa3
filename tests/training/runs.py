"""A VAE run with a critic and a flow run, tiny; and runs that are killed and continued until they are done."""

import hashlib
import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from muybridge.core.seeding import generator
from muybridge.data.cache import LatentBatch
from muybridge.data.clips import ClipsConfig, ClipStream, held_out_clips
from muybridge.text.encoder import HashEncoder
from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.settings import settings_of
from muybridge.training.tasks.flow_matching import FlowConfig, FlowTask
from muybridge.training.tasks.reconstruction import ReconstructionTask, ReconstructionWeights
from muybridge.training.trainer import Trainer
from muybridge.transformer import Transformer, TransformerConfig
from muybridge.transformer.initialise import initialise
from muybridge.vae import VideoVAE
from muybridge.vae.discriminator import AdversaryConfig, PatchDiscriminator
from tests.data.small import SIZE_PX, small_vae_config, small_world
from tests.training.tiny import Recipe, tensors

TINY = TransformerConfig(
    in_channels=4, out_channels=4, hidden_size=32, num_heads=2, num_double_blocks=1, num_single_blocks=1,
    num_refiner_blocks=1, rope_axes_dim=(4, 6, 6), rope_theta=16.0, text_dim=6, pooled_dim=6, has_guidance=False,
)  # fmt: skip
TEXT = HashEncoder(text_dim=6, pooled_dim=6)
MAX_STEPS_A_LIFE = 3  # steps that a run lives before it is killed; it saves every two
Build = Callable[[Path, int], Trainer]


class Drawn:
    """Latents and captions drawn from (seed, step)."""

    def batch(self, step: int, *, batch_size: int, seed: int) -> LatentBatch:
        draw = generator(seed, step, "latents")
        text = TEXT.encode([f"thing {step} {row}" for row in range(batch_size)], num_frames=5)
        latents = torch.randn(batch_size, 4, 2, 4, 4, generator=draw)
        return LatentBatch(latents=latents, text=text.states, text_mask=text.mask, pooled=text.pooled)


def vae_run(folder: Path, num_steps: int) -> Trainer[VideoVAE]:
    """Tiles at random, a critic from the third step on, Muon, adaptive clipping, micro-batches."""
    torch.manual_seed(0)
    adversary = AdversaryConfig(channels=(8, 16), start_step=3, ramp_steps=4)
    clips = ClipsConfig(size_px=SIZE_PX, num_frames=5, images_every=4)
    task = ReconstructionTask(
        clips=ClipStream(world=small_world(), config=clips, seed=0),
        weights=ReconstructionWeights(adversarial=0.05),
        held_out=held_out_clips(small_world(), 1, size_px=SIZE_PX, num_frames=1),
        critic=PatchDiscriminator(adversary),
        adversary=adversary,
        num_micro_batches=2,
    )
    optimizer = OptimizerConfig(kind="muon", matrix_names=("decoder.",), warmup_steps=2, clip="adaptive")
    config = _config(num_steps, num_micro_batches=2, optimizer=optimizer)
    return Trainer(VideoVAE(small_vae_config()), task, config, folder=folder, settings=settings_of(Recipe(run=config)))


def flow_run(folder: Path, num_steps: int) -> Trainer[Transformer]:
    """bfloat16, held frames, caption dropout, a power average."""
    task = FlowTask(
        cache=Drawn(),
        held_out=(Drawn().batch(0, batch_size=1, seed=9),),
        empty=TEXT.encode([""], num_frames=1),
        config=FlowConfig(held_share=0.3, image_share=0.3),
        seed=0,
    )
    model = Transformer(TINY)
    initialise(model, generator(0, "transformer"))
    config = _config(num_steps, is_bf16=True, ema_width=0.1, optimizer=OptimizerConfig(warmup_steps=2))
    return Trainer(model, task, config, folder=folder, settings=settings_of(Recipe(run=config)))


def digests(run: Trainer) -> dict[str, str]:
    """SHA-256 of every weight, average, optimizer state and weight of the critic, by name."""
    return {name: hashlib.sha256(_bytes(value)).hexdigest() for name, value in tensors(run).items()}


def killed_and_continued(build: Build, folder: Path, *, num_steps: int, num_kills: int, seed: int) -> dict[str, str]:
    """Digests of a run that was killed `num_kills` times at random points, saves included, and continued each time."""
    draw = random.Random(seed)
    for _ in range(num_kills):
        child, ticks = _in_child(lambda: build(folder, num_steps))
        num_alive = draw.randint(0, MAX_STEPS_A_LIFE)
        started_s = 0.0
        for _ in range(num_alive + 1):  # the first tick comes before the first step
            started_s = time.perf_counter()
            assert os.read(ticks, 1), "the run ended before it was killed"
        time.sleep(draw.uniform(0, time.perf_counter() - started_s))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(ticks)
        assert os.WIFSIGNALED(status), "the run ended before it was killed"
    child, ticks = _in_child(lambda: build(folder, num_steps))
    while os.read(ticks, 1):
        pass
    os.close(ticks)
    assert os.waitpid(child, 0)[1] == 0
    return json.loads((folder / "digests.json").read_text())


def _in_child(build: Callable[[], Trainer]) -> tuple[int, int]:
    """A fork that runs to the end, writes its digests, and ticks before the first step and after each."""
    ticks, theirs = os.pipe()
    child = os.fork()
    if child:
        os.close(theirs)
        return child, ticks
    status = 1
    try:
        torch.set_num_threads(1)
        run = build()
        os.write(theirs, b".")
        run.run(lambda *_: _tick(theirs))
        (run.folder / "digests.json").write_text(json.dumps(digests(run)))
        status = 0
    finally:
        os._exit(status)


def _tick(pipe: int) -> None:
    os.write(pipe, b".")


def _config(num_steps: int, **changes: object) -> RunConfig:
    fixed = {
        "num_steps": num_steps, "batch_size": 2, "is_bf16": False, "checkpoint_every_steps": 2, "trackers": (),
        "validate_every_steps": 1000,
    }  # fmt: skip
    return RunConfig(**fixed | changes)  # type: ignore[arg-type]


def _bytes(value: Tensor) -> bytes:
    return value.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes()
