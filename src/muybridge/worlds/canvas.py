"""A window of the flat world onto which backgrounds are painted by formula, with edges softened by the pixel size."""

from dataclasses import dataclass, field

import numpy as np

Colour = tuple[float, float, float]  # 0-255


@dataclass(frozen=True, slots=True)
class Canvas:
    """A window of the world: columns x (w,), rows y (h,), pixel size `step`, and its pixels (h, w, 3) float32 0-255."""

    x: np.ndarray
    y: np.ndarray
    step: float
    pixels: np.ndarray = field(repr=False)

    def gradient(
        self, top: Colour, bottom: Colour, *, start_y: float, end_y: float, from_y: float | None = None
    ) -> None:
        """Fill rows from `from_y` down (everything when None) with a vertical gradient between two heights."""
        share = np.clip((self.y - start_y) / (end_y - start_y), 0, 1)[:, None].astype(np.float32)
        rows = np.asarray(top, np.float32) * (1 - share) + np.asarray(bottom, np.float32) * share
        if from_y is None:
            self.pixels[:] = rows[:, None]
        else:
            cover = np.clip((self.y - from_y) / self.step + 0.5, 0, 1)[:, None, None].astype(np.float32)
            self.pixels[:] = self.pixels * (1 - cover) + rows[:, None] * cover

    def below(self, edge: np.ndarray, colour: Colour) -> None:
        """Fill everything under a curve: `edge` (w,) is its height in each column."""
        first = max(int(np.searchsorted(self.y, edge.min() - self.step)), 0)
        cover = np.clip((self.y[first:, None] - edge[None]) / self.step + 0.5, 0, 1)[..., None].astype(np.float32)
        self.pixels[first:] += (np.asarray(colour, np.float32) - self.pixels[first:]) * cover

    def ellipse(self, x: float, y: float, radii: tuple[float, float], colour: Colour, *, opacity: float = 1.0) -> None:
        """Blend an ellipse with soft edges."""
        grow = self.step
        columns = slice(*np.searchsorted(self.x, (x - radii[0] - grow, x + radii[0] + grow)))
        rows = slice(*np.searchsorted(self.y, (y - radii[1] - grow, y + radii[1] + grow)))
        part = self.pixels[rows, columns]
        if not part.size:
            return
        across, down = (self.x[columns] - x) / radii[0], (self.y[rows] - y) / radii[1]
        distance = np.sqrt(across[None] ** 2 + down[:, None] ** 2)
        cover = np.clip((1 - distance) * min(radii) / self.step + 0.5, 0, 1)[..., None].astype(np.float32) * opacity
        part += (np.asarray(colour, np.float32) - part) * cover

    def triangle(self, x: float, base_y: float, half_width: float, height: float, colour: Colour) -> None:
        """Blend an upright triangle that stands on `base_y`."""
        columns = slice(*np.searchsorted(self.x, (x - half_width - self.step, x + half_width + self.step)))
        rows = slice(*np.searchsorted(self.y, (base_y - height - self.step, base_y + self.step)))
        part = self.pixels[rows, columns]
        if not part.size:
            return
        half = half_width * (self.y[rows] - (base_y - height)) / height
        inside = (half[:, None] - np.abs(self.x[columns] - x)[None]) / self.step + 0.5
        foot = ((base_y - self.y[rows]) / self.step + 0.5)[:, None]
        cover = np.clip(np.minimum(inside, foot), 0, 1)[..., None].astype(np.float32)
        part += (np.asarray(colour, np.float32) - part) * cover
