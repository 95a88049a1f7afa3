"""The stages of training `gallop`-like systems: each reads what the one before wrote, and resumes by itself."""

import math
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from muybridge.core.errors import invalid
from muybridge.core.seeding import generator, seeded
from muybridge.core.shapes import latent_frames, latent_shape
from muybridge.data.buckets import BucketsConfig, sizes
from muybridge.data.cache import CacheConfig, LatentBatch, LatentCache, OnShard, build_cache
from muybridge.data.clips import ClipsConfig, Footage
from muybridge.data.encoders import ENCODER_SIDE, vae_identity
from muybridge.data.latents import LatentSource
from muybridge.data.world import World
from muybridge.text.encoder import BulkTextEncoder, TextEncoder, TextStates
from muybridge.training.config import RunConfig
from muybridge.training.scales import Scale, open_scales
from muybridge.training.settings import settings_of
from muybridge.training.tasks.flow_matching import FlowConfig, FlowTask
from muybridge.training.tasks.reconstruction import ReconstructionTask, ReconstructionWeights
from muybridge.training.trainer import OnStep, Trainer
from muybridge.transformer.config import TransformerConfig
from muybridge.transformer.initialise import initialise
from muybridge.transformer.model import Transformer
from muybridge.vae.config import VAEConfig
from muybridge.vae.discriminator import AdversaryConfig, PatchDiscriminator
from muybridge.vae.linear_path import initialise_from_patches, with_new_decoder
from muybridge.vae.model import VideoVAE
from muybridge.vae.perceptual import FeatureDistance
from muybridge.vae.tiling import Tiling
from muybridge.weights.load import load_transformer, load_vae
from muybridge.weights.save import save_model

Model = TypeVar("Model", bound=nn.Module)
VALIDATION_BATCH = 32  # held-out samples that the velocity loss is taken on
PATCH_CLIPS = 96  # clips whose patches start the linear path: some 70,000 patches of 128 px clips


@dataclass(frozen=True, kw_only=True, slots=True)
class VAEStage:
    """One stage of VAE training. With the encoder frozen, latents that were computed before stay good.

    is_from_patches: start a linear path from principal components, rather than every weight at random.
    tiled_share: of the steps, those that code by `tiling`'s tiles, for the last stage.
    lpips_trunk: file of torchvision's VGG16; with it the perceptual term is LPIPS, without it the stand-in.
    window_px: side of the busy windows that are trained on; 0 for whole clips. has_new_decoder: weights to start from
    give all but the decoder's convolutions, which are those of `vae`, fresh and silent.
    """

    vae: VAEConfig = field(default_factory=VAEConfig)
    clips: ClipsConfig = field(default_factory=ClipsConfig)
    weights: ReconstructionWeights = field(default_factory=ReconstructionWeights)
    run: RunConfig = field(default_factory=RunConfig)
    is_encoder_frozen: bool = False
    num_held_out: int = 16
    held_out_frames: int = 17
    is_from_patches: bool = True
    adversary: AdversaryConfig = field(default_factory=AdversaryConfig)
    tiling: Tiling = field(default_factory=Tiling)
    tiled_share: float = 0.0
    lpips_trunk: str = ""
    window_px: int = 0
    has_new_decoder: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheStage:
    """Encoding of training and held-out scenes."""

    cache: CacheConfig = field(default_factory=CacheConfig)
    num_held_out: int = 64
    num_captions_measured: int = 1024  # for the statistics that text states are standardised with


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowStage:
    """One stage of transformer training on a cache: films of one size, or several scales in turns."""

    transformer: TransformerConfig = field(default_factory=TransformerConfig)
    size_px: int = 128  # of the films, and of validation where there are several scales
    flow: FlowConfig = field(default_factory=FlowConfig)
    run: RunConfig = field(default_factory=RunConfig)
    scales: tuple[Scale, ...] = ()  # none: `run.batch_size` films of `size_px` a step; else each scale's own
    buckets: BucketsConfig | None = (
        None  # what data of the user's own are encoded to; their largest has batch_size rows
    )

    def largest(self, *, num_frames: int = 17) -> tuple[tuple[int, int, int], int]:
        """Latent frames, rows and columns, and samples, of the batch with the most tokens.

        num_frames: of the cache, where neither scales nor buckets say it.
        """
        if self.buckets is not None:
            shapes = [(num, *size) for num in self.buckets.frames for group in sizes(self.buckets) for size in group]
            num, width, height = max(shapes, key=math.prod)
            return latent_shape(num, height, width)[1:], self.run.batch_size
        scales = self.scales or (Scale(size_px=self.size_px, num_frames=num_frames, batch_size=self.run.batch_size),)
        shapes = [
            (latent_shape(scale.num_frames, scale.size_px, scale.size_px)[1:], scale.batch_size) for scale in scales
        ]
        return max(shapes, key=lambda shape: math.prod(shape[0]) * shape[1])


