"""What a model is asked, in words: the fields, the camera's classes with their meaning, and what was measured."""

from muybridge.captioning.facts import Facts
from muybridge.captioning.schema import FIELDS, QUALITIES, SOURCES
from muybridge.worlds.movements import MOVEMENTS

VERSION = 1  # counts the changes of these words

SYSTEM = "You describe video clips for a training set. You write only what can be seen."
_MEANINGS = {
    "short": "one sentence: who or what does what where",
    "dense": "several sentences: every subject with its looks, where it is, what it does from beginning to end, "
    "transitions, how the camera moves; nothing about style, light or mood",
    "background": "the surroundings, a phrase",
    "style": "such as documentary footage, 3D cartoon, ink drawing",
    "shot_type": "such as close-up, medium shot, wide shot, aerial shot",
    "lighting": "such as warm evening light, soft daylight",
    "atmosphere": "the mood in a few words",
    "camera": f"one of: {', '.join(MOVEMENTS)}. A pan moves the camera without turning it, a tilt turns it on the "
    "spot, around circles the subject",
    "source": f"one of: {', '.join(SOURCES)}",
    "quality": f"one of: {', '.join(QUALITIES)}",
}


def instruction(facts: Facts, *, num_frames: int) -> str:
    """The request for one clip whose frames come before it."""
    shown = "This is one picture." if num_frames == 1 else f"These are {num_frames} frames of one clip, in order."
    lines = [f'- "{name}": {_MEANINGS[name]}' for name in FIELDS]
    return "\n".join(
        [
            " ".join([shown, *facts.told]),
            "Answer with one JSON object, in English, with exactly these keys, all of them texts:",
            *lines,
            'Leave a phrase empty ("") where it cannot be told. Names of persons, addresses and numbers are left out.',
        ]
    )
