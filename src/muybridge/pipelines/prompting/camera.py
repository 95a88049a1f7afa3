"""Camera movements by name, and the sentence that a model was trained to know each by."""

from collections.abc import Mapping
from types import MappingProxyType

from muybridge.core.errors import invalid
from muybridge.worlds.camera import CAMERAS
from muybridge.worlds.movements import MOVEMENTS, plain_sentence

# The paper's fourteen classes as they stand in its captions (arXiv 2412.03603 3.2).
RELEASED_CAMERAS: Mapping[str, str] = MappingProxyType(
    {name: f"{name.capitalize()}{' shot' if name in ('static', 'handheld') else ''}." for name in MOVEMENTS}
)
# Of these gallop's films show eight, and one of their own.
GALLOP_CAMERAS: Mapping[str, str] = MappingProxyType(
    {name: plain_sentence(name) if name in MOVEMENTS else "The camera follows it." for name in CAMERAS}
)


def movement_of(word: str, cameras: Mapping[str, str]) -> str:
    """The movement that a word such as pan_left or "pan left" names. Raises InvalidInput with those that there are."""
    name = " ".join(word.replace("_", " ").replace("-", " ").lower().split()) if isinstance(word, str) else ""
    if name in cameras:
        return name
    known = ", ".join(each.replace(" ", "_") for each in cameras)
    raise invalid(f"camera={word}", f"this model was trained on {known}", "use one of them, or say it in the prompt")


def with_camera(prompt: str, sentence: str) -> str:
    """The prompt and the sentence after it, as captions have them."""
    words = prompt.rstrip()
    return f"{words}{'' if words.endswith(('.', '!', '?')) else '.'} {sentence}"
