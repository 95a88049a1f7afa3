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
from muybridge.flow.samplers import NUM_EVALUATIONS
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.settings import Defaults
from muybridge.text.config import LanguageConfig, PooledConfig
from muybridge.text.llm import SKIP_LAYERS
from muybridge.transformer import TransformerConfig
from muybridge.transformer.cost import num_parameters
from muybridge.vae import VAEConfig
from muybridge.weights.catalog import CatalogueEntry, resolve
from muybridge.weights.files import Checkpoint, Component, open_checkpoint
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
    model = _released(entry) if entry.path is None else _local(entry.name, entry.path)
    return model, Defaults.of(entry, has_guidance=model.transformer.has_guidance, negative="")


def work_of(request: GenerationRequest, *, batch_size: int = 1) -> Work:
    """What a request asks for, `batch_size` films of it together."""
    return Work(
        width=request.width,
        height=request.height,
        num_frames=request.num_frames,
        num_steps=request.steps_taken,
        passes=NUM_EVALUATIONS[request.sampler] * (1 if request.cfg == 1 else 2),
        batch_size=batch_size,
        budget=request.budget,
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
    config = TransformerConfig()
    if entry.num_parameters not in (0, num_parameters(config)):
        rule = "its sizes are known only from its files"
        raise invalid(f"model={entry.name}", rule, f"fetch it first and give its folder: {entry.repo_id}")
    text = text_facts(LanguageConfig(), PooledConfig())
    return Model(name=entry.name, transformer=config, vae=VAEConfig(), text=text)


def _local(name: str, folder: Path) -> Model:
    if not folder.is_dir():
        rule = "is one file; a model is a folder with transformer, vae and text encoder"
        raise WeightsError(f"{folder}: {rule}; give the folder.")
    parts: dict[Component, Checkpoint] = {
        part: open_checkpoint(folder, component=part) for part in ("transformer", "vae")
    }
    return model_of(name, parts, folder)


def model_of(name: str, parts: Mapping[Component, Checkpoint], folder: Path) -> Model:
    """The facts of a transformer and a VAE in their files, beside the text encoder in `folder`. Raises WeightsError."""
    transformer, vae = (recognise(parts[kind], kind=kind) for kind in ("transformer", "vae"))
    entries = transformer.entries.values()
    return Model(
        name=name,
        transformer=typed(TransformerConfig, transformer.config),
        vae=typed(VAEConfig, vae.config),
        text=_local_text(folder),
        stored_bytes=round(sum(each.num_bytes for each in entries) / sum(each.num_elements for each in entries)) or 1,
    )


def _local_text(folder: Path) -> TextFacts:
    if (folder / "text.safetensors").is_file():
        return GALLOP_TEXT
    return text_facts(*find_text_encoders(folder).configs())


def text_facts(language: LanguageConfig, pooled: PooledConfig) -> TextFacts:
    """Of the released pair of encoders, without the layers that never compute."""
    used = replace(language, num_layers=language.num_layers - SKIP_LAYERS)
    shapes = used.shapes()
    layer = [shape for name, shape in shapes.items() if name.startswith("layers.0.") and len(shape) > 1]
    return TextFacts(
        num_parameters=sum(map(math.prod, (*shapes.values(), *pooled.shapes().values()))),
        num_layers=used.num_layers,
        layer_parameters=sum(map(math.prod, layer)),
    )
