"""Captions from measured columns alone, without any model: short, and only what is known."""

from collections.abc import Sequence

import numpy as np

from muybridge.captioning.captioner import CaptionResult, ClipView
from muybridge.captioning.facts import measured, number
from muybridge.media.frames import Frames
from muybridge.worlds.movements import MOVEMENTS, plain_sentence
from muybridge.worlds.structured import UNKNOWN, StructuredCaption, with_article

DARK, BRIGHT = 50, 205  # mean level of 255 (convention)
COLOURLESS = 4.0  # mean difference of the channels, levels of 255: below it a picture is black and white
CLOSE, MEDIUM = 0.12, 0.02  # share of the picture that a face takes, from where a shot is close, and medium
_LIGHTS = {"dark": "low light", "bright": "bright light"}
_COUNTS = ("no", "one", "two", "three", "four", "five", "six")
_MOTIONS = {
    "still": "Hardly anything moves.", "subject": "What is shown moves before a quiet camera.",
    "camera": "Only the camera moves.", "both": "Camera and subject move.", "fast": "Everything moves fast.",
}  # fmt: skip
_SOUNDS = {"speech": "Speech is heard.", "music": "Music is heard.", "effects": "Sounds are heard."}


class TagCaptioner:
    """A `Captioner` that needs nothing: what `curate` falls back to where no model is given."""

    name = "tags"
    identity = "tags-1"

    def prepare(self) -> None:
        """Load nothing."""

    def caption(self, views: Sequence[ClipView]) -> list[CaptionResult]:
        """What the columns and the levels of the frames say; fields that they do not decide are empty."""
        return [CaptionResult(caption=_caption(view)) for view in views]


def _caption(view: ClipView) -> StructuredCaption:
    facts = measured(view)
    light, style = _light(view.frames), "black and white" if _spread(view.frames) < COLOURLESS else ""
    camera = facts.camera or UNKNOWN
    opening = _opening(view, style=style, light=light)
    return StructuredCaption(
        short=opening, dense=" ".join([opening, *_course(view, camera)]), background="", style=style,
        shot_type=_shot_type(view), lighting=_LIGHTS.get(light, ""), atmosphere="", camera=camera,
        source=facts.source or UNKNOWN, quality=facts.quality or UNKNOWN,
    )  # fmt: skip


def _opening(view: ClipView, *, style: str, light: str) -> str:
    looks = " ".join(word for word in (light, style) if word)
    thing = "picture" if view.is_picture else "video clip"
    said = with_article(f"{looks} {thing}" if looks else thing)
    people = number(view.columns, "num_people")
    if people is not None and people >= 0.5:
        count = round(people)
        word = _COUNTS[count] if count < len(_COUNTS) else "many"
        said += f" of {word} {'person' if count == 1 else 'people'}"
    return f"{said[0].upper()}{said[1:]}."


def _course(view: ClipView, camera: str) -> list[str]:
    """What the columns say about movement, words in the picture and sound."""
    columns = view.columns
    said = [_MOTIONS.get(str(columns.get("motion_kind")), "")] if not view.is_picture else []
    if camera in MOVEMENTS:
        said.append(plain_sentence(camera))
    if (number(columns, "num_text_boxes") or 0) >= 1:
        said.append("There is text in the picture.")
    said.append(_SOUNDS.get(str(columns.get("sound_kind")), ""))
    return [sentence for sentence in said if sentence]


def _shot_type(view: ClipView) -> str:
    share = number(view.columns, "face_share")
    if not share:
        return ""
    return "close-up" if share >= CLOSE else "medium shot" if share >= MEDIUM else "wide shot"


def _light(frames: Frames) -> str:
    level = float(frames[:, ::4, ::4].mean())
    return "dark" if level < DARK else "bright" if level > BRIGHT else ""


def _spread(frames: Frames) -> float:
    """How far the channels lie apart, in the mean."""
    few = frames[:, ::4, ::4].astype(np.int16)
    return float((few.max(-1) - few.min(-1)).mean())
