"""What a recipe would take, stage by stage, before anything is trained."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.core.config import override
from muybridge.core.counting import TRAINING_PASSES
from muybridge.core.shapes import latent_shape, token_grid
from muybridge.data.cache import CacheConfig
from muybridge.data.report import BucketLine
from muybridge.recipes.families import FAMILIES, STAGES
from muybridge.recipes.family import Recipe, Stage
from muybridge.recipes.films import find_films
from muybridge.recipes.launch import OwnData, begun_with, films_for, films_of, is_encoded
from muybridge.recipes.names import unknown_recipe
from muybridge.training.data_stage import training_set
from muybridge.training.plan import Plan, mixed, plan_transformer, plan_vae, scaled
from muybridge.training.scales import Scale, turns_of
from muybridge.training.stages import CacheStage, FlowStage, VAEStage
from muybridge.transformer.config import TransformerConfig
from muybridge.transformer.cost import forward_flops
from muybridge.weights.catalog import locate, resolve

NUM_TEXT_TOKENS = 32  # gallop's captions have 17 on average, and the network pads to this many


@dataclass(frozen=True, kw_only=True, slots=True)
class StagePlan:
    """A stage's needs; `plan` is None where nothing is trained, or what is trained is small."""

    name: str
    work: str  # of a step
    data: str
    plan: Plan | None
    buckets: tuple[BucketLine, ...] = ()  # of data of your own, where they were given


def plan_stages(name: str, out: Path, *, changes: Mapping[str, Any], data: OwnData | None = None) -> list[StagePlan]:
    """The needs of a stage, or of every stage of a family, with results under `out`.

    data: your own, and the model to begin with. Takes seconds for each network: a piece of it is timed here. Raises
    InvalidInput on an unknown name or setting, or data that are not there.
    """
    stages = FAMILIES[name].stages if name in FAMILIES else {name: STAGES[name]} if name in STAGES else None
    if stages is None:
        raise unknown_recipe(name)
    if name in FAMILIES and data is not None:
        films_for(FAMILIES[name], data)
    recipes = {each: override(stage.recipe(), changes) for each, stage in stages.items()}
    return [_planned(each, stages[each], recipe, out, data) for each, recipe in recipes.items()]


def _planned(name: str, stage: Stage, settings: Recipe, out: Path, data: OwnData | None) -> StagePlan:
    if isinstance(settings, FlowStage):
        return _flow(name, stage, settings, out) if data is None else _on_data(name, settings, data)
    if isinstance(settings, VAEStage):
        clips = settings.clips
        footage = _footage(name, settings, data)
        what, size_px = ("windows", settings.window_px) if settings.window_px else ("clips", clips.size_px)
        work = f"{settings.run.batch_size} {what} of {size_px} px, {clips.num_frames} frames"
        plan = plan_vae(settings.vae, settings.run, size_px=size_px, num_frames=clips.num_frames)
        return StagePlan(name=name, work=work, data=footage, plan=plan)
    if isinstance(settings, CacheStage):
        work = f"{settings.cache.num_scenes:,} scenes at {' and '.join(map(str, settings.cache.sizes_px))} px"
        return StagePlan(name=name, work=work, data=_standing(out / name), plan=None)
    return StagePlan(name=name, work="a small network on rendered clips", data="clips of the world", plan=None)


def _footage(name: str, settings: VAEStage, data: OwnData | None) -> str:
    """What a VAE learns from. Raises InvalidInput where your own films are too few, too small or too short."""
    if data is None:
        return "clips drawn as they are asked for, none twice"
    folder = films_of(data, name)
    _, report = find_films(folder, settings)
    return f"{report.num_taken:,} of {len(report.rows):,} inputs of {folder}, every 1st to 8th of their frames"


