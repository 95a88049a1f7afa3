"""What can be trained, by name, without importing what trains it: help is answered at once."""

import difflib
from collections.abc import Iterable

from muybridge.core.errors import InvalidInput, invalid

# A family stands for all of its stages, in order.
FAMILY_NAMES = ("gallop", "gallop-progressive", "gallop-vae-curriculum", "sketch")
SUMMARIES = {
    "gallop": "the embedded model",
    "gallop-progressive": "the same model by the paper's six stages",
    "gallop-vae-curriculum": "the VAE by the paper's four stages",
    "sketch": "all of the system in minutes",
    "sketch-vae": "VAE of 64 px films",
    "sketch-latents": "latents of four subjects",
    "sketch-pictures": "small transformer on pictures",
    "sketch-films": "small transformer on films",
    "gallop-vae": "causal 3D VAE",
    "gallop-latents": "latents and text states of the scenes",
    "gallop-decoder": "a wider decoder for gallop's latents",
    "gallop-flow-64": "transformer on 64 px films",
    "gallop-flow-128": "transformer on 128 px films",
    "gallop-flow-held": "the same films, some of their frames given",
    "gallop-image-low": "64 px pictures",
    "gallop-image-mixed": "64 and 128 px pictures",
    "gallop-video-low-short": "9 frames at 64 px, pictures",
    "gallop-video-low-long": "17 frames at 64 px, pictures",
    "gallop-video-high-long": "17 frames at 128 px, mixed",
    "gallop-finetune": "the last steps, on full films",
    "gallop-vae-low-short": "VAE on 9 frames at 64 px",
    "gallop-vae-high-long": "VAE on 17 frames at 128 px",
    "gallop-vae-adversarial": "VAE against a critic",
    "gallop-vae-tiled": "VAE by tiles, half of the time",
    "vae-from-scratch": "the released VAE's architecture",
    "gallop-probe": "the probe that judges gallop",
    "caption-camera": "the namer of camera movements",
    "caption-sight": "what our captioner sees with",
    "caption-writer": "what our captioner writes with",
    "curation-quality": "the judge of damaged pictures",
    "curation-clip": "vectors of clips and captions",
    "curation-marks": "the detector of watermarks and logos",
    "curation-sound": "the ears for speech, music and effects",
    "finetune": "a model on data of your own",
    "hunyuan-image-low": "13B: pictures of 256 px",
    "hunyuan-image-mixed": "13B: pictures of 256 and 512 px",
    "hunyuan-video-low-short": "13B: 65 frames of 256 px",
    "hunyuan-video-low-long": "13B: 129 frames of 256 px",
    "hunyuan-video-high-long": "13B: 129 frames of 720p",
    "hunyuan-finetune": "13B: the last steps, on curated films",
}


def unknown_recipe(name: str, stages: Iterable[str] = ()) -> InvalidInput:
    """The error that names the recipe that may have been meant, among `stages` and all that are known."""
    close = difflib.get_close_matches(name, {**SUMMARIES, **dict.fromkeys(stages)}, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    families = ", ".join(FAMILY_NAMES)
    return invalid(f"recipe {name!r}", "no such recipe", f"{meant}families are {families}; train --help lists stages")
