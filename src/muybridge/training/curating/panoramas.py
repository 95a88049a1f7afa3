"""Photographic panoramas in the public domain, and what a camera sees that stands in them."""

from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from av.error import FFmpegError
from jaxtyping import Float

from muybridge.core.errors import MediaError
from muybridge.media.frames import Picture

MIDDLE_GREY = 0.45  # of [0, 1] in linear light, where a view's median comes to lie
WHITE = 4.0  # times the middle, where the highlights end (Reinhard 2002, eq. 4)
GAMMA = 2.2


def read_panorama(path: Path) -> Float[np.ndarray, "h w 3"]:
    """An equirectangular OpenEXR file in linear light, float32. Raises MediaError.

    Decoded by FFmpeg, which knows its lossy compression; the halves are read from its planes, as FFmpeg's own
    conversion clips the highlights.
    """
    try:
        decoded = av.CodecContext.create("exr", "r").decode(av.Packet(path.read_bytes()))  # type: ignore[attr-defined]
    except (OSError, FFmpegError) as error:
        raise MediaError(f"{path}: cannot be read as OpenEXR ({error}); remove its folder to fetch it again.") from None
    frame = decoded[0]
    if frame.format.name != "gbrpf16le":
        raise MediaError(f"{path}: {frame.format.name}, where 16-bit RGB is known; give another file.")
    rows = [
        np.frombuffer(memoryview(plane), np.float16).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes
    ]
    green, blue, red = (np.nan_to_num(plane.astype(np.float32), posinf=65504.0) for plane in rows)
    return np.maximum(np.stack([red, green, blue], axis=-1), 0)


def view(
    panorama: Float[np.ndarray, "h w 3"], *, yaw_deg: float, pitch_deg: float, across_deg: float, size_px: int
) -> Picture:
    """A square perspective view, `across_deg` wide, tone-mapped as a camera on automatic would."""
    reach = np.tan(np.radians(across_deg) / 2)
    steps = (np.arange(size_px) + 0.5) / size_px * 2 - 1
    x, y = np.meshgrid(steps * reach, -steps * reach)
    pitch = np.radians(pitch_deg)
    up, forward = y * np.cos(pitch) + np.sin(pitch), np.cos(pitch) - y * np.sin(pitch)
    longitude = np.arctan2(x, forward) + np.radians(yaw_deg)
    latitude = np.arctan2(up, np.hypot(x, forward))
    across = (longitude / np.pi + 1) % 2 - 1
    grid = torch.from_numpy(np.stack([across, -latitude / (np.pi / 2)], axis=-1)).float()[None]
    light = torch.from_numpy(panorama).permute(2, 0, 1)[None]
    seen = F.grid_sample(light, grid, mode="bicubic", padding_mode="border", align_corners=False)[0].clamp(min=0)
    return developed(seen)


def developed(light: Float[torch.Tensor, "3 h w"]) -> Picture:
    """Linear light tone-mapped as a camera on automatic would."""
    scaled = light * (MIDDLE_GREY / float(light.median().clamp(min=1e-4)))
    mapped = scaled * (1 + scaled / WHITE**2) / (1 + scaled)
    return (mapped.clamp(0, 1) ** (1 / GAMMA) * 255).round().byte().permute(1, 2, 0).numpy()