def train_vae(
    stage: VAEStage,
    folder: Path,
    *,
    footage: Footage,
    start: Path | None = None,
    features: FeatureDistance | None = None,
    on_step: OnStep | None = None,
) -> Path:
    """Train a VAE afresh, or from the weights at `start`; the file of the averaged weights."""
    size_px, frames = stage.clips.size_px, stage.held_out_frames
    with seeded(stage.run.seed):
        critic = PatchDiscriminator(stage.adversary) if stage.weights.adversarial else None
    task = ReconstructionTask(
        clips=footage.stream(stage.clips, seed=stage.run.seed),
        weights=stage.weights,
        held_out=footage.held_out(stage.num_held_out, size_px=size_px, num_frames=frames),
        features=features,
        critic=None if critic is None else critic.to(_device()),
        adversary=stage.adversary,
        tiling=stage.tiling,
        tiled_share=stage.tiled_share,
        window_px=stage.window_px,
        num_micro_batches=stage.run.num_micro_batches,
    )
    if start is None:
        model = _fresh_vae(stage, footage).to(_device())
        _set_unit_latents(model, task)
    else:
        model = _trainable(_continued(stage, load_vae(start, dtype=torch.float32))).to(_device())
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not (stage.is_encoder_frozen and name.startswith(ENCODER_SIDE)))
    averaged = Trainer(model, task, stage.run, folder=folder, settings=settings_of(stage)).run(on_step)
    if not stage.is_encoder_frozen:
        _set_unit_latents(averaged, task)
    target = folder / "vae.safetensors"
    save_model(averaged, target)
    return target


def build_caches(
    stage: CacheStage,
    folder: Path,
    *,
    world: World,
    vae_path: Path,
    text: BulkTextEncoder,
    text_identity: str,
    on_shard: OnShard | None = None,
) -> None:
    """Encode the scenes into `folder`/held_out and `folder`/train; finished shards are kept.

    text_identity: what tells this text encoder from others, such as a hash of its statistics.
    """
    vae = load_vae(vae_path, dtype=torch.float32)
    encoders = f"{vae_identity(vae)}-{text_identity}"
    held_out = replace(stage.cache, num_scenes=stage.num_held_out, is_held_out=True, encoders=encoders)
    for name, config in (("held_out", held_out), ("train", replace(stage.cache, encoders=encoders))):
        build_cache(folder / name, config, world=world, vae=vae, text=text, on_shard=on_shard)


def train_flow(
    stage: FlowStage,
    folder: Path,
    *,
    caches: Path,
    text: TextEncoder,
    start: Path | None = None,
    vae: Path | None = None,
    on_step: OnStep | None = None,
) -> Path:
    """Train a transformer afresh, or from the weights at `start`; the file of the averaged weights.

    vae: weights that decode the samples; without them none are shown.
    """
    train, scales = caches / "train", stage.scales
    cache = open_scales(train, scales) if scales else LatentCache(train, size_px=stage.size_px)
    held_out, empty = (_held_out(stage, caches / "held_out"),), text.encode([""], num_frames=1)
    task = flow_task(stage, cache, held_out, empty=empty, vae=vae)
    return fit_flow(stage, folder, task=task, start=start, on_step=on_step)


def flow_task(
    stage: FlowStage,
    cache: LatentSource,
    held_out: tuple[LatentBatch, ...],
    *,
    empty: TextStates,
    vae: Path | None = None,
) -> FlowTask:
    """The stage's task on given latents; `vae`: weights that decode its samples."""
    return FlowTask(
        cache=cache,
        held_out=held_out,
        empty=empty,
        open_vae=None if vae is None else partial(load_vae, vae, dtype=torch.float32),
        config=stage.flow,
        seed=stage.run.seed,
        num_micro_batches=stage.run.num_micro_batches,
    )


def fit_flow(
    stage: FlowStage, folder: Path, *, task: FlowTask, start: Path | None = None, on_step: OnStep | None = None
) -> Path:
    """Train on a task afresh, or from the weights at `start`; the file of the averaged weights."""
    model = _fresh_transformer(stage) if start is None else _trainable(load_transformer(start, dtype=torch.float32))
    model = model.to(_device())
    averaged = Trainer(model, task, stage.run, folder=folder, settings=settings_of(stage)).run(on_step)
    target = folder / "transformer.safetensors"
    save_model(averaged, target)
    return target


def _held_out(stage: FlowStage, folder: Path) -> LatentBatch:
    """The films that validation looks at, as long as the longest that the stage trains on."""
    cache = LatentCache(folder, size_px=stage.size_px)
    batch = cache.gather(torch.arange(min(VALIDATION_BATCH, len(cache))))
    longest = max((latent_frames(scale.num_frames) for scale in stage.scales), default=None)
    return replace(batch, latents=batch.latents[:, :, :longest])


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _fresh_vae(stage: VAEStage, footage: Footage) -> VideoVAE:
    with seeded(stage.run.seed):
        vae = VideoVAE(stage.vae)
    if stage.is_from_patches:
        stream = footage.stream(replace(stage.clips, images_every=0), seed=stage.run.seed)
        initialise_from_patches(vae, stream.batch(0, batch_size=PATCH_CLIPS))
    return vae


def _continued(stage: VAEStage, vae: VideoVAE) -> VideoVAE:
    if not stage.has_new_decoder:
        return vae
    with seeded(stage.run.seed):
        return with_new_decoder(vae, stage.vae)


def _fresh_transformer(stage: FlowStage) -> Transformer:
    model = Transformer(stage.transformer)
    initialise(model, generator(stage.run.seed, "transformer"))
    return model


def _trainable(model: Model) -> Model:
    """The model with weights of its own: those mapped from a file cannot be written."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
        parameter.requires_grad_(True)
    return model.train()


def _set_unit_latents(vae: VideoVAE, task: ReconstructionTask) -> None:
    """Set the scaling factor that gives latents of held-out clips root mean square 1."""
    latent_rms = task.validate(vae)["latent_rms"]
    if not latent_rms > 0:
        raise invalid(f"latent_rms={latent_rms}", "the latents must vary", "train the VAE longer")
    vae.config = replace(vae.config, scaling_factor=round(1.0 / latent_rms, 6))
