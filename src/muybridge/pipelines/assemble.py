"""A model by its catalogue name, folder or hub id, ready to run: which files, which text encoder, which precision."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import torch

from muybridge.acceleration.attention import set_attention
from muybridge.acceleration.compile import compile_blocks
from muybridge.acceleration.facts import Model
from muybridge.acceleration.memory import GIB
from muybridge.acceleration.plan import check_text
from muybridge.acceleration.settings import RunSettings
from muybridge.core.errors import WeightsError, invalid
from muybridge.ops.attention import attention_named
from muybridge.pipelines.components import Components
from muybridge.pipelines.fitting import RunChoice
from muybridge.pipelines.identity import identity
from muybridge.pipelines.pipeline import Pipeline
from muybridge.pipelines.planning import model_of
from muybridge.pipelines.prompting.camera import GALLOP_CAMERAS, RELEASED_CAMERAS
from muybridge.pipelines.settings import Defaults
from muybridge.pipelines.text_sources import OnMessage, is_gallop, text_source
from muybridge.pipelines.transformers import transformer_from
from muybridge.vae.tiling import released_tiling
from muybridge.weights.catalog import CatalogueEntry, catalogue, locate, resolve
from muybridge.weights.files import Checkpoint, Component, open_checkpoint
from muybridge.weights.folders import components
from muybridge.weights.hub import OnDownload
from muybridge.weights.load import load_vae
from muybridge.weights.recognise import recognise

_LOG = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
RELEASED_NEGATIVES = {  # released: what an empty negative prompt stands for, without and with a picture
    False: "Aerial view, aerial view, overexposed, low quality, deformation, a poor composition, bad hands, bad teeth, "
    "bad eyes, bad limbs, distortion",
    True: "deformation, a poor composition and deformed video, bad teeth, bad eyes, bad limbs",
}

_SHARED_FIELDS = ("in_channels", "out_channels", "text_dim", "pooled_dim")  # with VAE and text encoders


def load(
    name: str | Path = "gallop",
    *,
    transformer: str | Path | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    run: RunSettings | RunChoice | None = None,
    on_message: OnMessage | None = None,
    on_download: OnDownload | None = None,
) -> Pipeline:
    """The pipeline of a catalogue name, a local folder in any known layout, or a hub id, whose files are fetched first.

    transformer: a file or folder in any known layout to use instead of the model's own, which is then not fetched.
    device: cuda where there is one, else cpu. dtype: what the networks compute in, bfloat16 on cuda and float32 on cpu;
    sampler state is float32 always. run: how, exactly so; or what decides it, such as RunChoice(memory="12GiB"); left
    out, plainly where the model's usual film then fits into what is free, else as the planner says. on_message hears
    of slow steps, such as a text encoder fetched at the first prompt; left out, the log does. on_download hears of
    every file's name, bytes so far and size.
    Raises InvalidInput on an unknown name, AssetError where files cannot be fetched or their licence is not accepted,
    WeightsError on damaged or unfit files, DoesNotFit.
    """
    entry = resolve(name)
    if not entry.is_runnable:
        runnable = ", ".join(known for known, each in catalogue().items() if each.is_runnable)
        raise invalid(f"model={name}", "can be inspected and converted, but not run yet", f"use one of {runnable}")
    place = _device(device)
    precision = _dtype(dtype or _wanted_dtype(run), place)
    say = on_message or _LOG.info
    replaced = () if transformer is None else ("transformer",)
    folder = _model_folder(locate(entry, without=replaced, on_progress=on_download or _said(say)))
    sources: dict[Component, Path] = {"transformer": Path(transformer or folder).expanduser(), "vae": folder}
    parts: dict[Component, Checkpoint] = {
        part: open_checkpoint(source, component=part) for part, source in sources.items()
    }
    if transformer is not None:
        _check_alike(parts["transformer"], folder)
    facts, use = model_of(entry, parts, folder, name=str(name))
    defaults = Defaults.of(
        _with_scheduler(entry, folder),
        has_guidance=facts.transformer.has_guidance,
        negative="" if is_gallop(folder) else RELEASED_NEGATIVES[use.needs_picture],
        has_buckets=use.needs_picture,
        cameras=GALLOP_CAMERAS if is_gallop(folder) else RELEASED_CAMERAS,
    )
    settings = _settled(run, facts, defaults, dtype=precision, device=place)
    check_text(facts.text, settings)
    heads = torch.empty(1, 1, 1, facts.transformer.head_dim, dtype=precision, device=place)
    attention = attention_named(settings.attention, like=heads)
    network, stream = transformer_from(sources["transformer"], dtype=precision, device=place, run=settings)
    set_attention(network, attention)
    if settings.compiles:
        compile_blocks(network)
    vae = load_vae(folder, dtype=_vae_dtype(precision, place)).to(place)
    return Pipeline(
        Components(
            name=str(name),
            transformer=network,
            vae=vae,
            text=text_source(
                folder,
                facts=facts.text,
                dtype=precision,
                device=place,
                weights=settings.text_weights,
                picture_stride=use.stride,
                on_message=say,
            ),
            defaults=defaults,
            weights={part: identity(checkpoint) for part, checkpoint in parts.items()},
            tiling=released_tiling(vae.config),
            transformer_path=None if transformer is None else sources["transformer"].absolute(),
            stream=stream,
            run=settings,
            picture_use=use,
        )
    )


def _wanted_dtype(run: RunSettings | RunChoice | None) -> str | None:
    return run.wanted.get("dtype") if isinstance(run, RunChoice) else run.dtype if run is not None else None


def _settled(
    run: RunSettings | RunChoice | None, model: Model, defaults: Defaults, *, dtype: torch.dtype, device: torch.device
) -> RunSettings:
    """The settings given, or those that are chosen for this model."""
    name = str(dtype).removeprefix("torch.")
    if isinstance(run, RunSettings):
        return replace(run, dtype=name)
    return (run or RunChoice()).settle(model, defaults, dtype=name, device=device)


def _said(say: OnMessage) -> OnDownload:
    """A line at the beginning of each download."""
    known: set[str] = set()

    def on_download(file: str, _done: int, total: int) -> None:
        if file not in known:
            known.add(file)
            say(f"fetching {file} ({total / GIB:.2f} GiB)")

    return on_download


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError):
        raise invalid(f"device={device!r}", "is no device", "use cpu or cuda") from None
    if place.type not in ("cpu", "cuda"):
        raise invalid(f"device={device}", "only cpu and cuda are supported", "use one of them")
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise invalid(f"device={device}", f"this machine shows {torch.cuda.device_count()} CUDA devices", "use cpu")
    return place


def _dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    if dtype is None:
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    found = DTYPES.get(str(dtype).removeprefix("torch."))
    if found is None:
        raise invalid(f"dtype={dtype}", f"known are {', '.join(DTYPES)}", "use one of them")
    return found


def _vae_dtype(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """float16 beside a half-precision transformer on cuda, as released: bfloat16 has too few bits for pixels."""
    return torch.float16 if device.type == "cuda" and dtype != torch.float32 else dtype


def _model_folder(folder: Path) -> Path:
    if folder.is_dir():
        return folder
    rule = "is one file; a model is a folder with transformer, vae and text encoder"
    raise WeightsError(f"{folder}: {rule}; give the folder, or look into the file with `muybridge inspect`.")


def _check_alike(given: Checkpoint, folder: Path) -> None:
    """Raises InvalidInput where a transformer is not of the architecture of the folder's own, if that is there."""
    if "transformer" not in components(folder):
        return
    own = open_checkpoint(folder, component="transformer")
    theirs, ours = (recognise(each, kind="transformer").config for each in (given, own))
    for field in _SHARED_FIELDS:
        if getattr(theirs, field) != getattr(ours, field):
            rule = f"its {field} is {getattr(theirs, field)}, that of {folder.name} is {getattr(ours, field)}"
            raise invalid(f"transformer {given.path}", rule, "use a transformer made for this model's VAE and text")


def _with_scheduler(entry: CatalogueEntry, folder: Path) -> CatalogueEntry:
    """The shift of a diffusers folder's own scheduler counts more than the catalogue's."""
    file = folder / "scheduler" / "scheduler_config.json"
    if not file.is_file():
        return entry
    try:
        shift = json.loads(file.read_text(encoding="utf-8")).get("shift")
    except (ValueError, AttributeError):
        raise WeightsError(f"{file}: is not the JSON it should be; download it again.") from None
    if isinstance(shift, bool) or not isinstance(shift, (int, float)) or shift <= 0:
        return entry
    return replace(entry, defaults={**entry.defaults, "shift": float(shift)})
