"""Vision-language models by local folder as captioners: LLaVA, Qwen2-VL, Qwen2.5-VL, and others of transformers.

Decoding is greedy and constrained (`constrained`), so every answer is a caption that fits the schema.
"""

import contextlib
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers.models.auto.modeling_auto import AutoModelForImageTextToText

from muybridge.captioning.captioner import NUM_FRAMES, CaptionResult, ClipView, spread
from muybridge.captioning.constrained import Constraint, caption_fields
from muybridge.captioning.facts import measured
from muybridge.captioning.instructions import SYSTEM, VERSION, instruction
from muybridge.captioning.processors import open_processor
from muybridge.captioning.schema import MAX_CHARACTERS
from muybridge.captioning.vocabulary import Vocabulary
from muybridge.captioning.written import written
from muybridge.core.errors import WeightsError, invalid
from muybridge.media.frames import Frames

_ENDS_BYTES = 2**20  # of each weights file, hashed at both ends for the model's identity


@dataclass(frozen=True, kw_only=True, slots=True)
class VlmConfig:
    """How a model is run. `side_px` is the longest side of the frames that it is shown.

    The token limits end what it writes: the short description, the dense one, and each of the phrases.
    """

    folder: Path
    device: str = "cpu"
    dtype: str = "bfloat16"
    batch_size: int = 4
    num_frames: int = NUM_FRAMES
    side_px: int = 448
    short_tokens: int = 64
    dense_tokens: int = 256
    phrase_tokens: int = 40

    def __post_init__(self) -> None:
        for name in ("batch_size", "num_frames", "short_tokens", "dense_tokens", "phrase_tokens"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "is at least 1", "leave it out")
        if self.dtype not in ("bfloat16", "float16", "float32"):
            raise invalid(f"dtype={self.dtype!r}", "there are bfloat16, float16 and float32", "use bfloat16")
        if self.side_px < 28:
            raise invalid(f"side_px={self.side_px}", "models see patches of up to 28 pixels", "use 448")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Loaded:
    """A model with what it needs to read and write; of the first two each family has its own kind."""

    model: Any
    processor: Any
    vocabulary: Vocabulary
    eos_ids: tuple[int, ...]


class VlmCaptioner:
    """A `Captioner` that runs an image-text model of transformers from a folder, without the network."""

    def __init__(self, config: VlmConfig) -> None:
        self.config = config
        self._loaded: _Loaded | None = None
        self._digest = ""

    @property
    def name(self) -> str:
        """The model's folder."""
        return self.config.folder.resolve().name.lower()

    @property
    def max_tokens(self) -> Mapping[str, int]:
        """Of each free field."""
        phrases = dict.fromkeys(MAX_CHARACTERS, self.config.phrase_tokens)
        return phrases | {"short": self.config.short_tokens, "dense": self.config.dense_tokens}

    @property
    def identity(self) -> str:
        """The model's files and what decides its answers."""
        config = self.config
        self._digest = self._digest or files_digest(config.folder)
        limits = f"{config.short_tokens}-{config.dense_tokens}-{config.phrase_tokens}"
        return f"vlm-{VERSION}-{self._digest}-{config.dtype}-{config.num_frames}x{config.side_px}-{limits}"

    def prepare(self) -> None:
        """Load the model. Raises WeightsError, naming what is wrong with the folder."""
        if self._loaded is None:
            self._loaded = _load(self.config)

    def caption(self, views: Sequence[ClipView]) -> list[CaptionResult]:
        """A caption for each clip; clips shown with equally many frames run together."""
        self.prepare()
        found: dict[int, CaptionResult] = {}
        for places in self._batches(views):
            found.update(zip(places, self._captioned([views[place] for place in places]), strict=True))
        return [found[place] for place in range(len(views))]

    def _batches(self, views: Sequence[ClipView]) -> Iterator[list[int]]:
        by_length: dict[int, list[int]] = {}
        for place, view in enumerate(views):
            by_length.setdefault(min(len(view.frames), self.config.num_frames), []).append(place)
        for places in by_length.values():
            for start in range(0, len(places), self.config.batch_size):
                yield places[start : start + self.config.batch_size]

    @torch.inference_mode()
    def _captioned(self, views: Sequence[ClipView]) -> list[CaptionResult]:
        loaded = self._loaded
        assert loaded is not None
        facts = [measured(view) for view in views]
        shown = [_pictures(spread(view.frames, self.config.num_frames), self.config.side_px) for view in views]
        texts = [
            _chat(loaded.processor, instruction(fact, num_frames=len(pictures)), num_pictures=len(pictures))
            for fact, pictures in zip(facts, shown, strict=True)
        ]
        inputs = loaded.processor(text=texts, images=shown, padding=True, return_tensors="pt")
        known = [
            {name: value for name in ("camera", "source", "quality") if (value := getattr(fact, name))}
            for fact in facts
        ]
        rows = [caption_fields(one, max_tokens=self.max_tokens) for one in known]
        constraint = Constraint(loaded.vocabulary, rows, eos_ids=loaded.eos_ids)
        pixels = {name: value.to(loaded.model.dtype) for name, value in inputs.items() if value.is_floating_point()}
        placed = {name: value.to(loaded.model.device) for name, value in {**inputs, **pixels}.items()}
        return written(loaded.model, placed, constraint, eos_ids=loaded.eos_ids)


