"""The families that can be trained, stage by stage."""

from collections.abc import Mapping
from types import MappingProxyType

from muybridge.recipes import gallop, gallop_vae, judging, progressive
from muybridge.recipes.family import Family, Stage

_VAE_AND_LATENTS: Mapping[str, Stage] = MappingProxyType({
    "gallop-vae": Stage(
        recipe=gallop.gallop_vae, world=gallop.vae_world, summary="causal 3D VAE"
    ),
    "gallop-latents": Stage(
        recipe=gallop.gallop_latents, world=gallop.flow_world, summary="latents and text states of the scenes",
        reads="gallop-vae",
    ),
})  # fmt: skip

GALLOP = Family(
    name="gallop",
    summary="the embedded model",
    stages={
        **_VAE_AND_LATENTS,
        "gallop-flow-64": Stage(
            recipe=gallop.gallop_flow_64, summary="transformer on 64 px films", reads="gallop-latents"
        ),
        "gallop-flow-128": Stage(
            recipe=gallop.gallop_flow_128, summary="transformer on 128 px films", start="gallop-flow-64",
            reads="gallop-latents",
        ),
    },
    about=gallop.gallop_about,
)  # fmt: skip

GALLOP_PROGRESSIVE = Family(
    name="gallop-progressive",
    summary="the same model by the paper's six stages",
    stages={
        **_VAE_AND_LATENTS,
        "gallop-image-low": Stage(
            recipe=progressive.gallop_image_low, summary="64 px pictures", reads="gallop-latents"
        ),
        "gallop-image-mixed": Stage(
            recipe=progressive.gallop_image_mixed, summary="64 and 128 px pictures", start="gallop-image-low",
            reads="gallop-latents",
        ),
        "gallop-video-low-short": Stage(
            recipe=progressive.gallop_video_low_short, summary="9 frames at 64 px, pictures",
            start="gallop-image-mixed", reads="gallop-latents",
        ),
        "gallop-video-low-long": Stage(
            recipe=progressive.gallop_video_low_long, summary="17 frames at 64 px, pictures",
            start="gallop-video-low-short", reads="gallop-latents",
        ),
        "gallop-video-high-long": Stage(
            recipe=progressive.gallop_video_high_long, summary="17 frames at 128 px, mixed",
            start="gallop-video-low-long", reads="gallop-latents",
        ),
        "gallop-finetune": Stage(
            recipe=progressive.gallop_finetune, summary="the last steps, on full films", start="gallop-video-high-long",
            reads="gallop-latents",
        ),
    },
    about=gallop.gallop_about,
)  # fmt: skip

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in (GALLOP, GALLOP_PROGRESSIVE)})
STAGES: Mapping[str, Stage] = MappingProxyType(
    {name: stage for family in FAMILIES.values() for name, stage in family.stages.items()}
    | {
        "gallop-vae-low-short": Stage(
            recipe=gallop_vae.gallop_vae_low_short, world=gallop.vae_world, summary="VAE on 9 frames at 64 px"
        ),
        "gallop-vae-high-long": Stage(
            recipe=gallop_vae.gallop_vae_high_long, world=gallop.vae_world, summary="VAE on 17 frames at 128 px",
            start="gallop-vae-low-short",
        ),
        "gallop-vae-adversarial": Stage(
            recipe=gallop_vae.gallop_vae_adversarial, world=gallop.vae_world, summary="VAE against a critic",
            start="gallop-vae-high-long",
        ),
        "gallop-vae-tiled": Stage(
            recipe=gallop_vae.gallop_vae_tiled, world=gallop.vae_world, summary="VAE by tiles, half of the time",
            start="gallop-vae-adversarial",
        ),
        "vae-from-scratch": Stage(
            recipe=gallop_vae.vae_from_scratch, world=gallop.vae_world, summary="the released VAE's architecture"
        ),
        "gallop-probe": Stage(
            recipe=judging.gallop_probe, world=gallop.flow_world, summary="the probe that judges gallop"
        ),
    }
)  # fmt: skip
