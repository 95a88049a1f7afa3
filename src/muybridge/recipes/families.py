"""The families that can be trained, stage by stage."""

from collections.abc import Mapping
from types import MappingProxyType

from muybridge.recipes import curating, gallop, gallop_vae, hunyuan, judging, progressive, sketch
from muybridge.recipes.family import Family, Stage
from muybridge.recipes.names import SUMMARIES

_VAE_AND_LATENTS: Mapping[str, Stage] = MappingProxyType({
    "gallop-vae": Stage(
        recipe=gallop.gallop_vae, world=gallop.vae_world, summary=SUMMARIES["gallop-vae"]
    ),
    "gallop-latents": Stage(
        recipe=gallop.gallop_latents, world=gallop.flow_world, summary=SUMMARIES["gallop-latents"],
        reads="gallop-vae",
    ),
    "gallop-decoder": Stage(
        recipe=gallop_vae.gallop_decoder, world=gallop.vae_world, summary=SUMMARIES["gallop-decoder"],
        start="gallop-vae",
    ),
})  # fmt: skip

GALLOP = Family(
    name="gallop",
    summary=SUMMARIES["gallop"],
    stages={
        **_VAE_AND_LATENTS,
        "gallop-flow-64": Stage(
            recipe=gallop.gallop_flow_64, summary=SUMMARIES["gallop-flow-64"], reads="gallop-latents"
        ),
        "gallop-flow-128": Stage(
            recipe=gallop.gallop_flow_128, summary=SUMMARIES["gallop-flow-128"], start="gallop-flow-64",
            reads="gallop-latents",
        ),
        "gallop-flow-held": Stage(
            recipe=gallop.gallop_flow_held, summary=SUMMARIES["gallop-flow-held"], start="gallop-flow-128",
            reads="gallop-latents",
        ),
    },
    about=gallop.gallop_about,
)  # fmt: skip

GALLOP_PROGRESSIVE = Family(
    name="gallop-progressive",
    summary=SUMMARIES["gallop-progressive"],
    stages={
        **_VAE_AND_LATENTS,
        "gallop-image-low": Stage(
            recipe=progressive.gallop_image_low, summary=SUMMARIES["gallop-image-low"], reads="gallop-latents"
        ),
        "gallop-image-mixed": Stage(
            recipe=progressive.gallop_image_mixed, summary=SUMMARIES["gallop-image-mixed"], start="gallop-image-low",
            reads="gallop-latents",
        ),
        "gallop-video-low-short": Stage(
            recipe=progressive.gallop_video_low_short, summary=SUMMARIES["gallop-video-low-short"],
            start="gallop-image-mixed", reads="gallop-latents",
        ),
        "gallop-video-low-long": Stage(
            recipe=progressive.gallop_video_low_long, summary=SUMMARIES["gallop-video-low-long"],
            start="gallop-video-low-short", reads="gallop-latents",
        ),
        "gallop-video-high-long": Stage(
            recipe=progressive.gallop_video_high_long, summary=SUMMARIES["gallop-video-high-long"],
            start="gallop-video-low-long", reads="gallop-latents",
        ),
        "gallop-finetune": Stage(
            recipe=progressive.gallop_finetune, summary=SUMMARIES["gallop-finetune"], start="gallop-video-high-long",
            reads="gallop-latents",
        ),
    },
    about=gallop.gallop_about,
)  # fmt: skip

SKETCH = Family(
    name="sketch",
    summary=SUMMARIES["sketch"],
    stages={
        "sketch-vae": Stage(recipe=sketch.sketch_vae, world=sketch.sketch_world, summary=SUMMARIES["sketch-vae"]),
        "sketch-latents": Stage(
            recipe=sketch.sketch_latents, world=sketch.sketch_world, summary=SUMMARIES["sketch-latents"],
            reads="sketch-vae",
        ),
        "sketch-pictures": Stage(
            recipe=sketch.sketch_pictures, summary=SUMMARIES["sketch-pictures"], reads="sketch-latents"
        ),
        "sketch-films": Stage(
            recipe=sketch.sketch_films, summary=SUMMARIES["sketch-films"], start="sketch-pictures",
            reads="sketch-latents",
        ),
    },
    about=sketch.sketch_about,
)  # fmt: skip

