"""What weights that were made for pictures ask of the one that a film begins with (`weights.picture_use`)."""

from dataclasses import replace

import torch

from muybridge.core.errors import invalid
from muybridge.media.frames import Picture
from muybridge.pipelines.components import Components
from muybridge.pipelines.conditions import reading
from muybridge.pipelines.conditions.film import FilmConditions
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.start import Start

STEADYING_SHARE = 0.001  # released, --i2v-stability: of the picture's latent in the noise of every frame


def check_picture(request: GenerationRequest, components: Components) -> None:
    """Raises InvalidInput where the weights make films from a picture and the request has none to begin with."""
    if not components.picture_use.needs_picture:
        if request.conditions.dynamic:
            rule = f"acts on weights that were made for pictures, which those of {components.name} were not"
            raise invalid("dynamic", rule, "leave it out")
        return
    if not _begins_with_picture(request.conditions):
        rule = f"the weights of {components.name} make films that begin with a picture"
        raise invalid("no image", rule, "give one as image, or use a model for text to video")


def first_picture(conditions: FilmConditions, *, fps: float) -> Picture | None:
    """What the film begins with, as it was given: a picture, or the first frame of a film that is made anew or goes on.

    Raises MediaError where it is damaged.
    """
    if conditions.image is not None:
        return reading.picture(conditions.image)[0]
    if conditions.video is not None:
        return reading.film(conditions.video, fps=fps)[0]
    if conditions.extend is not None and not conditions.is_backwards:
        return reading.film(conditions.extend, fps=fps)[-conditions.held_overlap]
    return None


def _begins_with_picture(conditions: FilmConditions) -> bool:
    """Whether `first_picture` finds one; nothing is read."""
    goes_on = conditions.extend is not None and not conditions.is_backwards
    return conditions.image is not None or conditions.video is not None or goes_on


def seen_picture(request: GenerationRequest, components: Components) -> Picture | None:
    """What the text encoder sees beside the prompt; None where it looks at no picture."""
    return first_picture(request.conditions, fps=request.fps) if components.text.sees_pictures else None


def taken(start: Start, request: GenerationRequest, components: Components) -> Start:
    """The start as the model's weights take it; unchanged where they were not made for pictures.

    The noise has a share of the picture's latent in it, unless the film is to be dynamic. Where the picture stands
    beside the noise, its frame is not held: the network makes it anew. The released code then drops the first four
    frames; here the film has all frames that were asked for.
    """
    use, conditions = components.picture_use, request.conditions
    if not use.needs_picture:
        return start
    first = start.given[:, :1]
    if use.stands_beside:
        mask = torch.zeros_like(start.given[:1])
        mask[:, 0] = 1
        start = replace(start, beside=torch.cat([start.given * mask, mask]))
    if conditions.image is None or conditions.mask is not None or start.strength < 1:
        return start
    held = start.held.clone()
    if use.stands_beside:
        held[0] = conditions.extend is not None
    given = torch.where(start.held[:, None, None], start.given, first)
    return replace(start, given=given, held=held, noise_mix=0.0 if conditions.dynamic else STEADYING_SHARE)
