"""Our own small captioner, for clips such as our worlds draw."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.captioning.captioner import CaptionResult, ClipView
from muybridge.captioning.constrained import Constraint, OneOf
from muybridge.captioning.facts import Facts, measured
from muybridge.captioning.own.reading import Reading, likeliest
from muybridge.captioning.own.sight import TRUNK, Sight, SightConfig, Trunk, open_trunk, prepared
from muybridge.captioning.own.slots import SLOTS, Phrases, numbers
from muybridge.captioning.own.wordings import wordings
from muybridge.captioning.own.writer import LANGUAGE, Language, Writer, WriterConfig, mixture, open_language
from muybridge.captioning.schema import FIELDS
from muybridge.captioning.tags import TagCaptioner
from muybridge.captioning.written import written
from muybridge.core.errors import invalid
from muybridge.weights.assets import ensure
from muybridge.weights.small import load_small

EMBEDDED = Path(__file__).resolve().parent.parent / "embedded"
SIGHT_FILE, WRITER_FILE = EMBEDDED / "sight.safetensors", EMBEDDED / "writer.safetensors"
NUM_CHOICES = 4  # wordings of a field from which the writer chooses
FOREIGN = "not a clip of our worlds: measurements alone; use a model's folder or a server for what is to be seen"
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

    It was taught on the sprites and the physics world alone, and knows no other answers than theirs. Clips that look
    like none of them get the caption of `TagCaptioner`, and the result says so. Source and quality are those of the
    worlds unless they were measured.
    """

    name = "small"

    def __init__(self, *, batch_size: int = 32, parts: OwnParts | None = None) -> None:
        """parts: other networks than the shipped ones."""
        if batch_size < 1:
            raise invalid(f"batch_size={batch_size}", "is at least 1", "leave it out")
        self.batch_size, self._parts = batch_size, parts

    @property
    def identity(self) -> str:
        """The shipped weights."""
        digest = hashlib.sha256(SIGHT_FILE.read_bytes() + WRITER_FILE.read_bytes())
        return f"small-2-{digest.hexdigest()[:16]}"

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
        stills, films = zip(*(prepared(view.frames, parts.sight.config) for view in views), strict=True)
        looks = parts.trunk(torch.stack(stills), torch.stack(films))
        is_ours = (parts.sight.strangeness(looks) <= 1).tolist()
        shares = [each.softmax(1) for each in parts.sight(looks)]
        readings = [
            _read(view, [each[row] for each in shares], parts.sight.config.phrases)
            for row, view in enumerate(views) if is_ours[row]
        ]  # fmt: skip
        ours = iter(self._written(parts, [view for view, near in zip(views, is_ours, strict=True) if near], readings))
        return [next(ours) if near else _measured(view) for view, near in zip(views, is_ours, strict=True)]

    def _written(self, parts: OwnParts, views: Sequence[ClipView], readings: Sequence[Reading]) -> list[CaptionResult]:
        """What the language model writes of what was read in clips of our worlds."""
        if not views:
            return []
        language, phrases = parts.language, parts.sight.config.phrases
        rows = [_fields(measured(view), reading) for view, reading in zip(views, readings, strict=True)]
        constraint = Constraint(language.vocabulary, rows, eos_ids=(language.eos_id,))
        known = torch.tensor([numbers(reading.seen, phrases) for reading in readings])
        shares = [F.one_hot(each, len(some)).float() for each, some in zip(known.unbind(1), phrases, strict=True)]
        with parts.writer.changing(language.model):
            shown = parts.writer.shown(mixture(shares, language.phrase_vectors(phrases)))
            inputs = {"inputs_embeds": shown, "attention_mask": torch.ones(shown.shape[:2], dtype=torch.long)}
            return written(language.model, inputs, constraint, eos_ids=(language.eos_id,))


def _read(view: ClipView, shares: Sequence[Float[Tensor, " p"]], phrases: Phrases) -> Reading:
    """What is seen of a clip, with the measured movement where it is sure; of pictures none."""
    camera, movements = measured(view).camera, phrases[_CAMERA]
    if camera is None:
        return likeliest(shares, phrases)
    known = movements.index(camera if camera in movements else "static")
    return likeliest(
        [*shares[:_CAMERA], F.one_hot(torch.tensor(known), len(movements)).float(), *shares[_CAMERA + 1 :]], phrases
    )


def _fields(facts: Facts, reading: Reading) -> list[OneOf]:
    """What may be written: of prose and phrases some usual wordings, of the classes what is known."""
    given = {"camera": facts.camera, "source": facts.source, "quality": facts.quality}
    options = wordings(reading, count=NUM_CHOICES)
    return [OneOf(name=name, options=(known,) if (known := given.get(name)) else options[name]) for name in FIELDS]


def _measured(view: ClipView) -> CaptionResult:
    """Of a clip that is not of our worlds only what was measured, which is true of any."""
    return replace(TagCaptioner().caption([view])[0], repairs=(FOREIGN,))