_OWN_DATA: Mapping[str, Stage] = MappingProxyType({  # the released size; each learns from what `encode` wrote
    "hunyuan-image-low": Stage(
        recipe=hunyuan.hunyuan_image_low, summary=SUMMARIES["hunyuan-image-low"], text=hunyuan.TEXT
    ),
    "hunyuan-image-mixed": Stage(
        recipe=hunyuan.hunyuan_image_mixed, summary=SUMMARIES["hunyuan-image-mixed"],
        start="hunyuan-image-low", text=hunyuan.TEXT,
    ),
    "hunyuan-video-low-short": Stage(
        recipe=hunyuan.hunyuan_video_low_short, summary=SUMMARIES["hunyuan-video-low-short"],
        start="hunyuan-image-mixed", text=hunyuan.TEXT,
    ),
    "hunyuan-video-low-long": Stage(
        recipe=hunyuan.hunyuan_video_low_long, summary=SUMMARIES["hunyuan-video-low-long"],
        start="hunyuan-video-low-short", text=hunyuan.TEXT,
    ),
    "hunyuan-video-high-long": Stage(
        recipe=hunyuan.hunyuan_video_high_long, summary=SUMMARIES["hunyuan-video-high-long"],
        start="hunyuan-video-low-long", text=hunyuan.TEXT,
    ),
    "hunyuan-finetune": Stage(
        recipe=hunyuan.hunyuan_finetune, summary=SUMMARIES["hunyuan-finetune"],
        start="hunyuan-video-high-long", text=hunyuan.TEXT,
    ),
    "finetune": Stage(recipe=progressive.finetune, summary=SUMMARIES["finetune"]),
})  # fmt: skip

GALLOP_VAE = Family(  # the paper's curriculum; latents are computed anew after it
    name="gallop-vae-curriculum",
    summary=SUMMARIES["gallop-vae-curriculum"],
    stages={
        "gallop-vae-low-short": Stage(
            recipe=gallop_vae.gallop_vae_low_short, world=gallop.vae_world, summary=SUMMARIES["gallop-vae-low-short"]
        ),
        "gallop-vae-high-long": Stage(
            recipe=gallop_vae.gallop_vae_high_long, world=gallop.vae_world, summary=SUMMARIES["gallop-vae-high-long"],
            start="gallop-vae-low-short",
        ),
        "gallop-vae-adversarial": Stage(
            recipe=gallop_vae.gallop_vae_adversarial, world=gallop.vae_world,
            summary=SUMMARIES["gallop-vae-adversarial"], start="gallop-vae-high-long",
        ),
        "gallop-vae-tiled": Stage(
            recipe=gallop_vae.gallop_vae_tiled, world=gallop.vae_world, summary=SUMMARIES["gallop-vae-tiled"],
            start="gallop-vae-adversarial",
        ),
    },
    about=None,
)  # fmt: skip

_VAE_STAGES: Mapping[str, Stage] = MappingProxyType({
    "vae-from-scratch": Stage(
        recipe=gallop_vae.vae_from_scratch, world=gallop.vae_world, summary=SUMMARIES["vae-from-scratch"]
    ),
})  # fmt: skip

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {family.name: family for family in (GALLOP, GALLOP_PROGRESSIVE, GALLOP_VAE, SKETCH)}
)
_CURATING: Mapping[str, Stage] = MappingProxyType({  # each makes its own data
    "caption-camera": Stage(recipe=curating.caption_camera, summary=SUMMARIES["caption-camera"]),
    "caption-sight": Stage(recipe=curating.caption_sight, summary=SUMMARIES["caption-sight"]),
    "caption-writer": Stage(recipe=curating.caption_writer, summary=SUMMARIES["caption-writer"]),
    "curation-clip": Stage(recipe=curating.curation_clip, summary=SUMMARIES["curation-clip"]),
    "curation-marks": Stage(recipe=curating.curation_marks, summary=SUMMARIES["curation-marks"]),
    "curation-quality": Stage(recipe=curating.curation_quality, summary=SUMMARIES["curation-quality"]),
    "curation-sound": Stage(recipe=curating.curation_sound, summary=SUMMARIES["curation-sound"]),
})  # fmt: skip
STAGES: Mapping[str, Stage] = MappingProxyType(
    {name: stage for family in FAMILIES.values() for name, stage in family.stages.items()}
    | {
        "gallop-probe": Stage(
            recipe=judging.gallop_probe, world=gallop.flow_world, summary=SUMMARIES["gallop-probe"]
        ),
    }
    | _VAE_STAGES
    | _OWN_DATA
    | _CURATING
)  # fmt: skip
