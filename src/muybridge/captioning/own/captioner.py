"""Our own small captioner, for clips such as our worlds draw."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.captioning.captioner import CaptionResult, ClipView
from muybridge.captioning.constrained import Constraint, caption_fields
from muybridge.captioning.facts import Facts, measured
from muybridge.captioning.own.sight import TRUNK, Sight, SightConfig, Trunk, open_trunk, prepared
from muybridge.captioning.own.slots import SLOTS
from muybridge.captioning.own.writer import LANGUAGE, Language, Writer, WriterConfig, mixture, open_language
from muybridge.captioning.written import written
from muybridge.core.errors import invalid
from muybridge.weights.assets import ensure
from muybridge.weights.small import load_small
from muybridge.worlds.structured import CLEAN, RENDERED

EMBEDDED = Path(__file__).resolve().parent.parent / "embedded"
SIGHT_FILE, WRITER_FILE = EMBEDDED / "sight.safetensors", EMBEDDED / "writer.safetensors"
MAX_TOKENS: Mapping[str, int] = {"short": 64, "dense": 128}  # the longest of the worlds' have 56 and 100
_CAMERA = SLOTS.index("camera")


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnParts:
    """The networks: two that were trained here, and two that were trained by others and are fetched."""

    sight: Sight
    writer: Writer
    trunk: Trunk
    language: Language


class OwnCaptioner:
    """A `Captioner` that sees with `Sight` and writes with SmolLM2.

    It was taught on the sprites and the physics world alone, and knows no other answers than theirs: of camera footage
    it says something that is wrong. Source and quality are those of the worlds unless they were measured.
    """

    name = "small"

    def __init__(
        self, *, batch_size: int = 32, parts: OwnParts | None = None, max_tokens: Mapping[str, int] = MAX_TOKENS
    ) -> None:
        """parts: other networks than the shipped ones. max_tokens: of the texts, by field."""
        if batch_size < 1:
            raise invalid(f"batch_size={batch_size}", "is at least 1", "leave it out")
        self.batch_size, self._parts, self.max_tokens = batch_size, parts, max_tokens

    @property
    def identity(self) -> str:
        """The shipped weights."""
        digest = hashlib.sha256(SIGHT_FILE.read_bytes() + WRITER_FILE.read_bytes())
        return f"small-1-{digest.hexdigest()[:16]}"

    def prepare(self) -> None:
        """Load the networks, fetching what is missing. Raises AssetError, WeightsError."""
        if self._parts is None:
            self._parts = OwnParts(
                sight=load_small(SIGHT_FILE, SightConfig, Sight), writer=load_small(WRITER_FILE, WriterConfig, Writer),
                trunk=open_trunk(ensure(TRUNK)), language=open_language(ensure(LANGUAGE)),
            )  # fmt: skip

    def caption(self, views: Sequence[ClipView]) -> list[CaptionResult]:
        """A caption for each clip."""
        self.prepare()
        batches = (views[start : start + self.batch_size] for start in range(0, len(views), self.batch_size))
        return [result for batch in batches for result in self._captioned(batch)]

    @torch.inference_mode()
    def _captioned(self, views: Sequence[ClipView]) -> list[CaptionResult]:
        parts = self._parts
        assert parts is not None
        facts = [measured(view) for view in views]
        shares = self._shares(parts, views)
        movements = parts.sight.config.phrases[_CAMERA]
        cameras = [_camera(fact, movements, row) for fact, row in zip(facts, shares[_CAMERA], strict=True)]
        known = [movements.index(camera if camera in movements else "static") for camera in cameras]
        shares[_CAMERA] = F.one_hot(torch.tensor(known), len(movements)).float()
        vectors = parts.language.phrase_vectors(parts.sight.config.phrases)
        rows = [
            caption_fields(
                {"camera": camera, "source": fact.source or RENDERED, "quality": fact.quality or CLEAN},
                max_tokens=self.max_tokens,
            )
            for fact, camera in zip(facts, cameras, strict=True)
        ]
        language = parts.language
        constraint = Constraint(language.vocabulary, rows, eos_ids=(language.eos_id,))
        with parts.writer.changing(language.model):
            shown = parts.writer.shown(mixture(shares, vectors))
            inputs = {"inputs_embeds": shown, "attention_mask": torch.ones(shown.shape[:2], dtype=torch.long)}
            return written(language.model, inputs, constraint, eos_ids=(language.eos_id,))

    def _shares(self, parts: OwnParts, views: Sequence[ClipView]) -> list[Float[Tensor, "b p"]]:
        """For each slot how likely each answer is."""
        stills, films = zip(*(prepared(view.frames, parts.sight.config) for view in views), strict=True)
        logits = parts.sight(parts.trunk(torch.stack(stills), torch.stack(films)))
        return [each.softmax(1) for each in logits]


def _camera(facts: Facts, movements: Sequence[str], shares: Float[Tensor, " p"]) -> str:
    """The measured movement where it is sure, else the one that is seen; of pictures none."""
    return facts.camera or movements[int(shares.argmax())]
