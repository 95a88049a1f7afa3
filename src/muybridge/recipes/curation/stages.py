"""How the stages of curation are made, in their order, and what they write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from muybridge.captioning.camera import Camera
from muybridge.core.errors import InvalidInput, invalid
from muybridge.curation.engine.plan import FACTS
from muybridge.curation.marks.stage import Marks
from muybridge.curation.measures.blur import Blur
from muybridge.curation.measures.borders import Borders
from muybridge.curation.measures.dover import DoverQuality
from muybridge.curation.measures.motion import Motion
from muybridge.curation.measures.quality import Quality
from muybridge.curation.output.manifest import DERIVED
from muybridge.curation.people.centerface import CenterFace
from muybridge.curation.people.finder import FaceFinder
from muybridge.curation.people.nanodet import NanoDetBodies
from muybridge.curation.people.nudity import OpenNsfw
from muybridge.curation.people.privacy import Privacy
from muybridge.curation.people.stage import People
from muybridge.curation.shots.splitter import OUTPUTS as SHOT_COLUMNS
from muybridge.curation.similarity.embedding import Embedding
from muybridge.curation.sound.stage import Sounds
from muybridge.curation.sound.voice import SileroVoice
from muybridge.curation.stage import Column, Stage
from muybridge.curation.text.ocr import OcrReader
from muybridge.curation.text.strokes import StrokeReader
from muybridge.curation.text.subtitles import Subtitles
from muybridge.recipes.curation.names import EXTRA_SUMMARIES, STAGE_SUMMARIES


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What stages are made of: names of EXTRA_SUMMARIES that were asked for, what several share, DOVER's file."""

    extras: frozenset[str] = frozenset()
    faces: FaceFinder | None = None
    dover: Path = Path("dover.onnx")


@dataclass(frozen=True, kw_only=True, slots=True)
class StageChoice:
    """How a stage is made; whether it is run unless others are asked for."""

    make: Callable[[Parts], Stage]
    is_default: bool = True


def _subtitles(parts: Parts) -> Stage:
    if "ocr" in parts.extras:
        return Subtitles(reader=OcrReader())
    return Subtitles(reader=StrokeReader(), is_read=False, max_loss=0.0)  # strokes would crop one clip in ten wrongly


def _people(parts: Parts) -> Stage:
    bodies = NanoDetBodies() if "bodies" in parts.extras else None
    return People(finder=parts.faces, bodies=bodies, nsfw=OpenNsfw() if "nsfw" in parts.extras else None)


def _sound(parts: Parts) -> Stage:
    return Sounds(voice=SileroVoice() if "voice" in parts.extras else None)


STAGES: Mapping[str, StageChoice] = MappingProxyType(
    {
        "borders": StageChoice(make=lambda parts: Borders()),
        "subtitles": StageChoice(make=_subtitles),
        "marks": StageChoice(make=lambda parts: Marks()),
        "blur": StageChoice(make=lambda parts: Blur()),
        "quality": StageChoice(make=lambda parts: Quality(has_brisque="brisque" in parts.extras)),
        "dover": StageChoice(make=lambda parts: DoverQuality(parts.dover), is_default=False),
        "motion": StageChoice(make=lambda parts: Motion()),
        "camera": StageChoice(make=lambda parts: Camera()),
        "people": StageChoice(make=_people),
        "sound": StageChoice(make=_sound),
        "embedding": StageChoice(make=lambda parts: Embedding()),
        "privacy": StageChoice(make=lambda parts: Privacy(finder=parts.faces)),
    }
)
GATHERED: Mapping[str, Mapping[str, Column]] = MappingProxyType(
    {
        "duplicates": {"duplicate_of": "text", "duplicate_similarity": "float"},
        "concepts": {"concept": "int", "concept_share": "float", "sampling_weight": "float"},
    }
)


def known_columns() -> dict[str, Mapping[str, Column]]:
    """Stage to columns, of all that a table of thresholds may ask about, whether it is run or not."""
    measured = {name: choice.make(Parts()).outputs for name, choice in STAGES.items()}
    return {"clip": {**FACTS, **DERIVED}, "shots": SHOT_COLUMNS, **measured, **GATHERED}


def check_names(stages: Sequence[str], extras: Sequence[str]) -> None:
    """Raises InvalidInput for a stage or an extra that is not known."""
    for name in stages:
        if name not in STAGES:
            raise InvalidInput(f"stage {name!r}: there is no such stage; use {', '.join(STAGE_SUMMARIES)}.")
    for name in extras:
        if name not in EXTRA_SUMMARIES:
            raise InvalidInput(f"--with {name}: is nothing that can be added; use {', '.join(EXTRA_SUMMARIES)}.")


def chosen_stages(
    only: Sequence[str] | None = None,
    *,
    without: Sequence[str] = (),
    extras: Sequence[str] = (),
    dover: Path | None = None,
) -> tuple[Stage, ...]:
    """The default stages, and `dover` where its file is given, or those of `only`, but those of `without`, in order.

    Raises InvalidInput for a name that is not known, and for `dover` without a file.
    """
    check_names([*(only or ()), *without], extras)
    usual = {name for name, choice in STAGES.items() if choice.is_default or (name == "dover" and dover is not None)}
    names = (usual if only is None else set(only)) - set(without)
    if "dover" in names and dover is None:
        raise invalid("stage 'dover'", "needs the network that judges", "give its ONNX file by --dover")
    faces = FaceFinder(CenterFace()) if "faces" in extras else None
    parts = Parts(extras=frozenset(extras), faces=faces, dover=dover or Parts().dover)
    return tuple(choice.make(parts) for name, choice in STAGES.items() if name in names)
