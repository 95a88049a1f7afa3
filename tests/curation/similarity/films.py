"""Small films that differ as films do: soft shapes that drift over a still, uneven ground, and leaves in the wind."""

import numpy as np
import torch
import torch.nn.functional as F


def film(
    seed: int, *, num_frames: int = 24, height: int = 48, width: int = 64, subject: int | None = None
) -> np.ndarray:
    """uint8 (t, h, w, 3); equal seeds, equal films. subject: the seed of what moves, where it is another one."""
    draw = torch.Generator().manual_seed(seed)
    ground = _soft(torch.randn(1, 3, 6, 8, generator=draw), height, width)
    draw = draw if subject is None else torch.Generator().manual_seed(subject)
    shape = _soft(torch.randn(1, 3, 5, 7, generator=draw), height, width)
    mask = (_soft(torch.randn(1, 1, 4, 5, generator=draw), height, width) > 0.2).float()
    shifts = (torch.rand(2, generator=draw) * 1.6 - 0.8).tolist()
    frames = []
    for number in range(num_frames):
        moved = [round(shift * 24 * number / num_frames) for shift in shifts]
        over, where = (torch.roll(each, moved, (2, 3)) for each in (shape, mask))
        frames.append(torch.lerp(ground, over, where)[0])
    levels = 128 + 55 * torch.stack(frames)
    return levels.clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()


def leaves(seed: int, *, num_frames: int = 24) -> np.ndarray:
    """uint8 (t, h, w, 3): fine texture of little contrast, of which each row of leaves is blown about by itself."""
    draw = np.random.default_rng(seed)
    grain = draw.normal(0, 3, (8, 12, 128))
    grain = grain + np.roll(grain, 1, 1)
    texture = 128 + grain + np.roll(grain, 1, 2)
    frames = [
        [np.roll(row, by, 1) for row, by in zip(texture, draw.integers(-2, 3, 8), strict=True)]
        for _ in range(num_frames)
    ]
    return np.repeat(np.reshape(frames, (num_frames, 96, 128, 1)), 3, 3).clip(0, 255).astype(np.uint8)


def _soft(noise: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)
