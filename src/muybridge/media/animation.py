"""Films made of pictures: GIF and animated WebP."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageSequence

from muybridge.media.envelope import pack
from muybridge.media.frames import Frames
from muybridge.media.image import exif, opened, save

GIF_UNIT_MS, WEBP_UNIT_MS = 10, 1  # what the formats count in
UNTIMED_MS = 100  # browsers' length of a frame that says 0


def write_animation(
    path: Path, frames: Frames, *, fps: float, metadata: Mapping[str, Any] | None, quality: int
) -> None:
    """Write an endless GIF or animated WebP by extension; `quality`, 1 to 100, is WebP's.

    GIF has 256 colours per frame and times in 1/100 s, so most rates are met only on average.
    Both formats may keep a run of equal frames as one longer frame. Raises as `write_image`.
    """
    first, *rest = (Image.fromarray(frame) for frame in frames)
    is_gif = path.suffix.lower() == ".gif"
    options: dict[str, Any] = {"save_all": True, "append_images": rest, "loop": 0}
    options["duration"] = durations_ms(len(frames), fps=fps, unit_ms=GIF_UNIT_MS if is_gif else WEBP_UNIT_MS)
    if is_gif:
        options |= {} if metadata is None else {"comment": pack(metadata).encode()}
    else:
        options |= {"quality": quality, "method": 4} | ({} if metadata is None else {"exif": exif(metadata)})
    save(path, lambda temporary: first.save(temporary, **options))


def read_animation(path: Path, *, max_frames: int | None = None) -> tuple[Frames, float]:
    """(frames, fps) of a GIF or WebP, transparent parts white; fps is the mean, 10 for a still. Raises MediaError."""
    frames, total_ms = [], 0
    with opened(path) as image:
        for index, frame in enumerate(ImageSequence.Iterator(image)):
            if index == max_frames:
                break
            layer = frame.convert("RGBA")
            base = Image.new("RGBA", layer.size, "white")
            frames.append(np.asarray(Image.alpha_composite(base, layer).convert("RGB")))
            total_ms += frame.info.get("duration") or UNTIMED_MS
    return np.stack(frames), 1000 * len(frames) / total_ms


def durations_ms(num_frames: int, *, fps: float, unit_ms: int) -> list[int]:
    """Whole multiples of `unit_ms` for every frame, whose running sum stays within half a unit of the true time."""
    ends = [round((index + 1) * 1000 / fps / unit_ms) * unit_ms for index in range(num_frames)]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]
