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

from muybridge.core.errors import invalid
from muybridge.media.frames import AnyFrames, FineFrames, Frames
from muybridge.media.save_options import SaveOptions
from muybridge.media.writer import PLAIN, depth
from muybridge.pipelines.saving import save_frames


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Video:
    """pixels (t, h, w, 3) uint8, one frame for a picture; `settings` by the names of the command line.

    `latents` (c, t, h, w), float32 on the CPU, are what the pixels were decoded from, at the transformer's scale.
    fine: the pixels in 16 bits, where they were asked for. on_saved: called once the film is in a file; what was kept
    to continue it may go.
    """

    pixels: Frames
    fps: int
    settings: Mapping[str, Any]
    latents: Float[Tensor, "c t h w"]
    fine: FineFrames | None = None
    on_saved: Callable[[], None] | None = None

    @property
    def num_frames(self) -> int:
        """1 for a picture."""
        return len(self.pixels)

    @property
    def width(self) -> int:
        """Of a frame, in px."""
        return self.pixels.shape[2]

    @property
    def height(self) -> int:
        """Of a frame, in px."""
        return self.pixels.shape[1]

    @property
    def seed(self) -> int:
        """The seed that its noise came from."""
        return self.settings["seed"]

    def frames(self) -> list[Image.Image]:
        """The frames as pictures."""
        return [Image.fromarray(frame) for frame in self.pixels]

    def save(self, path: str | Path, *, options: SaveOptions = PLAIN) -> Path:
        """Write the film, or the picture, with its settings inside and in a .json beside it; returns the path.

        options: how it is written, such as `SaveOptions(codec="h265", bits=10)`. Nothing half-written is left. Raises
        MediaError on an extension or options that cannot hold it, InvalidInput where the folder cannot be written.
        """
        path = Path(path)
        frames: AnyFrames = self.pixels
        if self.num_frames > 1 and depth(path, options) > 8:
            frames = self.pixels if self.fine is None else self.fine
        if options.bits == 10 and self.fine is None:
            raise invalid("bits=10", "this film was made with 8 bits", "make it with bits=10")
        save_frames(path, [frames], num_frames=self.num_frames, fps=self.fps, settings=self.settings, options=options)
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
