"""Training prompts from a structured caption: fields left out and in another order each time.   Paper 3.2."""

import random

from muybridge.core.errors import invalid
from muybridge.core.seeding import mix
from muybridge.worlds.structured import StructuredCaption, compose


def training_captions(caption: StructuredCaption, num: int, *, seed: int) -> tuple[str, ...]:
    """`num` captions, the short description first, then compositions of the fields, all different where possible.

    Equal seeds give equal captions. Fewer come where the fields allow no more.
    """
    if num < 1:
        raise invalid(f"num={num}", "a clip has at least one caption", "use 4")
    found = [caption.short]
    for draw in range(4 * num):
        if len(found) == num:
            break
        said = compose(caption, random.Random(mix(seed, "training captions", draw)))
        if said not in found:
            found.append(said)
    return tuple(found)
