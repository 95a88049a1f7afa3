"""What marks are drawn with: fonts, words, outlines, patterns; two sets that share none, to learn and to judge."""

import importlib.util
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import ImageFont

from muybridge.core.errors import AssetError, MissingExtra
from muybridge.training.curating.mark_shapes import HELD_OUT_OUTLINES, OUTLINES
from muybridge.worlds.world import Split

Font = ImageFont.FreeTypeFont
Pattern = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of x and y in units of a frame's side: which colour, [0, 1]

_MATPLOTLIB = (  # DejaVu, STIX and Computer Modern: free licences
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSerif",
    "DejaVuSerif-Bold", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmss10", "cmb10",
    "cmtt10",
)  # fmt: skip
WORDS = (
    "SAMPLE", "Preview", "DEMO", "CHANNEL 4U", "© Mira Holm", "stockpile", "Nordlys Film", "LIVE",
    "www.klipbank.example", "@wanderkat", "TRIAL VERSION", "Made with Cutter", "not for resale", "UniTV",
    "clipworks.example", "COPY", "REC",
    "vid.eo/8812", "PhotoHarbour", "Screen Recorder Free", "@studio_lumen", "Proof", "ARCHIVE 1987", "kanal fem", "HD",
    "DO NOT SHARE", "Evaluation", "Tofu Productions", "id: 440-812", "NEWS 24", "by J. Okafor", "SUNRISE media",
)  # fmt: skip
HELD_OUT_WORDS = (
    "DRAFT", "imagehive", "© 2019 Lena Abt", "www.filmboutique.example", "@quietharbor", "Watermark",
    "BETA UNREGISTERED", "Kestrel Pictures", "tv.plus", "Licensed to 0071", "Screener", "motionvault", "Ruth & Sons",
    "CAM 02", "free edition", "SPORT ONE", "PIXELARCADE", "@noor.travels", "confidential", "Zebra Stock",
)  # fmt: skip
PATTERNS: Mapping[str, Pattern] = MappingProxyType(
    {
        "plain": lambda x, y: np.zeros_like(x),
        "across": lambda x, y: x,
        "down": lambda x, y: y,
        "stripes": lambda x, y: (np.sin(90 * x) > 0).astype(float),
        "lines": lambda x, y: (np.sin(140 * y) > 0).astype(float),
        "dots": lambda x, y: (np.sin(100 * x) * np.sin(100 * y) > 0.4).astype(float),
        # never trained on
        "checker": lambda x, y: (np.sin(80 * x) * np.sin(80 * y) > 0).astype(float),
        "slanting": lambda x, y: (np.sin(110 * (x + y)) > 0).astype(float),
        "waves": lambda x, y: 0.5 + 0.5 * np.sin(60 * y + 3 * np.sin(40 * x)),
    }
)
HELD_OUT_PATTERNS = ("checker", "slanting", "waves")


@dataclass(frozen=True, kw_only=True, slots=True)
class Looks:
    """What marks may look like."""

    fonts: tuple[Callable[[int], Font], ...]
    words: tuple[str, ...]
    outlines: tuple[str, ...]
    patterns: tuple[str, ...]


def looks(split: Split, panoramas: Path) -> Looks:
    """Those to learn from, or those to judge with, whose fonts are Inter from the folder of the asset `panoramas`.

    Raises MissingExtra without matplotlib, AssetError where the folder has no fonts.
    """
    if split == "train":
        return Looks(
            fonts=_train_fonts(), words=WORDS, outlines=tuple(n for n in OUTLINES if n not in HELD_OUT_OUTLINES),
            patterns=tuple(name for name in PATTERNS if name not in HELD_OUT_PATTERNS),
        )  # fmt: skip
    return Looks(
        fonts=_held_out_fonts(panoramas), words=HELD_OUT_WORDS, outlines=HELD_OUT_OUTLINES, patterns=HELD_OUT_PATTERNS
    )


def _train_fonts() -> tuple[Callable[[int], Font], ...]:
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        raise MissingExtra("the fonts of marks come with matplotlib; pip install 'muybridge[report]'.")
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    return (_default_font, *(_from_file((folder / f"{name}.ttf").read_bytes()) for name in _MATPLOTLIB))


def _default_font(size_px: int) -> Font:
    font = ImageFont.load_default(size=size_px)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow without FreeType"
    return font


def _held_out_fonts(panoramas: Path) -> tuple[Callable[[int], Font], ...]:
    paths = sorted(panoramas.glob("inter_*.woff"))
    if not paths:
        raise AssetError(f"{panoramas}: has no fonts; remove it to have it fetched again.")
    return tuple(_from_file(path.read_bytes()) for path in paths)


def _from_file(content: bytes) -> Callable[[int], Font]:
    return lambda size_px: ImageFont.truetype(io.BytesIO(content), size_px)
