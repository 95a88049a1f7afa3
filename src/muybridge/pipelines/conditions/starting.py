"""From the pictures and films of a request to where its sampling starts."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.shapes import SPATIAL_RATIO, TEMPORAL_RATIO, latent_frames
from muybridge.media.frames import Frames
from muybridge.pipelines.coding import encoded
from muybridge.pipelines.components import Components
from muybridge.pipelines.conditions import reading
from muybridge.pipelines.conditions.film import latent_frame
from muybridge.pipelines.conditions.masks import cells_to_make
from muybridge.pipelines.conditions.media_ref import MediaRef
from muybridge.pipelines.conditions.pictured import taken
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.start import Start

Encode = Callable[[Frames], Float[Tensor, "c t h w"]]
Anchor = tuple[int, Float[Tensor, "c n h w"]]  # a latent frame, counted from 0, and what is held from it on

STILL_FRAMES = 9  # of a picture standing still: its third latent has only stillness before it (convention)


def check_media(request: GenerationRequest) -> None:
    """Reads everything once, so that nothing is computed in vain.

    Raises MediaError where a picture or film is damaged, InvalidInput where it is too short or changed its content.
    """
    conditions = request.conditions.identified()
    for _, picture in _pictures(request):
        reading.picture(picture)
    if conditions.video or conditions.mask:
        _base(request)
    if conditions.mask:
        _mask(request)
    if conditions.extend:
        _overlap(request)


def starts_of(batch: Sequence[GenerationRequest], components: Components) -> list[Start] | None:
    """Those of a batch, None where its films start from noise alone. Raises as `check_media`."""
    starts = [start for request in batch if (start := start_of(request, components)) is not None]
    return starts or None


def start_of(request: GenerationRequest, components: Components) -> Start | None:
    """Where the sampling of a request starts; None where it is noise alone. Raises as `check_media`."""
    conditions = request.conditions
    if conditions.leading is None and not conditions.loop:
        return None
    encode = partial(encoded, components)
    frames = latent_frames(request.sampled_frames)
    base = encode(_base(request)) if conditions.video or conditions.mask else None
    made = cells_to_make(_mask(request)) if conditions.mask else None
    held = torch.zeros(frames, dtype=torch.bool)
    for at, latents in _anchors(request, encode):
        if base is None:
            base = latents.new_zeros(latents.shape[0], frames, *latents.shape[2:])
        base[:, at : at + latents.shape[1]] = latents
        held[at : at + latents.shape[1]] = True
    if base is None:
        channels = components.transformer.config.out_channels
        base = torch.zeros(channels, frames, request.height // SPATIAL_RATIO, request.width // SPATIAL_RATIO)
    if made is not None:
        held, made = _held_where_known(held, made)
    return taken(
        Start(given=base, held=held, made=made, strength=conditions.share, is_circle=conditions.loop),
        request,
        components,
    )


def still(encode: Encode, picture: Frames, *, is_alone: bool) -> Float[Tensor, "c 1 h w"]:
    """The latent of a picture: its own where it is the first frame, alone; else that of a film standing still.

    A later latent stands for four frames and what changes in them, which a picture's own latent does not say. Held as
    the last of 9 latent frames it decodes to the picture at 41 dB, the first at 38 dB (gallop at 128 px).
    """
    if is_alone:
        return encode(picture)
    return encode(np.repeat(picture, STILL_FRAMES, axis=0))[:, -1:]


def _anchors(request: GenerationRequest, encode: Encode) -> Iterator[Anchor]:
    """Everything that is held, in no order."""
    for frame, ref in _pictures(request):
        at = latent_frame(frame)
        picture = _fitted(request, reading.picture(ref))
        yield at, still(encode, picture, is_alone=at == 0 and not request.conditions.loop)
    if request.conditions.extend:
        latents = encode(_overlap(request))
        if not request.conditions.is_backwards:
            yield 0, latents
        else:  # the first latent stands for one frame, which the last made latent ends on
            yield latent_frames(request.num_frames) - latents.shape[1] + 1, latents[:, 1:]


def _pictures(request: GenerationRequest) -> Iterator[tuple[int, MediaRef]]:
    """Pictures that are held, each with its frame."""
    conditions = request.conditions
    if conditions.image and not conditions.mask:
        yield 0, conditions.image
    if conditions.last_image:
        yield request.num_frames - 1, conditions.last_image
    for keyframe in conditions.keyframes:
        yield keyframe.frame(request.fps), keyframe.picture


def _base(request: GenerationRequest) -> Frames:
    """The film that is made anew as a whole or in parts; a picture as a film standing still. Raises InvalidInput."""
    conditions = request.conditions
    ref = conditions.video or conditions.image
    assert ref is not None
    frames = reading.film(ref, fps=request.fps) if conditions.video else reading.picture(ref)
    return _fitted(request, _lasting(frames, request, option="video" if conditions.video else "image"))


def _mask(request: GenerationRequest) -> Frames:
    ref = request.conditions.mask
    assert ref is not None
    mask = _fitted(request, _lasting(reading.film(ref, fps=request.fps), request, option="mask"))
    if not bool(cells_to_make(mask).any()):
        raise invalid(f"mask {ref.name}", "is black everywhere: nothing is to be made", "paint white what is made anew")
    return mask


def _overlap(request: GenerationRequest) -> Frames:
    """The frames that are continued."""
    conditions = request.conditions
    assert conditions.extend is not None
    frames = reading.film(conditions.extend, fps=request.fps)
    num = conditions.held_overlap
    if len(frames) < num:
        rule = f"has {len(frames)} frames at {request.fps} fps, shorter than the overlap of {num}"
        use = (len(frames) - 1) // TEMPORAL_RATIO * TEMPORAL_RATIO + 1
        raise invalid(f"extend {conditions.extend.name}", rule, f"use overlap={use}")
    return _fitted(request, frames[:num] if conditions.is_backwards else frames[-num:])


def _lasting(frames: Frames, request: GenerationRequest, *, option: str) -> Frames:
    """As many frames as the request has, of a picture the same. Raises InvalidInput where a film is shorter."""
    if len(frames) == 1:
        return np.repeat(frames, request.num_frames, axis=0)
    if len(frames) < request.num_frames:
        use = (len(frames) - 1) // TEMPORAL_RATIO * TEMPORAL_RATIO + 1
        rule = f"is shorter than the film of {request.num_frames}"
        raise invalid(f"{option} of {len(frames)} frames at {request.fps} fps", rule, f"use frames={use}")
    return frames[: request.num_frames]


def _fitted(request: GenerationRequest, frames: Frames) -> Frames:
    return reading.fitted(frames, width=request.width, height=request.height)


def _held_where_known(
    held: Bool[Tensor, " t"], made: Bool[Tensor, "t h w"]
) -> tuple[Bool[Tensor, " t"], Bool[Tensor, "t h w"] | None]:
    """Frames of known cells alone are held: the network then sees them clean."""
    held = held | ~made.flatten(1).any(1)
    is_whole = bool(made[~held].all())
    return held, None if is_whole else made | held[:, None, None]
