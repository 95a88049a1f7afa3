"""The whole system on a tiny setting, in one sitting: four subjects at 64 px, minutes on two CPU cores.

What comes of it is a sketch, coloured patches on the right ground: it shows that every part works, not how well.
Two CPU cores, about 8 minutes (computed from the rates in docs/log.md). Metric: not run to its end yet.
"""

from dataclasses import replace
from typing import Any

from muybridge.data.cache import CacheConfig
from muybridge.data.clips import ClipsConfig
from muybridge.recipes.gallop import CAST, gallop_about, gallop_flow_64, gallop_vae
from muybridge.training.scales import Scale
from muybridge.training.stages import CacheStage, FlowStage, VAEStage
from muybridge.training.tasks.flow_matching import FlowConfig
from muybridge.worlds.sprites import SpritesConfig

SIZE_PX, NUM_FRAMES = 64, 17
PICTURES = Scale(size_px=SIZE_PX, num_frames=1, batch_size=32)
FILMS = Scale(size_px=SIZE_PX, num_frames=NUM_FRAMES, batch_size=16)
FILM_TOKENS = 80


def sketch_world() -> SpritesConfig:
    """Four subjects."""
    return SpritesConfig(width_px=SIZE_PX, height_px=SIZE_PX, num_frames=NUM_FRAMES, subjects=CAST[:4])


def sketch_vae() -> VAEStage:
    """gallop's VAE from principal components of 64 px clips, hardly trained on."""
    stage = gallop_vae()
    run = replace(stage.run, num_steps=40, validate_every_steps=40, checkpoint_every_steps=40)
    clips = ClipsConfig(size_px=SIZE_PX, num_frames=NUM_FRAMES)
    return replace(stage, clips=clips, run=replace(run, optimizer=replace(run.optimizer, decay_steps=20)))


def sketch_latents() -> CacheStage:
    """512 scenes for training and 16 held out."""
    cache = CacheConfig(num_scenes=512, sizes_px=(SIZE_PX,), num_frames=NUM_FRAMES, scenes_per_shard=128)
    return CacheStage(cache=cache, num_held_out=16, num_captions_measured=128)


def sketch_pictures() -> FlowStage:
    """A transformer of 3 million parameters on pictures."""
    stage = gallop_flow_64()
    transformer = replace(
        stage.transformer, hidden_size=128, num_heads=2, num_double_blocks=2, num_single_blocks=4,
    )  # fmt: skip
    run = replace(
        stage.run, num_steps=150, batch_size=PICTURES.batch_size, validate_every_steps=50, checkpoint_every_steps=50
    )
    flow = FlowConfig(shift=2.0, shift_tokens=FILM_TOKENS, image_share=0.0)
    return replace(stage, transformer=transformer, flow=flow, run=run, scales=(PICTURES,))


def sketch_films() -> FlowStage:
    """The same transformer on films, with pictures among them and some frames given."""
    stage = sketch_pictures()
    run = replace(stage.run, seed=1, num_steps=300, batch_size=FILMS.batch_size)
    scales = (replace(FILMS, share=0.8), replace(PICTURES, share=0.2))
    flow = replace(stage.flow, held_share=0.2, loss_tokens=FILMS.batch_size * FILM_TOKENS)
    return replace(stage, flow=flow, run=run, scales=scales)


def sketch_about() -> dict[str, Any]:
    """What the published folder says of itself."""
    about = gallop_about()
    defaults = about["defaults"] | {
        "width": SIZE_PX,
        "height": SIZE_PX,
        "frames": NUM_FRAMES,
        "steps": 16,
        "shift": 2.0,
    }
    return about | {
        "name": "sketch", "title": "sketch: 64 px films of four subjects, to see that everything works",
        "defaults": defaults, "native_sizes": {"64p": [[SIZE_PX, SIZE_PX]]},
    }  # fmt: skip