def _flow(name: str, stage: Stage, settings: FlowStage, out: Path) -> StagePlan:
    """A transformer's stage; of several scales, a step is the mean and memory the largest."""
    if settings.buckets is not None:
        return _any_data(name, settings)
    cache = _cache_of(stage)
    whole = Scale(size_px=settings.size_px, num_frames=cache.num_frames, batch_size=settings.run.batch_size)
    scales = settings.scales or (whole,)
    turns = turns_of(scales)
    data = "latents of your own, from muybridge encode"
    if stage.reads is not None:
        rows = sum(scale.batch_size * turn for scale, turn in zip(scales, turns, strict=True)) / sum(turns)
        passes = settings.run.num_steps * rows / cache.num_scenes
        data = f"{cache.num_scenes:,} scenes of {stage.reads}, {passes:.1f} times each; {_standing(out / stage.reads)}"
    return StagePlan(
        name=name,
        work=", ".join(f"{each.batch_size} films of {each.size_px} px, {each.num_frames} frames" for each in scales),
        data=data,
        plan=mixed([_scale_plan(settings, scale) for scale in scales], turns),
    )


def _on_data(name: str, settings: FlowStage, data: OwnData) -> StagePlan:
    """A transformer's stage on an encoded set: its own buckets, timed by the one with the most tokens."""
    if data.model is not None:
        settings = begun_with(settings, locate(resolve(data.model)))
    run, network = settings.run, settings.transformer
    source = training_set(data.folder, data.name, multiple=run.num_micro_batches)
    lines = source.lines(run.batch_size)
    grids = [bucket.latent_thw for bucket in source.buckets]
    turns = [line.num_samples / line.batch_size for line in lines]
    flops = [_flops(network, grid, line.batch_size) for grid, line in zip(grids, lines, strict=True)]
    largest = flops.index(max(flops))
    plan = plan_transformer(
        network, run, latent_thw=grids[largest], num_text_tokens=NUM_TEXT_TOKENS, rows=lines[largest].batch_size
    )
    mean_flops = round(sum(each * turn for each, turn in zip(flops, turns, strict=True)) / sum(turns))
    return StagePlan(
        name=name,
        work=f"{len(source) / sum(turns):.1f} samples of {len(lines)} buckets",
        data=f"{len(source):,} samples of {data.folder}, {run.num_steps / sum(turns):.1f} times each",
        plan=scaled(plan, mean_flops),
        buckets=lines,
    )


def _flops(network: TransformerConfig, latent_thw: tuple[int, int, int], rows: int) -> int:
    """Of a training step."""
    tokens = math.prod(token_grid(latent_thw, network.patch_size))
    return TRAINING_PASSES * forward_flops(
        network, num_visual_tokens=tokens, num_text_tokens=NUM_TEXT_TOKENS, batch_size=rows
    )


def _any_data(name: str, settings: FlowStage) -> StagePlan:
    """A transformer's stage on data not yet named, whose batches hold no more tokens than the largest bucket's."""
    thw, rows = settings.largest()
    return StagePlan(
        name=name,
        work=f"{rows} samples of {thw[0]} x {thw[1]} x {thw[2]} latent cells at most",
        data="what muybridge encode wrote, with --data",
        plan=plan_transformer(
            settings.transformer, settings.run, latent_thw=thw, num_text_tokens=NUM_TEXT_TOKENS, rows=rows
        ),
    )


def _cache_of(stage: Stage) -> CacheConfig:
    """What the latents stage encodes that this one reads; the usual where it reads none."""
    if stage.reads is None:
        return CacheConfig()
    latents = STAGES[stage.reads].recipe()
    assert isinstance(latents, CacheStage)
    return latents.cache


def _scale_plan(settings: FlowStage, scale: Scale) -> Plan:
    _, t, h, w = latent_shape(scale.num_frames, scale.size_px, scale.size_px)
    return plan_transformer(
        settings.transformer,
        settings.run,
        latent_thw=(t, h, w),
        num_text_tokens=NUM_TEXT_TOKENS,
        rows=scale.batch_size,
    )


def _standing(folder: Path) -> str:
    """Where the latents stand."""
    return "encoded" if is_encoded(folder) else "not encoded yet"
