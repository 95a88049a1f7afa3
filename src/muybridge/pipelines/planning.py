"""What the planner needs to know of a model by name and of a request; the weights need not be there."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from typing import cast as typed

import torch

from muybridge.acceleration.facts import Model, TextFacts, Work
from muybridge.acceleration.machine import AUTO, device_here, limits_of
from muybridge.acceleration.plan import Plan, choose
from muybridge.core.errors import WeightsError, invalid
from muybridge.pipelines.cast import num_forwards, share_seen
from muybridge.pipelines.long.context import mean_views
from muybridge.pipelines.long.windows import decoded_frames, num_windows
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.settings import Defaults
from muybridge.text.config import LanguageConfig, PooledConfig, VisionConfig
from muybridge.text.llm import SKIP_LAYERS
from muybridge.text.templates import RELEASED_TEXT_TOKENS
from muybridge.transformer import TransformerConfig
from muybridge.transformer.cost import num_parameters
from muybridge.vae import VAEConfig
from muybridge.weights.catalog import CatalogueEntry, resolve
from muybridge.weights.files import Checkpoint, Component, open_checkpoint
from muybridge.weights.llava import vision_config
from muybridge.weights.picture_use import HELD, PICTURE_USES, TOKEN_REPLACE, PictureUse, picture_use
from muybridge.weights.recognise import recognise
from muybridge.weights.text_encoders import find_text_encoders

GALLOP_TEXT = TextFacts(num_parameters=134_515_008, value_bytes=4, num_tokens=32)  # SmolLM2; captions have 17 or so


def described(name: str | Path) -> tuple[Model, Defaults]:
    """A model's facts and defaults by its catalogue name, folder or hub id; nothing is fetched.

    What is on the hub is taken to be what the catalogue says. Raises InvalidInput on an unknown name or one that
    cannot be run, WeightsError on damaged files.
    """
    entry = resolve(name)
    if not entry.is_runnable:
        raise invalid(f"model={name}", "can be inspected and converted, but not run yet", "use hunyuanvideo or gallop")
    model = _released(entry) if entry.path is None else _local(entry, entry.path)
    return model, Defaults.of(entry, has_guidance=model.transformer.has_guidance, negative="")


def work_of(request: GenerationRequest, *, batch_size: int = 1) -> Work:
    """What a request asks for, `batch_size` films of it together: memory of one window, the time of all."""
    is_seen_whole = request.long.context_latents(request.num_frames) is None
    return Work(
        width=request.width,
        height=request.height,
        num_frames=request.long.window if request.is_streamed else request.num_frames,
        num_steps=request.steps_taken,
        passes=num_forwards(request) / request.steps_taken,
        batch_size=batch_size,
        budget=request.budget,
        num_windows=num_windows(request),
        decoded_frames=decoded_frames(request),
        seen_frames=0 if is_seen_whole else request.long.context,
        views=mean_views(request) * share_seen(request),
    )


def planned(
    model: Model,
    request: GenerationRequest,
    *,
    device: torch.device,
    memory: str = AUTO,
    batch_size: int = 1,
    wanted: Mapping[str, Any] | None = None,
) -> Plan:
    """How to run a request on a device of this machine; what is loaded already is `wanted`, by names of `RunSettings`.

    memory: "auto" is what is free and what this process holds. Raises DoesNotFit with the nearest that fits, and
    InvalidInput on another word than "auto" and an amount.
    """
    machine = device_here(device)
    work, limits = work_of(request, batch_size=batch_size), limits_of(machine, memory=memory)
    return choose(model, work, machine, limits=limits, wanted=wanted)


def _released(entry: CatalogueEntry) -> Model:
    """The released networks; raises InvalidInput where the entry is of another size."""
    use = PICTURE_USES[entry.picture_use or HELD.name]
    vae = VAEConfig()
    config = TransformerConfig(in_channels=2 * vae.latent_channels + 1 if use.stands_beside else vae.latent_channels)
    if entry.num_parameters not in (0, num_parameters(config)):
        rule = "its sizes are known only from its files"
        raise invalid(f"model={entry.name}", rule, f"fetch it first and give its folder: {entry.repo_id}")
    text = text_facts(LanguageConfig(), PooledConfig(), vision=VisionConfig() if use.stride else None)
    return Model(name=entry.name, transformer=config, vae=vae, text=text)


def _local(entry: CatalogueEntry, folder: Path) -> Model:
    if not folder.is_dir():
        rule = "is one file; a model is a folder with transformer, vae and text encoder"
        raise WeightsError(f"{folder}: {rule}; give the folder.")
    parts: dict[Component, Checkpoint] = {
        part: open_checkpoint(folder, component=part) for part in ("transformer", "vae")
    }
    return model_of(entry, parts, folder)[0]


def model_of(
    entry: CatalogueEntry, parts: Mapping[Component, Checkpoint], folder: Path, *, name: str | None = None
) -> tuple[Model, PictureUse]:
    """The facts of a transformer and a VAE in their files, beside the text encoder in `folder`; and its picture's use.

    name: what the model is called, if not as its entry. Raises WeightsError.
    """
    found = {kind: recognise(parts[kind], kind=kind) for kind in ("transformer", "vae")}
    transformer, vae = typed(TransformerConfig, found["transformer"].config), typed(VAEConfig, found["vae"].config)
    use = picture_use(
        parts["transformer"].path,
        in_channels=transformer.in_channels,
        latent_channels=vae.latent_channels,
        beside=parts["transformer"].config,
        catalogued=entry.picture_use,
    )
    entries = found["transformer"].entries.values()
    model = Model(
        name=name or entry.name,
        transformer=transformer,
        vae=vae,
        text=_local_text(folder, sees_pictures=use.stride > 0),
        stored_bytes=round(sum(each.num_bytes for each in entries) / sum(each.num_elements for each in entries)) or 1,
    )
    return model, use


def _local_text(folder: Path, *, sees_pictures: bool) -> TextFacts:
    if (folder / "text.safetensors").is_file():
        return GALLOP_TEXT
    places = find_text_encoders(folder, sees_pictures=sees_pictures)
    return text_facts(*places.configs(), vision=vision_config(places.language) if sees_pictures else None)


def text_facts(language: LanguageConfig, pooled: PooledConfig, *, vision: VisionConfig | None = None) -> TextFacts:
    """Of the released encoders, without the layers that never compute; vision: of one that sees pictures."""
    used = replace(language, num_layers=language.num_layers - SKIP_LAYERS)
    shapes = used.shapes()
    layer = [shape for name, shape in shapes.items() if name.startswith("layers.0.") and len(shape) > 1]
    others = pooled.shapes() | ({} if vision is None else vision.shapes())
    num_seen = 0 if vision is None else vision.num_patches // TOKEN_REPLACE.stride
    return TextFacts(
        num_parameters=sum(map(math.prod, (*shapes.values(), *others.values()))),
        num_tokens=RELEASED_TEXT_TOKENS + num_seen,
        num_layers=used.num_layers,
        layer_parameters=sum(map(math.prod, layer)),
    )
