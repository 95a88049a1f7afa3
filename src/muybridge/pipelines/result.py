"""A finished film or picture, with the settings that repeat it."""

import base64
import html
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from muybridge.core.errors import MediaError
from muybridge.media.formats import VIDEO_SUFFIXES
from muybridge.media.frames import Frames
from muybridge.media.image import IMAGE_SUFFIXES, write_image
from muybridge.media.sidecar import write_settings
from muybridge.media.writer import check_output, write_video

STILL_SUFFIXES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix not in VIDEO_SUFFIXES)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Video:
    """pixels (t, h, w, 3) uint8, one frame for a picture; `settings` by the names of the command line.

    `latents` (c, t, h, w), float32 on the CPU, are what the pixels were decoded from, at the transformer's scale.
    on_saved: called once the film is in a file; what was kept to continue it may go.
    """

    pixels: Frames
    fps: int
    settings: Mapping[str, Any]
    latents: Float[Tensor, "c t h w"]
    on_saved: Callable[[], None] | None = None

    @property
    def num_frames(self) -> int:
        """1 for a picture."""
        return len(self.pixels)

    @property
    def seed(self) -> int:
        """The seed that its noise came from."""
        return self.settings["seed"]

    def frames(self) -> list[Image.Image]:
        """The frames as pictures."""
        return [Image.fromarray(frame) for frame in self.pixels]

    def save(self, path: str | Path) -> Path:
        """Write the film, or the picture, with its settings inside and in a .json beside it; returns the path.

        Nothing half-written is left. Raises MediaError on an extension that cannot hold it, InvalidInput where the
        folder cannot be written.
        """
        path = Path(path)
        check_destination(path, num_frames=self.num_frames)
        if path.suffix.lower() in STILL_SUFFIXES:
            write_image(path, self.pixels[0], metadata=self.settings)
        else:
            write_video(path, self.pixels, fps=self.fps, metadata=self.settings)
        write_settings(path, self.settings)
        if self.on_saved is not None:
            self.on_saved()
        return path

    def _repr_html_(self) -> str:
        """The film as a notebook shows it."""
        suffix, tag = (".png", "img") if self.num_frames == 1 else (".mp4", "video")
        with tempfile.TemporaryDirectory() as folder:
            content = base64.b64encode(self.save(Path(folder) / f"film{suffix}").read_bytes()).decode()
        title = html.escape(str(self.settings.get("prompt", "")), quote=True)
        if tag == "img":
            return f'<img title="{title}" src="data:image/png;base64,{content}">'
        return f'<video controls autoplay loop muted title="{title}" src="data:video/mp4;base64,{content}"></video>'


def check_destination(path: str | Path, *, num_frames: int) -> None:
    """Raises MediaError where a result of `num_frames` frames could not be written to `path`; nothing is created."""
    path = Path(path)
    if num_frames > 1 and path.suffix.lower() in STILL_SUFFIXES:
        raise MediaError(f"{path}: a picture holds one frame, not {num_frames}; use {path.stem}.mp4 or 1 frame.")
    check_output(path, suffixes=(*VIDEO_SUFFIXES, *STILL_SUFFIXES))
