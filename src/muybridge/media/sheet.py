"""Contact sheets: films as rows of frames under their captions, still or playing side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from muybridge.core.errors import MediaError
from muybridge.media.frames import Frames, Picture, as_frames
from muybridge.media.image import write_image

PAPER, INK = (236, 235, 231), (34, 34, 36)  # light grey, so that white frames keep their edge, and soft black
MARGIN_PX, GUTTER_PX = 20, 24  # round the sheet, between films
FRAME_GAP_PX = 3  # between the frames of one film, which belong together
CAPTION_GAP_PX = 7
LINE_SPACING = 1.3
MIN_FONT_PX, MAX_FONT_PX = 12, 22


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where things go on a sheet, in pixels."""

    frame_height: int
    frame_width: int
    columns: int
    films_per_row: int
    font: ImageFont.FreeTypeFont
    captions: tuple[tuple[str, ...], ...]

    @property
    def film_width(self) -> int:
        """Width of one film's row of frames."""
        return self.columns * self.frame_width + (self.columns - 1) * FRAME_GAP_PX

    @property
    def line_height(self) -> int:
        """Height of a line of caption."""
        return round(self.font.size * LINE_SPACING)

    def caption_height(self, row: int) -> int:
        """Room above the frames of a row of films: its longest caption."""
        lines = max(map(len, self.captions[row * self.films_per_row : (row + 1) * self.films_per_row]))
        return lines * self.line_height + (CAPTION_GAP_PX if lines else 0)

    @property
    def num_rows(self) -> int:
        """Rows of films."""
        return -(-len(self.captions) // self.films_per_row)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the sheet, both even, so that a playing sheet can be written as film."""
        width = 2 * MARGIN_PX + self.films_per_row * self.film_width + (self.films_per_row - 1) * GUTTER_PX
        height = 2 * MARGIN_PX + self.row_top(self.num_rows) - GUTTER_PX
        return width + width % 2, height + height % 2

    def row_top(self, row: int) -> int:
        """Top of a row of films, from the margin."""
        return sum(self.caption_height(above) + self.frame_height + GUTTER_PX for above in range(row))

    def corner(self, film: int) -> tuple[int, int]:
        """(left, top) of a film's caption."""
        row, column = divmod(film, self.films_per_row)
        return MARGIN_PX + column * (self.film_width + GUTTER_PX), MARGIN_PX + self.row_top(row)


def contact_sheet(
    videos: Sequence[Frames],
    *,
    labels: Sequence[str] = (),
    columns: int = 5,
    films_per_row: int = 1,
    path: Path | None = None,
) -> Picture:
    """A picture with `columns` evenly spaced frames of every film under its wrapped caption; also written to `path`.

    The films have one size; the first and the last frame are always shown. Raises MediaError on mixed sizes, a wrong
    number of labels, or no film.
    """
    films = _checked(videos, labels)
    shown = [film[spread(len(film), columns)] for film in films]
    layout = _layout(shown[0], labels or [""] * len(films), columns=columns, films_per_row=films_per_row)
    sheet = _blank(layout)
    for index, frames in enumerate(shown):
        for column, frame in enumerate(frames):
            _paste(sheet, frame, layout=layout, film=index, column=column)
    if path is not None:
        write_image(path, sheet)
    return sheet


def playing_sheet(videos: Sequence[Frames], *, labels: Sequence[str] = (), films_per_row: int = 4) -> Frames:
    """All films playing side by side under their captions, as one film as long as the longest; shorter ones rest on
    their last frame. Raises as `contact_sheet`.
    """
    films = _checked(videos, labels)
    layout = _layout(films[0], labels or [""] * len(films), columns=1, films_per_row=films_per_row)
    sheets = np.repeat(_blank(layout)[None], max(map(len, films)), axis=0)
    for index, film in enumerate(films):
        for time, sheet in enumerate(sheets):
            _paste(sheet, film[min(time, len(film) - 1)], layout=layout, film=index, column=0)
    return sheets


def spread(num_frames: int, columns: int) -> list[int]:
    """`columns` evenly spaced frame numbers from first to last; the middle frame when there is one column."""
    if columns == 1:
        return [num_frames // 2]
    return [round(index * (num_frames - 1) / (columns - 1)) for index in range(columns)]


def wrap(text: str, *, font: ImageFont.FreeTypeFont, width_px: int) -> tuple[str, ...]:
    """The text in lines no wider than `width_px`, broken at spaces, or inside a word that is wider by itself."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width_px:
            lines[-1] += f" {word}"
            continue
        lines.append(word)
        while font.getlength(lines[-1]) > width_px and len(lines[-1]) > 1:
            kept = _fitting(lines[-1], font=font, width_px=width_px)
            lines[-1:] = [lines[-1][:kept], lines[-1][kept:]]
    return tuple(lines)


def _fitting(word: str, *, font: ImageFont.FreeTypeFont, width_px: int) -> int:
    """How many letters of a too wide word fit; at least one."""
    return max(1, next(n for n in range(len(word), -1, -1) if n == 0 or font.getlength(word[:n]) <= width_px))


def _checked(videos: Sequence[Frames], labels: Sequence[str]) -> list[Frames]:
    films = [as_frames(video) for video in videos]
    if not films:
        raise MediaError("videos: a sheet needs at least one film; give some.")
    if labels and len(labels) != len(films):
        raise MediaError(f"{len(labels)} labels for {len(films)} films: one each is needed; give as many, or none.")
    sizes = sorted({film.shape[1:3] for film in films})
    if len(sizes) > 1:
        raise MediaError(f"films of sizes {sizes}: a sheet shows one size; bring them to one with geometry.fill.")
    return films


def _layout(frames: Frames, labels: Sequence[str], *, columns: int, films_per_row: int) -> Layout:
    if columns < 1 or films_per_row < 1:
        given = f"columns={columns}, films_per_row={films_per_row}"
        raise MediaError(f"{given}: at least one of each is shown; use 1 or more.")
    height, width = frames.shape[1:3]
    font = ImageFont.load_default(size=min(max(height // 9, MIN_FONT_PX), MAX_FONT_PX))
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise MediaError("captions: this Pillow has no FreeType to draw them; install Pillow from its wheel.")
    film_width = columns * width + (columns - 1) * FRAME_GAP_PX
    return Layout(
        frame_height=height,
        frame_width=width,
        columns=columns,
        films_per_row=min(films_per_row, len(labels)),
        font=font,
        captions=tuple(wrap(label, font=font, width_px=film_width) for label in labels),
    )


def _blank(layout: Layout) -> Picture:
    """The sheet with its captions, bottom-aligned on their frames, before the frames."""
    image = Image.new("RGB", layout.size, PAPER)
    draw = ImageDraw.Draw(image)
    for film, lines in enumerate(layout.captions):
        left, top = layout.corner(film)
        bottom = top + layout.caption_height(film // layout.films_per_row) - CAPTION_GAP_PX
        for number, line in enumerate(lines):
            y = bottom - (len(lines) - number) * layout.line_height
            draw.text((left, y), line, fill=INK, font=layout.font)
    return np.array(image)


def _paste(sheet: Picture, frame: Picture, *, layout: Layout, film: int, column: int) -> None:
    """Write one frame onto the sheet, in place."""
    left, top = layout.corner(film)
    left += column * (layout.frame_width + FRAME_GAP_PX)
    top += layout.caption_height(film // layout.films_per_row)
    sheet[top : top + layout.frame_height, left : left + layout.frame_width] = frame
