"""What can be trained, by name, without importing what trains it: help is answered at once."""

# A family stands for all of its stages, in order; the others are stages.
SUMMARIES = {
    "gallop": "the embedded model",
    "gallop-progressive": "the same model by the paper's six stages",
    "gallop-vae": "causal 3D VAE",
    "gallop-latents": "latents and text states of the scenes",
    "gallop-flow-64": "transformer on 64 px films",
    "gallop-flow-128": "transformer on 128 px films",
    "gallop-image-low": "64 px pictures",
    "gallop-image-mixed": "64 and 128 px pictures",
    "gallop-video-low-short": "9 frames at 64 px, pictures",
    "gallop-video-low-long": "17 frames at 64 px, pictures",
    "gallop-video-high-long": "17 frames at 128 px, mixed",
    "gallop-finetune": "the last steps, on full films",
    "gallop-decoder": "a wider decoder for gallop's latents",
    "gallop-vae-low-short": "VAE on 9 frames at 64 px",
    "gallop-vae-high-long": "VAE on 17 frames at 128 px",
    "gallop-vae-adversarial": "VAE against a critic",
    "gallop-vae-tiled": "VAE by tiles, half of the time",
    "vae-from-scratch": "the released VAE's architecture",
    "gallop-probe": "the probe that judges gallop",
}
