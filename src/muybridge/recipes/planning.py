"""What a recipe would take, stage by stage, before anything is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.core.config import override
from muybridge.core.errors import invalid
from muybridge.core.shapes import latent_shape
from muybridge.data.cache import CacheConfig
from muybridge.recipes.families import FAMILIES, STAGES
from muybridge.recipes.family import Recipe, Stage
from muybridge.recipes.launch import begun_with, is_encoded
from muybridge.training.plan import Plan, mixed, plan_transformer, plan_vae
from muybridge.training.scales import Scale, turns_of
from muybridge.training.stages import CacheStage, FlowStage, VAEStage
from muybridge.weights.catalog import locate, resolve

NUM_TEXT_TOKENS = 32  # gallop's captions have 17 on average, and the network pads to this many


@dataclass(frozen=True, kw_only=True, slots=True)
class StagePlan:
    """A stage's needs; `plan` is None where nothing is trained, or what is trained is small."""

    name: str
    work: str  # of a step
    data: str
    plan: Plan | None


def plan_stages(name: str, out: Path, *, changes: Mapping[str, Any], model: str | None = None) -> list[StagePlan]:
    """The needs of a stage, or of every stage of a family, with results under `out`.

    model: catalogue name or folder of the transformer that a stage on your own data begins with. Takes seconds for each
    network: a piece of it is timed here. Raises InvalidInput on an unknown name or setting.
    """
    stages = FAMILIES[name].stages if name in FAMILIES else {name: STAGES[name]} if name in STAGES else None
    if stages is None:
        raise invalid(f"recipe {name!r}", "no such stage", f"choose from {', '.join((*FAMILIES, *STAGES))}")
    recipes = {each: override(stage.recipe(), changes) for each, stage in stages.items()}
    if model is not None:
        start = locate(resolve(model))
        recipes = {each: begun_with(r, start) if isinstance(r, FlowStage) else r for each, r in recipes.items()}
    return [_planned(each, stages[each], recipe, out) for each, recipe in recipes.items()]


def _planned(name: str, stage: Stage, settings: Recipe, out: Path) -> StagePlan:
    if isinstance(settings, FlowStage):
        return _flow(name, stage, settings, out)
    if isinstance(settings, VAEStage):
        clips = settings.clips
        work = f"{settings.run.batch_size} clips of {clips.size_px} px, {clips.num_frames} frames"
        plan = plan_vae(settings.vae, settings.run, size_px=clips.size_px, num_frames=clips.num_frames)
        return StagePlan(name=name, work=work, data="clips drawn as they are asked for, none twice", plan=plan)
    if isinstance(settings, CacheStage):
        work = f"{settings.cache.num_scenes:,} scenes at {' and '.join(map(str, settings.cache.sizes_px))} px"
        return StagePlan(name=name, work=work, data=_standing(out / name), plan=None)
    return StagePlan(name=name, work="a small network on rendered clips", data="clips of the world", plan=None)


def _flow(name: str, stage: Stage, settings: FlowStage, out: Path) -> StagePlan:
    """A transformer's stage; of several scales, a step is the mean and memory the largest."""
    if settings.buckets is not None:
        return _own_data(name, settings)
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


def _own_data(name: str, settings: FlowStage) -> StagePlan:
    """A transformer's stage on a user's data, whose batches hold no more tokens than the largest bucket's."""
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