def files_digest(folder: Path) -> str:
    """Hex digest over a model folder's files: names, sizes, and up to 2 MiB of each."""
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.*")):
        if path.suffix in (".json", ".safetensors", ".jinja", ".model", ".txt"):
            size = path.stat().st_size
            with path.open("rb") as file:
                head = file.read(_ENDS_BYTES)
                file.seek(max(0, size - _ENDS_BYTES))
                found.update(f"{path.name} {size}".encode() + head + file.read(_ENDS_BYTES))
    return found.hexdigest()[:16]


def _load(config: VlmConfig) -> _Loaded:
    folder = config.folder
    if not (folder / "config.json").is_file():
        raise WeightsError(f"{folder}: is no model folder (no config.json); give the folder that was downloaded.")
    processor = open_processor(folder)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars in another style than ours
            model: Any = AutoModelForImageTextToText.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=getattr(torch, config.dtype)
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        remedy = "give an image-text model of transformers with safetensors"
        raise WeightsError(f"{folder}: cannot be loaded ({reason}); {remedy}.") from None
    head = model.get_output_embeddings()
    model.to(config.device).eval()
    return _Loaded(
        model=model, processor=processor, vocabulary=Vocabulary(processor.tokenizer, head.weight.shape[0]),
        eos_ids=_eos_ids(model, processor, folder),
    )  # fmt: skip


def _eos_ids(model: Any, processor: Any, folder: Path) -> tuple[int, ...]:
    said = model.generation_config.eos_token_id if model.generation_config else None
    if said is None:
        said = processor.tokenizer.eos_token_id
    if said is None:
        raise WeightsError(f"{folder}: names no token that ends an answer; add eos_token_id to generation_config.json.")
    return tuple(said) if isinstance(said, list) else (said,)


def _chat(processor: Any, request: str, *, num_pictures: int) -> str:
    """The request in the model's template, the pictures before the words."""
    content: list[dict[str, Any]] = [{"type": "image"} for _ in range(num_pictures)]
    content.append({"type": "text", "text": f"{SYSTEM}\n{request}"})  # some templates know no system's part
    return str(processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True))


def _pictures(frames: Frames, side_px: int) -> list[Image.Image]:
    pictures = [Image.fromarray(frame) for frame in frames]
    for picture in pictures:
        picture.thumbnail((side_px, side_px), Image.Resampling.BICUBIC)
    return pictures
